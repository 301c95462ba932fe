//! Connects to a Unix socket with a deadline for each read and write, and without SIGPIPE.
//!
//! MUST NOT send anything before the peer credentials show that root listens on the socket.

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::time::{Duration, Instant};

/// A connection, and the deadline of the next reads and writes.
#[derive(Debug)]
pub struct LocalStream {
    socket: Socket,
    deadline: Instant,
}

/// The error for a socket on which a user other than root listens.
#[derive(Debug)]
pub struct NotRoot;

impl fmt::Display for NotRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user other than root listens there")
    }
}

impl std::error::Error for NotRoot {}

impl LocalStream {
    /// Connects to a socket on which root listens.
    ///
    /// # Errors
    /// Fails if no process accepts the connection before the deadline, and with [`NotRoot`] if the
    /// peer is not root.
    pub fn connect_to_root(path: &Path, deadline: Instant) -> io::Result<LocalStream> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // connect(2) blocks while the backlog is full, up to the write timeout
        socket.set_write_timeout(Some(time_left(deadline)?))?;
        socket.connect(&SockAddr::unix(path)?).map_err(as_timeout)?;
        match getsockopt(&socket, PeerCredentials)?.uid() {
            0 => Ok(LocalStream { socket, deadline }),
            _ => Err(io::Error::other(NotRoot)),
        }
    }

    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Shuts down the write direction; the peer then reads end of file.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }
}

/// Returns the time until the deadline, at least one millisecond: socket2 treats zero as no
/// timeout.
fn time_left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left.max(Duration::from_millis(1)))
    }
}

fn as_timeout(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        io::ErrorKind::TimedOut.into()
    } else {
        error
    }
}

impl Read for LocalStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket
            .set_read_timeout(Some(time_left(self.deadline)?))?;
        (&self.socket).read(buffer).map_err(as_timeout)
    }
}

impl Write for LocalStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket
            .set_write_timeout(Some(time_left(self.deadline)?))?;
        self.socket
            .send_with_flags(bytes, libc::MSG_NOSIGNAL)
            .map_err(as_timeout)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
