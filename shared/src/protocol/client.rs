//! The command's side of pam.sock. A posternd that does not answer is given up after two seconds.
//! After its greeting it may take as long as a revocation waits for gates.
//!
//! MUST send nothing before it is certain that root listens on the socket.

use super::command_request::{CommandRequest, EngineReply};
use super::{
    CommandReply, FrameError, Greeting, GreetingState, Opening, PAM_SOCKET, common_version,
    receive, send, wire,
};
use crate::system::network::local_stream::{LocalStream, NotRoot};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fmt, io};

/// Time limit for accepting and greeting; it includes a look-up of the user's name.
const GREETING_TIMEOUT: Duration = Duration::from_millis(1600);
/// Time limit for the reply: it exceeds the sum of the limits of the store, of a revocation and of
/// a password.
const REPLY_TIMEOUT: Duration = Duration::from_secs(40);

/// Sends a request of the user of this process to posternd, and returns the reply.
pub fn send_request(request: &CommandRequest) -> Result<EngineReply, ClientError> {
    send_request_to(Path::new(PAM_SOCKET), request)
}

fn send_request_to(path: &Path, request: &CommandRequest) -> Result<EngineReply, ClientError> {
    let absent = |error| ClientError::Absent {
        socket: path.to_owned(),
        error,
    };
    let encoded = wire::encode(request).ok_or(ClientError::TooLong)?;
    let until = Instant::now() + GREETING_TIMEOUT;
    let mut connection = LocalStream::connect_to_root(path, until).map_err(|error| match error
        .get_ref()
        .is_some_and(|inner| inner.is::<NotRoot>())
    {
        true => ClientError::NotRoot(path.to_owned()),
        false => absent(error),
    })?;
    let greeting: Greeting = receive(&mut connection).map_err(|error| match error {
        FrameError::Stream(error) => absent(error),
        _ => ClientError::OtherVersion,
    })?;
    let version = common_version(&greeting.versions).ok_or(ClientError::OtherVersion)?;
    if greeting.state != GreetingState::Ready {
        return Err(ClientError::NotReady(greeting.state));
    }
    connection.set_deadline(Instant::now() + REPLY_TIMEOUT);
    // after any other failure, the reply before the connection was closed says more
    if let Err(FrameError::TooLong { .. }) = send(
        &mut connection,
        &Opening::Command {
            version,
            request: encoded,
        },
    ) {
        return Err(ClientError::TooLong);
    }
    match receive(&mut connection) {
        Ok(CommandReply(reply)) => wire::decode(&reply).ok_or(ClientError::OtherVersion),
        Err(FrameError::Stream(error)) => Err(ClientError::NoReply(error)),
        Err(_) => Err(ClientError::OtherVersion),
    }
}

/// Reason why posternd did not complete a request.
#[derive(Debug)]
pub enum ClientError {
    /// No process listens on the socket, or none greets.
    Absent { socket: PathBuf, error: io::Error },
    /// Another user than root listens on the socket.
    NotRoot(PathBuf),
    /// posternd accepts no request of this user, or not now.
    NotReady(GreetingState),
    /// posternd and this command have no protocol version in common.
    OtherVersion,
    /// posternd greeted and did not reply.
    NoReply(io::Error),
    /// The request is longer than a frame may be.
    TooLong,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Absent { socket, error } => write!(
                f,
                "posternd does not answer at {}: {error}; without it only root may do this: ask the administrator to start posternd.socket",
                socket.display()
            ),
            ClientError::NotRoot(socket) => write!(
                f,
                "{}: does not belong to root; nothing was sent: tell the administrator, who should find out who made it",
                socket.display()
            ),
            ClientError::NotReady(GreetingState::NoAccount) => f.write_str(
                "you have no account here: your user ID has no name on this host, or a name that no account can have",
            ),
            ClientError::NotReady(GreetingState::NameUnavailable) => {
                f.write_str("your name cannot be looked up now; try again, or ask the administrator")
            }
            ClientError::NotReady(GreetingState::Busy | GreetingState::Ready) => {
                f.write_str("posternd is busy; try again in a moment")
            }
            ClientError::OtherVersion => f.write_str(
                "posternd and postern have different versions; ask the administrator to restart posternd",
            ),
            ClientError::NoReply(error) => write!(
                f,
                "posternd did not finish: {error}; check with postern status what was done, and ask the administrator to look at its log"
            ),
            ClientError::TooLong => f.write_str("the request is too long to be sent to posternd"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Absent { error, .. } | ClientError::NoReply(error) => Some(error),
            ClientError::NotRoot(_)
            | ClientError::NotReady(_)
            | ClientError::OtherVersion
            | ClientError::TooLong => None,
        }
    }
}
