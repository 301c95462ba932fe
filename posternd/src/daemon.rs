//! The daemon's side of host.sock: greets whoever connects, and runs each conversation on a thread of its own.
//!
//! MUST NOT read, wait or look anything up on the thread that accepts.

use crate::conversation;
use crate::conversation::Reach;
use crate::conversations::Conversations;
use crate::drain::CONNECTIONS;
use crate::engines::{Engines, Origin, Worker};
use crate::remote_host::RemoteHost;
use crate::service::Service;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use shared::admission::Class;
use shared::host_process::HostProcess;
use shared::protocol::{
    Denial, FrameError, Greeting, HookResult, Opening, State, Transaction, VERSIONS, receive, send,
};
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Conversations at once, most of which wait for a person.
const CONVERSATIONS: usize = 1024;
/// Connections that have not said yet what they are about.
const OPENING: usize = 256;
/// How long such a connection may stay silent, and how long a module may take to accept a frame.
const PATIENCE: Duration = Duration::from_secs(5);
/// The stack of a conversation's thread, in bytes; memory is taken only as far as it is used.
const STACK: usize = 1024 * 1024;

/// Why a conversation ended without a result.
#[derive(Debug)]
enum Ended {
    Stream(FrameError),
    /// The peer is not root's.
    Peer(u32),
    /// Every place is taken by conversations that none may be ended for.
    Busy,
}

impl From<FrameError> for Ended {
    fn from(error: FrameError) -> Ended {
        Ended::Stream(error)
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        Ended::Stream(error.into())
    }
}

/// Has a service accept PAM hosts of effective user 0.
///
/// # Errors
/// Those of [`Service::accept`].
pub fn serve_hosts(service: &mut Service, listener: UnixListener) -> io::Result<()> {
    let conversations = Arc::new(Conversations::with_room_for(CONVERSATIONS));
    let opening = Arc::new(AtomicUsize::new(0));
    let engines = Engines::new();
    service.accept(listener, move |stream| {
        if opening.load(Ordering::Relaxed) >= OPENING {
            let _ = greet(&stream, State::Busy);
            return;
        }
        opening.fetch_add(1, Ordering::Relaxed);
        let (conversations, counted) = (Arc::clone(&conversations), Counted(Arc::clone(&opening)));
        let engines = Arc::clone(&engines);
        let stream = Arc::new(stream);
        let started =
            thread::Builder::new().name("conversation".to_owned()).stack_size(STACK).spawn(move || {
                let _connection = CONNECTIONS.enter(&stream);
                report(converse(&stream, &conversations, engines, counted));
            });
        if let Err(error) = started {
            eprintln!("posternd: a thread cannot be started: {error}");
        }
    })
}

/// One of the connections that have not said yet what they are about.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn report(ended: Result<(), Ended>) {
    match ended {
        Ok(()) | Err(Ended::Busy) => {}
        // a host that was killed, or a conversation that made room for another
        Err(Ended::Stream(FrameError::Stream(_))) => {}
        Err(Ended::Stream(error)) => eprintln!("posternd: a PAM host sent what cannot be read: {error}"),
        Err(Ended::Peer(uid)) => eprintln!("posternd: uid {uid} connected to the socket of root's PAM hosts"),
    }
}

fn greet(stream: &UnixStream, state: State) -> Result<(), FrameError> {
    stream.set_write_timeout(Some(PATIENCE))?;
    send(&mut &*stream, &Greeting { versions: VERSIONS.to_vec(), state })
}

/// A conversation, from the greeting to the result.
fn converse(
    stream: &Arc<UnixStream>,
    all: &Conversations<Origin>,
    engines: Arc<Engines>,
    opening: Counted,
) -> Result<(), Ended> {
    let peer = getsockopt(stream.as_ref(), PeerCredentials).map_err(io::Error::from)?;
    if peer.uid() != 0 {
        return Err(Ended::Peer(peer.uid()));
    }
    greet(stream, State::Ready)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let Opening::Host { version, transaction } = receive(&mut stream.as_ref())?;
    if !VERSIONS.contains(&version) {
        return Err(Ended::Stream(shared::protocol::Malformed("version").into()));
    }
    drop(opening);
    let (origin, proven) = (Origin::of(&transaction), has_proven(&transaction));
    let connection = Arc::clone(stream);
    let class = if proven { Class::Proven } else { Class::Stranger };
    let worker = Worker { engines, origin: origin.clone(), class };
    let place = all.enter(origin, proven, move || {
        // it may have ended by itself
        let _ = connection.shutdown(Shutdown::Both);
    });
    let Some(_place) = place else { return Err(Ended::Busy) };
    // a person takes as long as it takes
    stream.set_read_timeout(None)?;
    let host =
        RemoteHost::new(stream.as_ref(), *transaction, HostProcess::find(peer.pid()), Reach::Worker(worker));
    let (hook, options) = (host.transaction().hook, host.transaction().options.clone());
    let ran = panic::catch_unwind(AssertUnwindSafe(|| conversation::run(hook, &host, &options)));
    // the panic's own message stands in the log of the daemon
    host.end(ran.unwrap_or(HookResult::Denied(Denial::Unavailable)))?;
    Ok(())
}

impl Origin {
    fn of(transaction: &Transaction) -> Origin {
        let Transaction { real_uid, remote_host, service, .. } = transaction;
        match (real_uid, remote_host) {
            (0, Some(remote)) => Origin::Remote(remote.clone()),
            (0, None) => Origin::Service(service.clone().unwrap_or_default()),
            (uid, _) => Origin::User(*uid),
        }
    }
}

/// Whether the first factor has passed, as far as the host process says.
fn has_proven(transaction: &Transaction) -> bool {
    transaction.mark.is_some()
        || transaction.ssh_auth_info.as_ref().is_some_and(|said| !said.trim_ascii().is_empty())
        || transaction.options.iter().any(|option| option == "first_factor=passed")
}
