//! Why there is no result, with what an administrator does about it.
//!
//! MUST NOT contain an input: these messages are logged.

use crate::fallback::FallbackError;
use postern_shared::protocol::FrameError;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The process that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelayServer {
    Daemon,
    Stdio,
}

impl fmt::Display for RelayServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RelayServer::Daemon => "posternd",
            RelayServer::Stdio => "posternd --stdio",
        })
    }
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum RelayError {
    /// No daemon that is trusted, and that greets this host, listens at the socket.
    Absent(PathBuf, Absent),
    /// No daemon listens, and the fallback did not start.
    Fallback(FallbackError),
    /// The connection limit of posternd is reached.
    Busy,
    /// The fallback speaks no version of the protocol that the module speaks.
    Version,
    /// The memory limit of the host is reached.
    Memory,
    /// The connection failed, or a frame is invalid.
    Frame(RelayServer, FrameError),
    /// An instruction that the module's limits do not allow.
    Bounds(RelayServer, &'static str),
    /// A time limit was exceeded.
    TooLong(RelayServer),
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RelayError::Absent(socket, absent) => write!(f, "{}: {absent}", socket.display()),
            RelayError::Fallback(error) => error.fmt(f),
            RelayError::Busy => f.write_str("posternd has no room for another conversation; see its log"),
            RelayError::Version => f.write_str(
                "posternd --stdio and pam_totp.so have different versions; install both of one version",
            ),
            RelayError::Memory => f.write_str(
                "no memory is left in the PAM host; raise RLIMIT_AS and RLIMIT_DATA (ulimit -v, ulimit -d)",
            ),
            RelayError::Frame(RelayServer::Daemon, FrameError::Stream(error)) => {
                write!(f, "posternd ended the conversation: {error}; see its log")
            }
            RelayError::Frame(RelayServer::Stdio, FrameError::Stream(error)) => {
                write!(f, "posternd --stdio ended the conversation: {error}; was it killed?")
            }
            RelayError::Frame(server, error) => write!(
                f,
                "{server} and pam_totp.so have different versions ({error}); install both of one version, and restart posternd"
            ),
            RelayError::Bounds(server, what) => write!(f, "{server} sent an instruction that is not allowed: {what}"),
            RelayError::TooLong(RelayServer::Daemon) => {
                f.write_str("posternd did not answer in time; see its log")
            }
            RelayError::TooLong(RelayServer::Stdio) => {
                f.write_str("posternd --stdio did not answer in time; is it stopped, or the disk slow?")
            }
        }
    }
}

impl RelayError {
    pub(super) fn from_frame(server: RelayServer, error: FrameError) -> RelayError {
        match error {
            FrameError::Stream(error) if error.kind() == ErrorKind::TimedOut => {
                RelayError::TooLong(server)
            }
            FrameError::Stream(error) if error.kind() == ErrorKind::OutOfMemory => {
                RelayError::Memory
            }
            error => RelayError::Frame(server, error),
        }
    }
}

/// Why no daemon at the socket is trusted and greets this host.
#[derive(Debug)]
pub(super) enum Absent {
    NotListening,
    NotRoot,
    NoGreeting(FrameError),
    OtherVersion,
    /// The host's user has no name that an account can have.
    NoAccount,
    NameUnavailable,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Absent::NotListening => {
                "posternd does not listen there; start posternd.socket, or bind-mount the socket where the service runs"
            }
            Absent::NotRoot => {
                "does not belong to root; nothing was sent; find out who made it, and start posternd.socket"
            }
            Absent::NoGreeting(error) => {
                return write!(
                    f,
                    "posternd does not answer ({error}); restart posternd and this service"
                );
            }
            Absent::OtherVersion => {
                "posternd and pam_totp.so have different versions; restart posternd and this service"
            }
            Absent::NoAccount => {
                "posternd finds no name for the user that runs this service; run the service as a user of this host"
            }
            Absent::NameUnavailable => {
                "posternd cannot look up the user that runs this service; see getent passwd"
            }
        })
    }
}
