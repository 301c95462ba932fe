//! Socket activation: the listening sockets that systemd made and hands over (sd_listen_fds(3)). They stay systemd's:
//! whoever connects while the gate starts anew waits, and the gate neither replaces nor removes their files.

use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt::AcceptConn};
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;

/// One of them.
pub(crate) enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// What systemd handed over, until an entry of gate.listen takes it.
pub(crate) struct Sockets {
    descriptors: ListenFd,
    /// By number; empty once taken.
    names: Vec<Option<String>>,
}

impl Sockets {
    /// Those of this process. Reads the environment.
    pub(crate) fn handed_over() -> Sockets {
        let descriptors = ListenFd::from_env();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let names = (0..descriptors.len()).map(|_| Some(names.next().unwrap_or("unknown").to_owned()));
        Sockets { names: names.collect(), descriptors }
    }

    /// Those of a name, or all that are left.
    pub(crate) fn take(&mut self, name: Option<&str>) -> Result<Vec<Socket>, String> {
        let wanted = |has: &Option<String>| match (has, name) {
            (Some(has), Some(name)) => has == name,
            (has, _) => has.is_some(),
        };
        let numbers: Vec<_> = (0..self.names.len()).filter(|number| wanted(&self.names[*number])).collect();
        if numbers.is_empty() {
            return Err(self.none(name));
        }
        let taken = numbers.into_iter().map(|number| {
            let name = self.names[number].take().unwrap_or_default();
            self.socket(number).map_err(|error| format!("the socket {name} of systemd: {error}"))
        });
        taken.collect()
    }

    /// Whoever connects to a socket that nobody takes would wait for ever.
    pub(crate) fn are_all_taken(&self) -> Result<(), String> {
        match self.names.iter().flatten().next() {
            None => Ok(()),
            Some(name) => Err(format!(
                "systemd hands over a socket {name} that no entry takes; add \"systemd:{name}\", or end its socket unit"
            )),
        }
    }

    fn none(&self, name: Option<&str>) -> String {
        let left: Vec<_> = self.names.iter().flatten().map(String::as_str).collect();
        match name {
            Some(name) if !left.is_empty() => format!(
                "systemd hands over no socket {name}, but {}; see FileDescriptorName= in the socket unit",
                left.join(", ")
            ),
            _ => "systemd hands over no socket; start the gate by its socket unit: systemctl enable --now postern-gate.socket"
                .to_owned(),
        }
    }

    fn socket(&mut self, number: usize) -> io::Result<Socket> {
        let unix = self.descriptors.take_unix_listener(number);
        if let Ok(Some(listener)) = unix {
            listens(&listener)?;
            listener.set_nonblocking(true)?;
            return Ok(Socket::Unix(listener));
        }
        match self.descriptors.take_tcp_listener(number) {
            Ok(Some(listener)) => {
                listens(&listener)?;
                listener.set_nonblocking(true)?;
                Ok(Socket::Tcp(listener))
            }
            _ => Err(io::Error::other(
                "it is neither TCP nor a unix stream; set ListenStream= in the socket unit",
            )),
        }
    }
}

/// Accept=yes hands over connections.
fn listens(socket: &impl AsFd) -> io::Result<()> {
    match getsockopt(socket, AcceptConn)? {
        true => Ok(()),
        false => Err(io::Error::other("it does not listen; set Accept=no in the socket unit")),
    }
}
