//! pam.sock: PAM hosts and commands of users who are not root. Its places, workers and threads are its own, so that
//! whatever comes here makes no host of root's wait.
//!
//! - `peers`: who connects, and how many connections each user has
//! - `commands`: what a command asks
//! - `passwords`: whether a password of this host is right
//! - `log`: the lines, so many of each user
//!
//! MUST take the user from the kernel (SO_PEERCRED), and nothing about who asks from a frame.
//! MUST NOT read, wait or look anything up on the thread that accepts.

#[cfg(test)]
mod tests;

use super::host_socket::{PATIENCE, STACK, WAITING_THREADS, greet};
use super::service::Daemon;
use super::user_limits::{Admitted, Arriving, UserLimits};
use crate::commands::host_password::Passwords;
use crate::commands::run::Commands;
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::user_log::UserLog;
use crate::pam::conversation::{self, User};
use crate::pam::remote_host::RemoteHost;
use crate::workers::engines::{Engines, Worker};
use crate::workers::origin::ClientOrigin;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use shared::account::name;
use shared::engine::set_wait_callback;
use shared::protocol::{
    Denial, FrameError, Instruction, Opening, PamFunction, PamFunctionResult, PamTransaction,
    ServerState, Severity, receive, send,
};
use shared::system::admission::Class;
use shared::system::name_service::NameService;
use shared::system::process::HostProcess;
use shared::system::thread_pool::ThreadPool;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What serves pam.sock.
pub struct UserSocket {
    config: PathBuf,
    peers: Arc<UserLimits>,
    names: NameService,
    engines: Arc<Engines>,
    passwords: Passwords,
    threads: ThreadPool,
    log: UserLog,
}

/// Why a connection ended without a result.
#[derive(Debug)]
enum UserSocketEnded {
    Stream(FrameError),
    /// What it sent is for host.sock.
    OtherSocket,
}

impl<E: Into<FrameError>> From<E> for UserSocketEnded {
    fn from(error: E) -> UserSocketEnded {
        UserSocketEnded::Stream(error.into())
    }
}

impl UserSocket {
    /// Goes by this postern.toml.
    pub fn new(config: &Path) -> Arc<UserSocket> {
        Arc::new(UserSocket {
            config: config.to_owned(),
            peers: UserLimits::new(config),
            names: NameService::default(),
            engines: Engines::of_users(),
            passwords: Passwords::new(),
            threads: ThreadPool::new("user", STACK, WAITING_THREADS),
            log: UserLog::default(),
        })
    }

    /// Has a service accept PAM hosts and commands.
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

    /// Has a connection served on a thread of its own, unless it is turned away at once. Does not block.
    fn meet(self: &Arc<UserSocket>, stream: UnixStream) {
        let Ok(peer) = getsockopt(&stream, PeerCredentials) else {
            return;
        };
        let (uid, process) = (peer.uid(), peer.pid());
        let arriving = match self.peers.meet(uid) {
            Ok(arriving) => arriving,
            // a new socket has room for a greeting: this does not wait
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
            // what a peer does to its own connection is no news
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

    /// A connection, from the greeting to the result. It has its place for so long.
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
            Class::Authenticated
        } else {
            Class::Familiar
        };
        let worker = Worker {
            engines: Arc::clone(&self.engines),
            origin: ClientOrigin::User(user.uid),
            class,
        };
        // the name service knows two classes
        let class = if user.is_service {
            Class::Authenticated
        } else {
            Class::Unauthenticated
        };
        let _entered = self.names.attach_thread(class, user.uid.to_string());
        match opening {
            Opening::Host { .. } => Err(UserSocketEnded::OtherSocket),
            Opening::UserHost { transaction, .. } => {
                // a person takes as long as it takes
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
        // the configuration is posternd's; anybody's would tell what posternd can read
        options.insert(0, format!("config={}", self.config.display()));
        let host = RemoteHost::of_user(stream, transaction, process, (worker, user), Box::new(log));
        if names_file {
            let denied = conversation::refuse_config(&host, hook);
            return host.end(denied);
        }
        let module = stream.try_clone()?;
        let _waiting = set_wait_callback(move || {
            // whoever has gone is noticed with the next instruction
            let _ = send(&mut &module, &Instruction::StillWorking);
        });
        let ran = panic::catch_unwind(AssertUnwindSafe(|| {
            conversation::run(hook, &host, &options)
        }));
        // the panic's own message stands in the log
        host.end(ran.unwrap_or(PamFunctionResult::Denied(Denial::Unavailable)))
    }
}

/// As pam_syslog names the hooks.
fn name_of(hook: PamFunction) -> &'static str {
    match hook {
        PamFunction::Auth => "auth",
        PamFunction::Account => "account",
        PamFunction::Password => "chauthtok",
    }
}
