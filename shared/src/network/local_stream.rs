//! A connection to a local socket that cannot hang: bounded in time, and without SIGPIPE.
//!
//! MUST send nothing before it knows that root listens there.

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::time::{Duration, Instant};

/// A connection, and until when what is read and written next may take.
#[derive(Debug)]
pub struct LocalStream {
    socket: Socket,
    deadline: Instant,
}

/// Another user than root listens there.
#[derive(Debug)]
pub struct NotRoot;

impl fmt::Display for NotRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user other than root listens there")
    }
}

impl std::error::Error for NotRoot {}

impl LocalStream {
    /// Connects, until the deadline, to a socket on which root listens.
    ///
    /// # Errors
    /// Nobody listens there, or not in time; or another user than root does, which is [`NotRoot`].
    pub fn connect_to_root(path: &Path, until: Instant) -> io::Result<LocalStream> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // a full backlog would hold a plain connect up for ever
        socket.set_write_timeout(Some(left(until)?))?;
        socket.connect(&SockAddr::unix(path)?).map_err(late)?;
        match getsockopt(&socket, PeerCredentials)?.uid() {
            0 => Ok(LocalStream {
                socket,
                deadline: until,
            }),
            _ => Err(io::Error::other(NotRoot)),
        }
    }

    /// Sets until when what follows may take.
    pub fn set_deadline(&mut self, until: Instant) {
        self.deadline = until;
    }

    /// Sends no more.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }
}

/// The time until a deadline, as a limit: zero would be none.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left.max(Duration::from_millis(1)))
    }
}

fn late(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        io::ErrorKind::TimedOut.into()
    } else {
        error
    }
}

impl Read for LocalStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.deadline)?))?;
        (&self.socket).read(buffer).map_err(late)
    }
}

impl Write for LocalStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.deadline)?))?;
        self.socket
            .send_with_flags(bytes, libc::MSG_NOSIGNAL)
            .map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
