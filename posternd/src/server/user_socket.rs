//! pam.sock: PAM hosts and commands of users who are not root. Its limits, workers and threads are
//! its own, so that its clients never make a host of root's wait.
//!
//! MUST take the user from the kernel (SO_PEERCRED), and nothing about the requester from a frame.
//! MUST NOT read, wait or look anything up on the accepting thread.

#[cfg(test)]
mod tests;

use super::host_socket::{STACK, WAITING_THREADS};
use super::relayed_hook::{self, PATIENCE, greet};
use super::service::Daemon;
use super::user_limits::{Admitted, Arriving, UserLimits};
use crate::commands::host_password::HostPasswordHelper;
use crate::commands::run::UserCommand;
use crate::daemon::configuration::CONFIGURATION;
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::user_log::UserLog;
use crate::fleet::{FleetServers, RelayedModule, relay};
use crate::pam::hooks::{self, User};
use crate::pam::remote_host::{RemoteHost, drop_claims};
use crate::workers::engines::{Engines, Worker};
use crate::workers::origin::ClientOrigin;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use postern_shared::account::name;
use postern_shared::protocol::{
    FrameError, GreetingState, Opening, PamFunction, PamTransaction, Severity, receive, send,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::name_service::NameService;
use postern_shared::system::process::HostProcess;
use postern_shared::system::thread_pool::ThreadPool;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
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
    servers: FleetServers,
}

impl UserSocket {
    /// Returns the state, with this path of postern.toml. On a host of a fleet, the servers decide.
    pub fn new(config: &Path, servers: FleetServers) -> Arc<UserSocket> {
        Arc::new(UserSocket {
            config: config.to_owned(),
            peers: UserLimits::new(config),
            names: NameService::default(),
            engines: Engines::of_users(),
            passwords: HostPasswordHelper::new(),
            threads: ThreadPool::new("user", STACK, WAITING_THREADS),
            log: UserLog::default(),
            servers,
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
            let line = format!("a thread cannot be started: {error}");
            self.log.write(uid, Severity::Error, &line);
        }
    }

    fn admit(&self, stream: &Arc<UnixStream>, process: i32, arriving: Arriving) {
        match arriving.admit(stream) {
            // a peer that closes its own connection is not logged
            Err(state) => drop(greet(stream, state)),
            Ok(admitted) => {
                let uid = admitted.user.uid;
                match self.serve_admitted(stream, process, admitted) {
                    Ok(()) | Err(FrameError::Stream(_)) => {}
                    Err(error) => self.log_refusal(uid, &format!("an invalid frame: {error}")),
                }
            }
        }
    }

    fn log_refusal(&self, uid: u32, sent: &str) {
        let line = format!("refused on pam.sock: uid {uid} sent {sent}");
        self.log.write(uid, Severity::Notice, &line);
    }

    /// Serves a connection, from the greeting to the result. It counts against the limit until
    /// this returns.
    fn serve_admitted(
        &self,
        stream: &Arc<UnixStream>,
        process: i32,
        admitted: Admitted,
    ) -> Result<(), FrameError> {
        greet(stream, GreetingState::Ready)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let opening: Opening = receive(&mut stream.as_ref())?;
        let user = &admitted.user;
        // the name service distinguishes two classes
        let (class, name_class) = match user.is_service {
            true => (AdmissionClass::Authenticated, AdmissionClass::Authenticated),
            false => (AdmissionClass::Familiar, AdmissionClass::Unauthenticated),
        };
        let worker = self.engines.worker(ClientOrigin::User(user.uid), class);
        let _entered = self.names.attach_thread(name_class, user.uid.to_string());
        match opening {
            Opening::Host { .. } => {
                self.log_refusal(user.uid, "a frame of a kind that belongs to host.sock");
                Ok(())
            }
            Opening::UserHost { transaction, .. } => {
                let process = HostProcess::find(process);
                self.converse(stream, *transaction, process, (worker, user.clone()))
            }
            Opening::Command { request, .. } => {
                let command = UserCommand {
                    config: &self.config,
                    passwords: &self.passwords,
                    log: &self.log,
                    worker,
                    user,
                };
                send(&mut stream.as_ref(), &command.reply(&request))
            }
        }
    }

    fn converse(
        &self,
        stream: &Arc<UnixStream>,
        transaction: PamTransaction,
        process: HostProcess,
        (worker, user): (Worker, User),
    ) -> Result<(), FrameError> {
        let (hook, uid) = (transaction.hook, user.uid);
        let service = name::Service::from_pam(transaction.service.as_deref().unwrap_or_default());
        let program = format!("pam_totp({service}:{})", name_of(hook));
        let log =
            |severity, line: &str| self.log.write(uid, severity, &format!("{program}: {line}"));
        let mut options = transaction.options.clone();
        let names_file = options.iter().any(|option| option.starts_with("config="));
        let in_force = CONFIGURATION.load_config(&self.config);
        let fleet = in_force.map(|in_force| in_force.config.fleet).ok();
        if let Some(fleet) = fleet.filter(|fleet| fleet.is_host() && !names_file) {
            // the servers' policy applies, so this host names no service that states more
            let user = User {
                is_service: false,
                ..user
            };
            let module = RelayedModule {
                stream,
                id: process.identifier(),
                user_log: Some(&log),
            };
            return relay(
                module,
                drop_claims(transaction, &user),
                &fleet,
                &self.servers,
            );
        }
        // posternd's configuration is used: another path would reveal which files posternd can
        // read
        options.insert(0, format!("config={}", self.config.display()));
        let access = (worker, user);
        let host =
            RemoteHost::of_user(stream.as_ref(), transaction, process, access, Box::new(log));
        if names_file {
            let denied = hooks::refuse_config(&host, hook);
            return host.end(denied);
        }
        relayed_hook::run(stream, host, &options, |_| {})
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
