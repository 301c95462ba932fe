//! The daemon's side of host.sock: greets each client, and runs each conversation on a thread of
//! its own.
//!
//! MUST NOT wait for a peer, or look up a name, on the accepting thread. Its calls to the kernel
//! return at once.

use super::connection_limit::{ConnectionLimit, ConversationPermit};
use super::peer::{Connecting, PeerProcess, class_of};
use super::relayed_hook::{self, PATIENCE, greet};
use super::service::Daemon;
use crate::daemon::configuration::CONFIGURATION;
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::log::log;
use crate::fleet::{FleetServers, RelayedModule, relay, relay_here};
use crate::pam::hooks::EngineAccess;
use crate::pam::remote_host::RemoteHost;
use crate::workers::engines::Engines;
use crate::workers::origin::ClientOrigin;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use postern_shared::config::DEFAULT_PATH;
use postern_shared::protocol::{FrameError, GreetingState, Opening, receive};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::name_service::NameService;
use postern_shared::system::process::HostProcess;
use postern_shared::system::thread_pool::ThreadPool;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

/// Conversations at the same time, most of which wait for a user.
const CONVERSATIONS: usize = 1024;
/// The limit of one origin before the first factor, and after it.
const OF_ONE_ORIGIN: usize = 256;
/// Connections that have not sent their opening, and the limit of one user among them.
const OPENING: usize = 256;
const OF_ONE_USER: usize = 64;
/// Descriptors besides those of conversations: of pam.sock, the listeners, the log, and the
/// engines' files.
const OTHER_DESCRIPTORS: u64 = 1024;
/// The stack of a conversation's thread, in bytes; memory is used only as far as it is touched.
pub(crate) const STACK: usize = 1024 * 1024;
/// Idle threads that are kept for later conversations.
pub(crate) const WAITING_THREADS: usize = 4;

/// Has the daemon accept PAM hosts whose effective user is 0.
///
/// # Errors
/// Those of [`Daemon::accept`].
pub fn serve_hosts(
    daemon: &mut Daemon,
    listener: UnixListener,
    servers: FleetServers,
) -> io::Result<()> {
    raise_descriptor_limit();
    let conversations = Arc::new(ConnectionLimit::new(CONVERSATIONS, OF_ONE_ORIGIN));
    let opening = ConnectionLimit::new(OPENING, OF_ONE_USER);
    let (engines, names) = (Engines::new(), NameService::default());
    let threads = ThreadPool::new("conversation", STACK, WAITING_THREADS);
    daemon.accept(listener, move |stream| {
        let stream = Arc::new(stream);
        let Ok(peer) = PeerProcess::of(&stream) else {
            return;
        };
        let Some(place) = opening.admit_or_wait(peer.connecting(), ends(&stream)) else {
            let _ = greet(&stream, GreetingState::Busy);
            return;
        };
        let conversations = Arc::clone(&conversations);
        let shared = (Arc::clone(&engines), names.clone(), servers.clone());
        let connection = Arc::clone(&stream);
        let started = threads.spawn(move || {
            let _connection = CONNECTIONS.enter(&connection);
            report(converse(&connection, peer, &conversations, shared, place));
        });
        if let Err(error) = started {
            log(format_args!("a thread cannot be started: {error}"));
            let _ = greet(&stream, GreetingState::Busy);
        }
    })
}

/// Returns a function that ends a connection.
pub(crate) fn ends(stream: &Arc<UnixStream>) -> impl Fn() + Send + use<> {
    let stream = Arc::clone(stream);
    move || {
        // the peer may have closed the connection
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Raises the limit of descriptors to the connection limit: without a descriptor, connections of
/// every origin would wait.
fn raise_descriptor_limit() {
    let needed = (CONVERSATIONS + OPENING) as u64 + OTHER_DESCRIPTORS;
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < needed {
            setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard)?;
        }
        Ok(hard.max(soft))
    });
    match raised {
        Ok(most) if most >= needed => {}
        Ok(most) => log(format_args!(
            "the limit on open files is {most}; set LimitNOFILE={needed} or more"
        )),
        Err(error) => log(format_args!(
            "the limit on open files cannot be raised: {error}"
        )),
    }
}

fn report(ended: Result<(), FrameError>) {
    match ended {
        // the host was killed, or the conversation was ended for another
        Ok(()) | Err(FrameError::Stream(_)) => {}
        Err(error) => log(format_args!("a PAM host sent an invalid frame: {error}")),
    }
}

/// Runs a conversation, from the greeting to the result.
fn converse(
    stream: &Arc<UnixStream>,
    peer: PeerProcess,
    all: &ConnectionLimit<ClientOrigin>,
    (engines, names, servers): (Arc<Engines>, NameService, FleetServers),
    opening: ConversationPermit<Connecting>,
) -> Result<(), FrameError> {
    if peer.effective_uid != 0 {
        let uid = peer.effective_uid;
        log(format_args!(
            "uid {uid} connected to the socket of root's PAM hosts"
        ));
        return Ok(());
    }
    greet(stream, GreetingState::Ready)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let Opening::Host {
        transaction, id, ..
    } = receive(&mut stream.as_ref())?
    else {
        log("refused on host.sock: a frame of a kind that belongs to pam.sock");
        return Ok(());
    };
    drop(opening);
    // the configuration in memory; the conversation loads the one in force
    let (origin, class) = CONFIGURATION.with_pam_config(|pam| {
        (
            ClientOrigin::of(&transaction, peer, pam),
            class_of(&transaction, pam),
        )
    });
    let proven = class != AdmissionClass::Unauthenticated;
    let worker = engines.worker(origin.clone(), class);
    // the name service distinguishes two classes
    let name_class = match proven {
        true => AdmissionClass::Authenticated,
        false => AdmissionClass::Unauthenticated,
    };
    let _entered = names.attach_thread(name_class, format!("{origin:?}"));
    let Some(_permit) = all.admit(origin, proven, ends(stream)) else {
        // the connection limit is reached, and no conversation may be ended
        return Ok(());
    };
    // without a configuration, the conversation itself denies and says why
    let in_force = CONFIGURATION.load_config(Path::new(DEFAULT_PATH));
    let fleet = in_force.as_ref().map(|in_force| &in_force.config.fleet);
    if let Some(fleet) = fleet.ok().filter(|fleet| relay_here(fleet, &transaction)) {
        let module = RelayedModule {
            stream,
            id,
            user_log: None,
        };
        return relay(module, *transaction, fleet, &servers);
    }
    let process = HostProcess::find(peer.process).in_transaction(id);
    let access = EngineAccess::Worker(worker);
    let host = RemoteHost::new(stream.as_ref(), *transaction, process, access)
        .with_configuration(in_force);
    let options = host.transaction().options.clone();
    relayed_hook::run(stream, host, &options, |_| {})
}
