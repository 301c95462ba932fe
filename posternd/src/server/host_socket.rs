//! The daemon's side of host.sock: greets each client, and runs each conversation on a thread of
//! its own.
//!
//! MUST NOT wait for a peer, or look up a name, on the accepting thread. Its calls to the kernel
//! return at once.

use super::connection_limit::{ConnectionLimit, ConversationPermit};
use super::peer::{Connecting, PeerProcess, class_of};
use super::service::Daemon;
use crate::daemon::configuration::CONFIGURATION;
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::log::log;
use crate::pam::conversation::{self, EngineAccess};
use crate::pam::remote_host::RemoteHost;
use crate::workers::engines::{Engines, Worker};
use crate::workers::origin::ClientOrigin;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use postern_shared::engine::{WaitCallbackGuard, set_wait_callback};
use postern_shared::protocol::{
    Denial, FrameError, Greeting, Instruction, Opening, PamFunctionResult, ServerState, VERSIONS,
    receive, send,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::name_service::NameService;
use postern_shared::system::process::HostProcess;
use postern_shared::system::thread_pool::ThreadPool;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

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
/// Time limit of a peer for its opening, and of a module for receiving a frame.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// The stack of a conversation's thread, in bytes; memory is used only as far as it is touched.
pub(crate) const STACK: usize = 1024 * 1024;
/// Idle threads that are kept for later conversations.
pub(crate) const WAITING_THREADS: usize = 4;

#[derive(Debug)]
enum HostSocketEnded {
    Stream(FrameError),
    /// The peer does not run as root.
    Peer(u32),
    /// The frame belongs to pam.sock.
    OtherSocket,
    /// The connection limit is reached, and no conversation may be ended.
    Busy,
}

impl From<FrameError> for HostSocketEnded {
    fn from(error: FrameError) -> HostSocketEnded {
        HostSocketEnded::Stream(error)
    }
}

impl From<io::Error> for HostSocketEnded {
    fn from(error: io::Error) -> HostSocketEnded {
        HostSocketEnded::Stream(error.into())
    }
}

/// Has the daemon accept PAM hosts whose effective user is 0.
///
/// # Errors
/// Those of [`Daemon::accept`].
pub fn serve_hosts(daemon: &mut Daemon, listener: UnixListener) -> io::Result<()> {
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
            let _ = greet(&stream, ServerState::Busy);
            return;
        };
        let (conversations, engines, names) = (
            Arc::clone(&conversations),
            Arc::clone(&engines),
            names.clone(),
        );
        let connection = Arc::clone(&stream);
        let started = threads.spawn(move || {
            let _connection = CONNECTIONS.enter(&connection);
            report(converse(
                &connection,
                peer,
                &conversations,
                (engines, names),
                place,
            ));
        });
        if let Err(error) = started {
            log(format_args!("a thread cannot be started: {error}"));
            let _ = greet(&stream, ServerState::Busy);
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

fn report(ended: Result<(), HostSocketEnded>) {
    match ended {
        Ok(()) | Err(HostSocketEnded::Busy) => {}
        // the host was killed, or the conversation was ended for another
        Err(HostSocketEnded::Stream(FrameError::Stream(_))) => {}
        Err(HostSocketEnded::Stream(error)) => {
            log(format_args!("a PAM host sent an invalid frame: {error}"))
        }
        Err(HostSocketEnded::OtherSocket) => {
            log(format_args!(
                "refused on host.sock: a frame of a kind that belongs to pam.sock"
            ));
        }
        Err(HostSocketEnded::Peer(uid)) => log(format_args!(
            "uid {uid} connected to the socket of root's PAM hosts"
        )),
    }
}

pub(crate) fn greet(stream: &UnixStream, state: ServerState) -> Result<(), FrameError> {
    stream.set_write_timeout(Some(PATIENCE))?;
    send(
        &mut &*stream,
        &Greeting {
            versions: VERSIONS.to_vec(),
            state,
        },
    )
}

/// Runs a conversation, from the greeting to the result.
fn converse(
    stream: &Arc<UnixStream>,
    peer: PeerProcess,
    all: &ConnectionLimit<ClientOrigin>,
    (engines, names): (Arc<Engines>, NameService),
    opening: ConversationPermit<Connecting>,
) -> Result<(), HostSocketEnded> {
    if peer.effective_uid != 0 {
        return Err(HostSocketEnded::Peer(peer.effective_uid));
    }
    greet(stream, ServerState::Ready)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let Opening::Host {
        transaction, id, ..
    } = receive(&mut stream.as_ref())?
    else {
        return Err(HostSocketEnded::OtherSocket);
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
    let worker = Worker {
        engines,
        origin: origin.clone(),
        class,
    };
    // the name service distinguishes two classes
    let _entered = names.attach_thread(
        if proven {
            AdmissionClass::Authenticated
        } else {
            AdmissionClass::Unauthenticated
        },
        format!("{origin:?}"),
    );
    let Some(_place) = all.admit(origin, proven, ends(stream)) else {
        return Err(HostSocketEnded::Busy);
    };
    // a user may take any time at a prompt
    stream.set_read_timeout(None)?;
    let host = RemoteHost::new(
        stream.as_ref(),
        *transaction,
        HostProcess::find(peer.process).in_transaction(id),
        EngineAccess::Worker(worker),
    );
    let _waiting = says_still_working(stream);
    let (hook, options) = (host.transaction().hook, host.transaction().options.clone());
    let ran = panic::catch_unwind(AssertUnwindSafe(|| {
        conversation::run_hook(hook, &host, &options)
    }));
    // the panic hook has logged its message
    host.end(ran.unwrap_or(PamFunctionResult::Denied(Denial::Unavailable)))?;
    Ok(())
}

/// Tells the module that an operation of this thread still waits.
fn says_still_working(stream: &Arc<UnixStream>) -> WaitCallbackGuard {
    let stream = Arc::clone(stream);
    set_wait_callback(move || {
        // a module that has gone is noticed at the next instruction
        let _ = send(&mut stream.as_ref(), &Instruction::StillWorking);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_shared::engine::report_waiting;
    use std::thread;

    /// A revocation waits for the lease of a gate, and the module gives up after ten seconds of
    /// silence.
    #[test]
    fn the_module_hears_that_an_act_which_waits_is_still_working() {
        let (module, daemon) = UnixStream::pair().unwrap();
        module
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let acts = thread::spawn(move || {
            let daemon = Arc::new(daemon);
            let waiting = says_still_working(&daemon);
            for _ in 0..250 {
                report_waiting();
                thread::sleep(Duration::from_millis(10));
            }
            drop(waiting);
            report_waiting();
        });
        let heard: Instruction = receive(&mut &module).unwrap();
        assert_eq!(heard, Instruction::StillWorking);
        acts.join().unwrap();
        let more = receive::<Instruction>(&mut &module);
        assert!(matches!(more, Err(FrameError::Stream(_))), "{more:?}");
    }
}
