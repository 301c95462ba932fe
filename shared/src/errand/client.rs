//! The command's end of pam.sock. A gate that is not there, or hangs, is given up within two seconds; one that has
//! greeted may take as long as a revocation waits for other gates.

use super::wire::{self, GREETING, LONGEST_ANSWER, LONGEST_ERRAND};
use super::{Errand, Reply};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long the gate may take to let in, and then to greet.
const GREETED: Duration = Duration::from_millis(900);
/// How long it may take to answer: the store's time limit, a revocation's, and some more.
const ANSWERED: Duration = Duration::from_secs(20);

/// Has the gate run an errand.
pub fn send(socket: &Path, errand: &Errand) -> Result<Reply, ClientError> {
    let line = wire::write(errand).filter(|line| line.len() <= LONGEST_ERRAND).ok_or(ClientError::TooLong)?;
    let absent = |error| ClientError::Absent { socket: socket.to_owned(), error };
    let stream = connect(socket).map_err(absent)?;
    let mut greeting = [0; GREETING.len()];
    read_exact(&stream, &mut greeting, GREETED).map_err(absent)?;
    if greeting != GREETING {
        return Err(ClientError::Stranger);
    }
    // A gate that turns the errand away may have closed already; its answer says why.
    let _ = write_all(&stream, &line);
    let answer = read_line(&stream).map_err(ClientError::Unanswered)?;
    wire::read(&answer).ok_or(ClientError::Stranger)
}

/// A full queue of a gate that does not accept would hold up a plain connect for ever.
fn connect(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(Some(GREETED))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}

fn write_all(socket: &Socket, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // a signal would end a host process
        match socket.send_with_flags(bytes, libc::MSG_NOSIGNAL) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn read_exact(mut socket: &Socket, buffer: &mut [u8], within: Duration) -> io::Result<()> {
    socket.set_read_timeout(Some(within))?;
    socket.read_exact(buffer)
}

/// Reads up to the end of the line.
fn read_line(mut socket: &Socket) -> io::Result<Zeroizing<Vec<u8>>> {
    let over = Instant::now() + ANSWERED;
    let mut line = Zeroizing::new(vec![0; LONGEST_ANSWER]);
    let mut filled = 0;
    loop {
        let left = over.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        // no room left reads nothing, like the end
        match socket.read(&mut line[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if line[..filled].ends_with(b"\n") {
            line.truncate(filled);
            return Ok(line);
        }
    }
}

/// Why the gate ran no errand.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody listens there, or nobody greets.
    Absent {
        /// The socket.
        socket: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What listens there speaks another wire.
    Stranger,
    /// It greeted, and then did not answer.
    Unanswered(io::Error),
    /// The errand has more than a line may hold.
    TooLong,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Absent { socket, error } => write!(
                f,
                "the gate does not answer at {}: {error}; without it only root may do this: ask the administrator to start postern-gate",
                socket.display()
            ),
            ClientError::Stranger => f.write_str(
                "the gate is of another version of postern; ask the administrator to restart postern-gate",
            ),
            ClientError::Unanswered(error) => write!(
                f,
                "the gate did not finish: {error}; see with postern status what was done, and ask the administrator to look at its log"
            ),
            ClientError::TooLong => f.write_str("that is too long to be sent to the gate"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Absent { error, .. } | ClientError::Unanswered(error) => Some(error),
            ClientError::Stranger | ClientError::TooLong => None,
        }
    }
}
