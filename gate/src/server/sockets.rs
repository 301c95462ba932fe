//! Socket activation: listening sockets that systemd passes (sd_listen_fds(3)). They stay
//! systemd's: a client that connects while the gate restarts waits, and the gate neither replaces
//! nor removes their files.

use listenfd::ListenFd;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::AcceptConn;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::Path;

pub(crate) enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// Sockets that systemd passed, until an entry of `gate.listen` takes them.
pub(crate) struct ActivatedSockets(Vec<ActivatedSocket>);

struct ActivatedSocket {
    name: String,
    /// Error if the descriptor is not a usable listening socket.
    socket: io::Result<Socket>,
}

impl ActivatedSockets {
    /// Takes the sockets that were passed to this process, by the environment.
    pub(crate) fn from_environment() -> ActivatedSockets {
        let mut descriptors = ListenFd::from_env();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let taken = (0..descriptors.len()).map(|number| ActivatedSocket {
            name: names.next().unwrap_or("unknown").to_owned(),
            socket: take_listening_socket(&mut descriptors, number),
        });
        ActivatedSockets(taken.collect())
    }

    /// Takes the sockets of a name, or all that are left.
    pub(crate) fn take_named(&mut self, name: Option<&str>) -> Result<Vec<Socket>, String> {
        let wanted = |socket: &ActivatedSocket| name.is_none_or(|name| socket.name == name);
        let (taken, left): (Vec<_>, _) = std::mem::take(&mut self.0).into_iter().partition(wanted);
        self.0 = left;
        if taken.is_empty() {
            return Err(self.missing_message(name));
        }
        let usable = taken.into_iter().map(|ActivatedSocket { name, socket }| {
            socket.map_err(|error| format!("the socket {name} of systemd: {error}"))
        });
        usable.collect()
    }

    /// Takes the socket that listens at a path, if there is one. Where the folder is root's, the
    /// gate cannot make it itself.
    pub(crate) fn take_at(&mut self, path: &Path) -> Option<UnixListener> {
        let listens_there = |socket: &ActivatedSocket| match &socket.socket {
            Ok(Socket::Unix(socket)) => socket
                .local_addr()
                .is_ok_and(|address| address.as_pathname() == Some(path)),
            _ => false,
        };
        let number = self.0.iter().position(listens_there)?;
        match self.0.remove(number).socket {
            Ok(Socket::Unix(socket)) => Some(socket),
            _ => None,
        }
    }

    /// Refuses sockets that no entry uses: a client that connects there would wait for ever.
    pub(crate) fn refuse_unused(&self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some(ActivatedSocket { name, .. }) => Err(format!(
                "systemd passes a socket {name} that no entry uses; add \"systemd:{name}\", or end its socket unit for good: systemctl mask --now postern-gate.socket"
            )),
        }
    }

    fn missing_message(&self, name: Option<&str>) -> String {
        let left: Vec<_> = self.0.iter().map(|socket| socket.name.as_str()).collect();
        match name {
            Some(name) if !left.is_empty() => format!(
                "systemd passes no socket {name}, but {}; see FileDescriptorName= in the socket unit",
                left.join(", ")
            ),
            _ => "systemd passes no socket; start the gate by its socket unit: systemctl enable --now postern-gate.socket"
                .to_owned(),
        }
    }
}

fn take_listening_socket(descriptors: &mut ListenFd, number: usize) -> io::Result<Socket> {
    if let Ok(Some(listener)) = descriptors.take_unix_listener(number) {
        refuse_connection(&listener)?;
        listener.set_nonblocking(true)?;
        return Ok(Socket::Unix(listener));
    }
    match descriptors.take_tcp_listener(number) {
        Ok(Some(listener)) => {
            refuse_connection(&listener)?;
            listener.set_nonblocking(true)?;
            Ok(Socket::Tcp(listener))
        }
        _ => Err(io::Error::other(
            "it is neither TCP nor a unix stream; set ListenStream= in the socket unit",
        )),
    }
}

/// Refuses a socket that does not listen: Accept=yes passes connections.
fn refuse_connection(socket: &impl AsFd) -> io::Result<()> {
    match getsockopt(socket, AcceptConn)? {
        true => Ok(()),
        false => Err(io::Error::other(
            "it does not listen; set Accept=no in the socket unit",
        )),
    }
}
