//! A connection to a local socket from inside a PAM host: every read and write ends at a deadline,
//! and none raises SIGPIPE. Signals of the host neither end a read or write nor move its deadline.
//!
//! MUST NOT connect to a socket on which another user than root listens.

use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{MsgFlags, getsockopt, recv};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// No process listens there.
    Absent,
    /// Another user than root listens there.
    NotRoot,
    /// The backlog of the socket is full.
    Full,
}

/// A stream whose reads and writes end at a deadline, with `TimedOut`.
pub(crate) trait Timed: Read + Write {
    /// Sets the deadline of later reads and writes.
    fn wait_until(&mut self, until: Instant);
}

pub(crate) struct LocalConnection {
    socket: Socket,
    until: Instant,
}

impl LocalConnection {
    /// Connects to a socket on which root listens.
    pub(crate) fn open(path: &Path, until: Instant) -> Result<LocalConnection, ConnectError> {
        let address = SockAddr::unix(path).map_err(|_| ConnectError::Absent)?;
        let socket =
            Socket::new(Domain::UNIX, Type::STREAM, None).map_err(|_| ConnectError::Absent)?;
        loop {
            // without a limit, connect(2) waits for ever at a full backlog
            let left = time_left(until).map_err(|_| ConnectError::Full)?;
            socket
                .set_write_timeout(Some(left))
                .map_err(|_| ConnectError::Absent)?;
            match socket.connect(&address) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(ConnectError::Full);
                }
                Err(_) => return Err(ConnectError::Absent),
            }
        }
        match getsockopt(&socket, PeerCredentials) {
            Ok(peer) if peer.uid() == 0 => Ok(LocalConnection { socket, until }),
            Ok(_) | Err(_) => Err(ConnectError::NotRoot),
        }
    }
}

impl Timed for LocalConnection {
    fn wait_until(&mut self, until: Instant) {
        self.until = until;
    }
}

fn time_left(until: Instant) -> io::Result<Duration> {
    // a socket timeout of zero means no timeout
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

fn as_timed_out(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock {
        ErrorKind::TimedOut.into()
    } else {
        error
    }
}

impl Read for LocalConnection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = time_left(self.until).and_then(|left| {
            self.socket.set_read_timeout(Some(left))?;
            (&self.socket).read(buffer).map_err(as_timed_out)
        });
        match read {
            // Bytes that are in the buffer came in time, however long the user had stopped this
            // process.
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                let read = recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT);
                read.map_err(|error| as_timed_out(error.into()))
            }
            read => read,
        }
    }
}

impl Write for LocalConnection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket
            .set_write_timeout(Some(time_left(self.until)?))?;
        self.socket
            .send_with_flags(bytes, libc::MSG_NOSIGNAL)
            .map_err(as_timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
