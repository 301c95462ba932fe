//! A connection to a local socket from inside a host process: bounded in time, and without signals. Signals of the host
//! interrupt neither a read nor a write for good, and move no deadline.

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
    /// Nobody listens there.
    Nobody,
    /// Another user than root listens there.
    NotRoot,
    /// Too many wait to be accepted.
    Full,
}

/// A stream whose reads and writes end at a time, with `TimedOut`.
pub(crate) trait Timed: Read + Write {
    /// Sets when.
    fn wait_until(&mut self, until: Instant);
}

/// A connection, and until when what is read and written next may take.
pub(crate) struct LocalConnection {
    socket: Socket,
    until: Instant,
}

impl LocalConnection {
    /// Connects to a socket on which root listens.
    pub(crate) fn open(path: &Path, until: Instant) -> Result<LocalConnection, ConnectError> {
        let address = SockAddr::unix(path).map_err(|_| ConnectError::Nobody)?;
        let socket =
            Socket::new(Domain::UNIX, Type::STREAM, None).map_err(|_| ConnectError::Nobody)?;
        loop {
            // a full backlog would hold a plain connect up for ever
            let left = left(until).map_err(|_| ConnectError::Full)?;
            socket
                .set_write_timeout(Some(left))
                .map_err(|_| ConnectError::Nobody)?;
            match socket.connect(&address) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(ConnectError::Full);
                }
                Err(_) => return Err(ConnectError::Nobody),
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

fn left(until: Instant) -> io::Result<Duration> {
    // a limit of zero would be none
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

fn late(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock {
        ErrorKind::TimedOut.into()
    } else {
        error
    }
}

impl Read for LocalConnection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = left(self.until).and_then(|left| {
            self.socket.set_read_timeout(Some(left))?;
            (&self.socket).read(buffer).map_err(late)
        });
        match read {
            // what lies there came in time, however long the user had this process stand still: it is no silence
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                let read = recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT);
                read.map_err(|error| late(error.into()))
            }
            read => read,
        }
    }
}

impl Write for LocalConnection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.until)?))?;
        self.socket
            .send_with_flags(bytes, libc::MSG_NOSIGNAL)
            .map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
