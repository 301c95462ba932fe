//! The command's and the PAM module's end of pam.sock. A gate that is not there, or hangs, is given up within two
//! seconds; one that has greeted a command may take as long as a revocation waits for other gates.
//!
//! MUST send nothing before it knows that the gate listens there: root or the gate's user owns the folder, and listens.

use super::wire::{self, GREETING, LONGEST_ANSWER, LONGEST_ERRAND};
use super::{Errand, Reply, SOCKET};
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::User;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long the gate may take to let in, and then to greet.
const GREETED: Duration = Duration::from_millis(900);
/// How long it may take to answer: the store's time limit, a revocation's, that of a password, and some more.
const ANSWERED: Duration = Duration::from_secs(40);
/// How long a person at a prompt waits for all of it.
const JUDGED: Duration = Duration::from_secs(2);

/// The user that the gate runs as.
const USER: &str = "postern-gate";

/// A gate, as others find it.
#[derive(Clone, Debug)]
pub struct Gate {
    socket: PathBuf,
    user: String,
}

impl Gate {
    /// The one of this host.
    pub fn of_this_host() -> Gate {
        Gate::at(Path::new(SOCKET), USER)
    }

    /// One elsewhere, and the user that it runs as.
    pub fn at(socket: &Path, user: &str) -> Gate {
        Gate { socket: socket.to_owned(), user: user.to_owned() }
    }

    /// Has it run an errand.
    pub fn run(&self, errand: &Errand) -> Result<Reply, ClientError> {
        self.send(errand, Instant::now() + ANSWERED)
    }

    /// Has it judge someone who waits at a prompt.
    pub fn judge(&self, errand: &Errand) -> Result<Reply, ClientError> {
        self.send(errand, Instant::now() + JUDGED)
    }

    fn send(&self, errand: &Errand, until: Instant) -> Result<Reply, ClientError> {
        let line =
            wire::write(errand).filter(|line| line.len() <= LONGEST_ERRAND).ok_or(ClientError::TooLong)?;
        let absent = |error| ClientError::Absent { socket: self.socket.clone(), error };
        let keeper = self.keeper()?;
        let folder = self.socket.parent().unwrap_or(Path::new("/"));
        let metadata = folder.symlink_metadata().map_err(absent)?;
        if !metadata.is_dir() || !keeper.owns(metadata.uid()) || metadata.mode() & 0o022 != 0 {
            return Err(ClientError::Planted(folder.to_owned()));
        }
        let stream = connect(&self.socket).map_err(absent)?;
        let peer = getsockopt(&stream, PeerCredentials).map_err(|error| absent(error.into()))?;
        if !keeper.owns(peer.uid()) {
            return Err(ClientError::Planted(self.socket.clone()));
        }
        let mut greeting = [0; GREETING.len()];
        read_exact(&stream, &mut greeting, Instant::now() + GREETED).map_err(absent)?;
        if greeting != GREETING {
            return Err(ClientError::Stranger);
        }
        // A gate that turns the errand away may have closed already; its answer says why.
        let _ = write_all(&stream, &line);
        let answer = read_line(&stream, until).map_err(ClientError::Unanswered)?;
        wire::read(&answer).ok_or(ClientError::Stranger)
    }

    fn keeper(&self) -> Result<Keeper, ClientError> {
        let user = User::from_name(&self.user).map_err(ClientError::Lookup)?;
        Ok(Keeper(user.map(|user| user.uid.as_raw())))
    }
}

/// Whose the gate is besides root, if the host has that user.
struct Keeper(Option<u32>);

impl Keeper {
    fn owns(&self, uid: u32) -> bool {
        uid == 0 || Some(uid) == self.0
    }
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

fn read_exact(socket: &Socket, buffer: &mut [u8], until: Instant) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        filled += read_some(socket, &mut buffer[filled..], until)?;
    }
    Ok(())
}

/// Reads up to the end of the line.
fn read_line(socket: &Socket, until: Instant) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(vec![0; LONGEST_ANSWER]);
    let mut filled = 0;
    while !line[..filled].ends_with(b"\n") {
        // no room left reads nothing, like the end
        filled += read_some(socket, &mut line[filled..], until)?;
    }
    line.truncate(filled);
    Ok(line)
}

/// Reads at least a byte; neither a signal nor a slow peer makes it wait longer.
fn read_some(mut socket: &Socket, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // less than it can be told would be for ever
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match socket.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => return Ok(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
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
    /// What is there is not the gate's.
    Planted(PathBuf),
    /// The host's name service does not know whether it is.
    Lookup(Errno),
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
            ClientError::Planted(path) => write!(
                f,
                "{}: belongs to neither root nor the gate; nothing was sent: tell the administrator, who should see who made it",
                path.display()
            ),
            ClientError::Lookup(error) => {
                write!(f, "the gate's user cannot be looked up: {error}; see getent passwd {USER}")
            }
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
            ClientError::Lookup(error) => Some(error),
            ClientError::Planted(_) | ClientError::Stranger | ClientError::TooLong => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_roots_or_its_own_users_and_nobody_elses() {
        let gate = Keeper(Some(990));
        assert!(gate.owns(0) && gate.owns(990) && !gate.owns(1000));
        let without_user = Keeper(None);
        assert!(without_user.owns(0) && !without_user.owns(990) && !without_user.owns(u32::MAX));
    }
}
