//! pam.sock: PAM hosts and commands of users who are not root. Its limits, workers and threads are
//! its own, so that its clients never make a host of root's wait.
//!
//! MUST take the user from the kernel (SO_PEERCRED), and nothing about the requester from a frame.
//! MUST NOT read, wait or look anything up on the accepting thread.

#[cfg(test)]
mod tests;

use super::host_socket::{PATIENCE, STACK, WAITING_THREADS, greet};
use super::service::Daemon;
use super::user_limits::{Admitted, Arriving, UserLimits};
use crate::commands::host_password::HostPasswordHelper;
use crate::commands::run::Commands;
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::user_log::UserLog;
use crate::pam::conversation::{self, User};
use crate::pam::remote_host::RemoteHost;
use crate::workers::engines::{Engines, Worker};
use crate::workers::origin::ClientOrigin;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use postern_shared::account::name;
use postern_shared::engine::set_wait_callback;
use postern_shared::protocol::{
    Denial, FrameError, Instruction, Opening, PamFunction, PamFunctionResult, PamTransaction,
    ServerState, Severity, receive, send,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::name_service::NameService;
use postern_shared::system::process::HostProcess;
use postern_shared::system::thread_pool::ThreadPool;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The state of pam.sock.
pub struct UserSocket {
    config: PathBuf,
    peers: Arc<UserLimits>,
    names: NameService,
    engines: Arc<Engines>,
    passwords: HostPasswordHelper,
    threads: ThreadPool,
    log: UserLog,
}

#[derive(Debug)]
enum UserSocketEnded {
    Stream(FrameError),
    /// The frame belongs to host.sock.
    OtherSocket,
}

impl<E: Into<FrameError>> From<E> for UserSocketEnded {
    fn from(error: E) -> UserSocketEnded {
        UserSocketEnded::Stream(error.into())
    }
}

impl UserSocket {
    /// Returns the state, with this path of postern.toml.
    pub fn new(config: &Path) -> Arc<UserSocket> {
        Arc::new(UserSocket {
            config: config.to_owned(),
            peers: UserLimits::new(config),
            names: NameService::default(),
            engines: Engines::of_users(),
            passwords: HostPasswordHelper::new(),
            threads: ThreadPool::new("user", STACK, WAITING_THREADS),
            log: UserLog::default(),
        })
    }

    /// Has the daemon accept PAM hosts and commands.
    ///
    /// # Errors
    /// Those of [`Daemon::accept`].
    pub fn serve(
        self: Arc<UserSocket>,
        daemon: &mut Daemon,
        listener: UnixListener,
    ) -> io::Result<()> {
        daemon.accept(listener, move |stream| self.meet(stream))
    }

    /// Serves a connection on a thread of its own, unless it is refused at once. Does not block.
    fn meet(self: &Arc<UserSocket>, stream: UnixStream) {
        let Ok(peer) = getsockopt(&stream, PeerCredentials) else {
            return;
        };
        let (uid, process) = (peer.uid(), peer.pid());
        let arriving = match self.peers.admit_connection(uid) {
            Ok(arriving) => arriving,
            // the buffer of a new socket has space for a greeting, so this does not block
            Err(state) => return drop(greet(&stream, state)),
        };
        let socket = Arc::clone(self);
        let started = self.threads.spawn(move || {
            let stream = Arc::new(stream);
            let _connection = CONNECTIONS.enter(&stream);
            socket.admit(&stream, process, arriving);
        });
        if let Err(error) = started {
            self.log.write(
                uid,
                Severity::Error,
                &format!("a thread cannot be started: {error}"),
            );
        }
    }

    fn admit(&self, stream: &Arc<UnixStream>, process: i32, arriving: Arriving) {
        match arriving.admit(stream) {
            // a peer that closes its own connection is not logged
            Err(state) => drop(greet(stream, state)),
            Ok(admitted) => {
                let uid = admitted.user.uid;
                match self.talk(stream, process, admitted) {
                    Ok(()) | Err(UserSocketEnded::Stream(FrameError::Stream(_))) => {}
                    Err(UserSocketEnded::Stream(error)) => {
                        let line = format!(
                            "refused on pam.sock: uid {uid} sent an invalid frame: {error}"
                        );
                        self.log.write(uid, Severity::Notice, &line);
                    }
                    Err(UserSocketEnded::OtherSocket) => {
                        let line = format!(
                            "refused on pam.sock: uid {uid} sent a frame of a kind that belongs to host.sock"
                        );
                        self.log.write(uid, Severity::Notice, &line);
                    }
                }
            }
        }
    }

    /// Serves a connection, from the greeting to the result. It counts against the limit until
    /// this returns.
    fn talk(
        &self,
        mut stream: &UnixStream,
        process: i32,
        admitted: Admitted,
    ) -> Result<(), UserSocketEnded> {
        greet(stream, ServerState::Ready)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let opening: Opening = receive(&mut stream)?;
        let user = &admitted.user;
        let class = if user.is_service {
            AdmissionClass::Authenticated
        } else {
            AdmissionClass::Familiar
        };
        let worker = Worker {
            engines: Arc::clone(&self.engines),
            origin: ClientOrigin::User(user.uid),
            class,
        };
        // the name service distinguishes two classes
        let class = if user.is_service {
            AdmissionClass::Authenticated
        } else {
            AdmissionClass::Unauthenticated
        };
        let _entered = self.names.attach_thread(class, user.uid.to_string());
        match opening {
            Opening::Host { .. } => Err(UserSocketEnded::OtherSocket),
            Opening::UserHost { transaction, .. } => {
                // a user may take any time at a prompt
                stream.set_read_timeout(None)?;
                let process = HostProcess::find(process);
                Ok(self.converse(stream, *transaction, process, (worker, user.clone()))?)
            }
            Opening::Command { request, .. } => {
                let Self {
                    config,
                    passwords,
                    log,
                    ..
                } = self;
                let reply = Commands {
                    config,
                    passwords,
                    log,
                    worker,
                    user,
                }
                .reply(&request);
                Ok(send(&mut stream, &reply)?)
            }
        }
    }

    fn converse(
        &self,
        stream: &UnixStream,
        transaction: PamTransaction,
        process: HostProcess,
        (worker, user): (Worker, User),
    ) -> Result<(), FrameError> {
        let hook = transaction.hook;
        let service = name::Service::from_pam(transaction.service.as_deref().unwrap_or_default());
        let uid = user.uid;
        let program = format!("pam_totp({service}:{})", name_of(hook));
        let log =
            |severity, line: &str| self.log.write(uid, severity, &format!("{program}: {line}"));
        let mut options = transaction.options.clone();
        let names_file = options.iter().any(|option| option.starts_with("config="));
        // posternd's configuration is used: another path would reveal which files posternd can
        // read
        options.insert(0, format!("config={}", self.config.display()));
        let host = RemoteHost::of_user(stream, transaction, process, (worker, user), Box::new(log));
        if names_file {
            let denied = conversation::refuse_config(&host, hook);
            return host.end(denied);
        }
        let module = stream.try_clone()?;
        let _waiting = set_wait_callback(move || {
            // a client that has gone is noticed at the next instruction
            let _ = send(&mut &module, &Instruction::StillWorking);
        });
        let ran = panic::catch_unwind(AssertUnwindSafe(|| {
            conversation::run_hook(hook, &host, &options)
        }));
        // the panic hook has logged its message
        host.end(ran.unwrap_or(PamFunctionResult::Denied(Denial::Unavailable)))
    }
}

/// Returns the name of a hook as pam_syslog(3) writes it.
fn name_of(hook: PamFunction) -> &'static str {
    match hook {
        PamFunction::Auth => "auth",
        PamFunction::Account => "account",
        PamFunction::Password => "chauthtok",
    }
}
