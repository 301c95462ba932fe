//! The listening sockets that systemd passes (sd_listen_fds(3)), by the names that their units
//! give them. Connections wait at systemd's sockets while posternd restarts.
//!
//! MUST NOT make, replace or remove a socket.

use listenfd::ListenFd;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::AcceptConn;
use std::os::unix::net::UnixListener;
use std::{fmt, io};

/// Value of FileDescriptorName= in posternd.socket.
const HOST: &str = "host";
/// Value of FileDescriptorName= in posternd-pam.socket.
const PAM: &str = "pam";

/// The sockets that were passed.
#[derive(Debug, Default)]
pub struct ListeningSockets {
    /// host.sock, for PAM hosts whose effective user is 0.
    pub host: Option<UnixListener>,
    /// pam.sock, for all other PAM hosts and for commands.
    pub pam: Option<UnixListener>,
}

/// Why the passed sockets cannot be served.
#[derive(Debug)]
pub enum SocketError {
    /// No socket was passed.
    Missing,
    /// A name that posternd does not serve, or one that was passed twice.
    Name(String),
    /// The socket does not listen.
    Unusable(String, io::Error),
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketError::Missing => f.write_str(
                "no socket was passed; start posternd with systemctl enable --now posternd.socket",
            ),
            SocketError::Name(name) => write!(
                f,
                "a socket {name:?} was passed; FileDescriptorName= of its unit is {HOST} or {PAM}, once each"
            ),
            SocketError::Unusable(name, error) => write!(
                f,
                "the socket {name:?} cannot be used: {error}; its unit has ListenStream= and Accept=no"
            ),
        }
    }
}

impl std::error::Error for SocketError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SocketError::Unusable(_, error) => Some(error),
            SocketError::Missing | SocketError::Name(_) => None,
        }
    }
}

/// Returns the sockets of this process, and removes the variables from its environment.
///
/// # Errors
/// [`SocketError`], also for a socket that would not be served: its clients would wait for ever.
pub fn activated_sockets() -> Result<ListeningSockets, SocketError> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut descriptors = ListenFd::from_env();
    if descriptors.len() == 0 {
        return Err(SocketError::Missing);
    }
    let mut names = names.split(':');
    let mut sockets = ListeningSockets::default();
    for number in 0..descriptors.len() {
        let name = names.next().unwrap_or_default();
        let place = match name {
            HOST => &mut sockets.host,
            PAM => &mut sockets.pam,
            _ => return Err(SocketError::Name(name.to_owned())),
        };
        if place.is_some() {
            return Err(SocketError::Name(name.to_owned()));
        }
        let taken = take_listener(&mut descriptors, number);
        *place = Some(taken.map_err(|error| SocketError::Unusable(name.to_owned(), error))?);
    }
    Ok(sockets)
}

fn take_listener(descriptors: &mut ListenFd, number: usize) -> io::Result<UnixListener> {
    let listener = descriptors.take_unix_listener(number)?;
    let listener = listener.ok_or_else(|| io::Error::other("it was taken already"))?;
    match getsockopt(&listener, AcceptConn)? {
        true => Ok(listener),
        false => Err(io::Error::other("it does not listen")),
    }
}
