//! The listener for hosts of a fleet: TLS, then requests of one host at a time on each connection. The
//! certificate of a host names its key, and the store says whether the key is one of a host that has
//! joined.
//!
//! MUST take the host from the key of its certificate, and nothing about it from a frame.
//! MUST NOT let a host choose the configuration.

use super::connection_limit::ConnectionLimit;
use super::fleet_connections::FleetConnections;
use super::fleet_conversation::{self, Served};
use super::host_activity::SeenHosts;
use super::own_tls::OwnTls;
use super::report_limit::ReportLimit;
use crate::daemon::configuration::CONFIGURATION;
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::log::log;
use crate::workers::engines::{Engines, Worker};
use crate::workers::origin::ClientOrigin;
use postern_shared::account::host::JoinedHost;
use postern_shared::config::{Config, FleetListener};
use postern_shared::crypto::fleet::authority::HostPublicKey;
use postern_shared::engine::{Engine, HostError};
use postern_shared::protocol::fleet::connection::FleetConnection;
use postern_shared::protocol::fleet::tls;
use postern_shared::protocol::fleet::{
    FLEET_VERSIONS, HostGreeting, HostRequest, HostStanding, ServerReply,
};
use postern_shared::protocol::{FrameError, receive, send};
use postern_shared::store::{HostActivity, HostRecord};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::system::thread_pool::ThreadPool;
use postern_shared::verify::break_glass::OfflineAccess;
use rustls::ServerConfig;
use std::fmt;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The interval at which the configuration is read, and connections of revoked hosts are ended.
const ROUND: Duration = Duration::from_millis(200);
/// Time limit of a handshake, and of a host that has not joined for its request.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Time limit of a host between two requests; a host sends a ping more often.
const IDLE: Duration = Duration::from_secs(60);
/// Connections of all hosts, and of one.
const OPEN: usize = 1024;
const OF_ONE_HOST: usize = 256;
/// Connections without a certificate so far, and of one address.
const OPENING: usize = 128;
const OF_ONE_ADDRESS: usize = 32;
const STACK: usize = 1024 * 1024;
const WAITING_THREADS: usize = 8;
/// Longest host name of a server, in characters.
const LONGEST_NAME: usize = 253;
/// The pause after a failed accept or a listener that cannot be opened.
const PAUSE: Duration = Duration::from_secs(1);

/// The state of the listener.
pub struct FleetSocket {
    config: PathBuf,
    /// Host name of this server.
    name: String,
    engines: Arc<Engines>,
    threads: ThreadPool,
    opening: ConnectionLimit<IpAddr>,
    open: ConnectionLimit<i64>,
    connections: FleetConnections,
    seen: SeenHosts,
    reports: ReportLimit,
    tls: Mutex<Option<OwnTls>>,
}

/// Why a connection was not served.
enum FleetRefusal {
    Network,
    Frame(FrameError),
    Unavailable(String),
}

impl From<FrameError> for FleetRefusal {
    fn from(error: FrameError) -> FleetRefusal {
        FleetRefusal::Frame(error)
    }
}

impl From<io::Error> for FleetRefusal {
    fn from(_: io::Error) -> FleetRefusal {
        FleetRefusal::Network
    }
}

impl FleetSocket {
    /// Starts the threads that accept hosts as long as `fleet.listen` is set, until the process
    /// drains.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(config: PathBuf) -> io::Result<()> {
        let socket = Arc::new(FleetSocket {
            config,
            name: own_name(),
            engines: Engines::new(),
            threads: ThreadPool::new("fleet", STACK, WAITING_THREADS),
            opening: ConnectionLimit::new(OPENING, OF_ONE_ADDRESS),
            open: ConnectionLimit::new(OPEN, OF_ONE_HOST),
            connections: FleetConnections::default(),
            seen: SeenHosts::default(),
            reports: ReportLimit::default(),
            tls: Mutex::default(),
        });
        let revoking = Arc::clone(&socket);
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        thread("fleet-revoked").spawn(move || revoking.end_revoked())?;
        thread("fleet-accept").spawn(move || socket.accept())?;
        Ok(())
    }

    fn accept(self: &Arc<FleetSocket>) {
        let mut listening: Option<(FleetListener, TcpListener)> = None;
        while !CONNECTIONS.is_draining() {
            let wanted = self.load_config().and_then(|config| config.fleet.listen);
            match (wanted, &listening) {
                (None, _) => listening = None,
                (Some(wanted), Some((address, _))) if wanted == *address => {}
                (Some(wanted), _) => listening = listen(wanted),
            }
            match &listening {
                Some((_, listener)) => self.accept_for(ROUND, listener),
                None => thread::sleep(ROUND),
            }
        }
    }

    fn load_config(&self) -> Option<Config> {
        CONFIGURATION
            .load_config(&self.config)
            .ok()
            .map(|in_force| in_force.config)
    }

    /// Accepts connections for a while. The listener does not block.
    fn accept_for(self: &Arc<FleetSocket>, within: Duration, listener: &TcpListener) {
        let until = Instant::now() + within;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match listener.accept() {
                Ok((socket, address)) => self.begin(socket, address),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if super::service::wait_for_input(listener, left).is_err() {
                        return thread::sleep(PAUSE);
                    }
                }
                Err(error) => {
                    log(format_args!("a host cannot be accepted: {error}"));
                    return thread::sleep(PAUSE);
                }
            }
        }
    }

    fn begin(self: &Arc<FleetSocket>, socket: TcpStream, peer: SocketAddr) {
        let address = peer.ip().to_canonical();
        let Ok(ended) = socket
            .set_nonblocking(false)
            .and_then(|()| socket.try_clone())
        else {
            return;
        };
        let end = move || drop(ended.shutdown(Shutdown::Both));
        // without a place, the host sees a closed connection and tries another server
        let Some(permit) = self.opening.admit_or_wait(address, end) else {
            return;
        };
        let served = Arc::clone(self);
        let started = self.threads.spawn(move || {
            if let Err(refusal) = served.serve(socket, move || drop(permit)) {
                report(address, &refusal);
            }
        });
        if let Err(error) = started {
            log(format_args!("a thread cannot be started: {error}"));
        }
    }

    /// Serves a connection. `identified` is called once the host is known.
    fn serve(&self, socket: TcpStream, identified: impl FnOnce()) -> Result<(), FleetRefusal> {
        let tls = self.tls()?;
        let connection = Arc::new(FleetConnection::accept(socket, tls, HANDSHAKE)?);
        let certificate = connection.peer_certificate();
        match certificate.as_ref().map(tls::public_key) {
            None => self.serve_joining(&connection),
            // the authority issues no certificate for such a key
            Some(None) => Ok(()),
            Some(Some(key)) => {
                let found = self.run(None, |engine, _| engine.hosts().find_joined_host(&key));
                identified();
                match found {
                    Err(error) => {
                        greet(&connection, HostStanding::Unavailable, &[], Timestamp(0))?;
                        Err(FleetRefusal::Unavailable(error))
                    }
                    Ok(None) => greet(&connection, HostStanding::Revoked, &[], Timestamp(0)),
                    Ok(Some(host)) => self.serve_host(&connection, &key, host),
                }
            }
        }
    }

    fn serve_joining(&self, connection: &FleetConnection) -> Result<(), FleetRefusal> {
        connection.set_timeout(Some(HANDSHAKE))?;
        greet(connection, HostStanding::Unknown, &[], Timestamp(0))?;
        let request: HostRequest = receive(&mut &*connection)?;
        let HostRequest::Join { secret, public_key } = request else {
            return Ok(());
        };
        let joined = self.run(None, |engine, now| {
            engine.hosts().join_host(&secret, &public_key, now)
        });
        let reply = match joined {
            Ok(joined) => {
                log(format_args!(
                    "the host {} has joined the fleet",
                    joined.host.name
                ));
                ServerReply::Joined {
                    name: joined.host.name.to_string(),
                    certificate: joined.certificate,
                    authority: joined.authority,
                }
            }
            Err(error) => ServerReply::Refused(error),
        };
        Ok(send(&mut &*connection, &reply)?)
    }

    fn serve_host(
        &self,
        connection: &Arc<FleetConnection>,
        key: &HostPublicKey,
        record: HostRecord,
    ) -> Result<(), FleetRefusal> {
        let (number, expires) = (record.number, record.expires);
        let host = JoinedHost {
            number,
            name: record.name,
        };
        let ended = connection.socket()?;
        let end = move || drop(ended.shutdown(Shutdown::Both));
        connection.set_timeout(Some(HANDSHAKE))?;
        let Some(_permit) = self.open.admit(number, true, end) else {
            return greet(connection, HostStanding::Busy, &[], expires);
        };
        let _registered = self.connections.register(number, connection.socket()?);
        let seen = self.seen.connect(number);
        greet(connection, HostStanding::Joined, &self.groups(), expires)?;
        loop {
            connection.set_timeout(Some(IDLE))?;
            let request = match receive(&mut connection.as_ref()) {
                Ok(request) => request,
                // the host has closed the connection, or was silent
                Err(FrameError::Stream(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            connection.set_timeout(Some(HANDSHAKE))?;
            match request {
                HostRequest::Ping | HostRequest::Release(_) => {
                    seen.hear(request.release());
                    let groups = self.groups();
                    send(&mut connection.as_ref(), &ServerReply::Pong { groups })?;
                }
                HostRequest::Renew => {
                    let renewed = self.run(Some(number), |engine, now| {
                        engine.hosts().renew_certificate(key, now)
                    });
                    let reply = match renewed {
                        Ok(certificate) => ServerReply::Renewed { certificate },
                        Err(error) => ServerReply::Refused(error),
                    };
                    send(&mut connection.as_ref(), &reply)?;
                }
                HostRequest::Report(accesses) => {
                    let reply = self.take_report(&host, &accesses);
                    send(&mut connection.as_ref(), &reply)?;
                }
                HostRequest::BreakGlass { held } => {
                    let reply = self.grant_offline(&host, held);
                    send(&mut connection.as_ref(), &reply)?;
                }
                HostRequest::Join { .. } => return Ok(()),
                HostRequest::Conversation(relayed) => {
                    let served = Served {
                        config: &self.config,
                        engines: &self.engines,
                        host: &host,
                    };
                    seen.hear(None);
                    fleet_conversation::run(connection, *relayed, &served, &seen)?;
                }
            }
        }
    }

    /// Logs what a host has accepted while no server answered.
    fn take_report(&self, host: &JoinedHost, accesses: &[OfflineAccess]) -> ServerReply {
        if !self.reports.admit(host.number, accesses.len()) {
            log(format_args!(
                "{} reports too many sign-ins of the time when no server answered; it is tried again later",
                host.name
            ));
            return ServerReply::Refused("too many reports of this host in a day".to_owned());
        }
        let logged = self.run(Some(host.number), |engine, now| {
            engine.hosts().report_offline(host, accesses, now)
        });
        match logged {
            Ok(()) => ServerReply::Reported,
            Err(error) => ServerReply::Refused(error),
        }
    }

    /// Returns what a host may decide while no server answers.
    fn grant_offline(&self, host: &JoinedHost, held: Option<[u8; 32]>) -> ServerReply {
        let granted = self.run(Some(host.number), |engine, now| {
            engine.hosts().grant_offline(host, held, now)
        });
        match granted {
            Ok(reply) => {
                if reply.lost {
                    log(format_args!(
                        "{0} has lost its break-glass codes, which are removed; make others with postern host break-glass {0}",
                        host.name
                    ));
                }
                ServerReply::Granted(reply.grant)
            }
            Err(error) => ServerReply::Refused(error),
        }
    }

    /// Returns the groups that the policy names.
    fn groups(&self) -> Vec<String> {
        let config = self.load_config();
        let names = config
            .iter()
            .flat_map(|config| config.policy.named_groups());
        names.map(str::to_owned).collect()
    }

    /// Runs an operation of a host that is no conversation. Returns the text of an error.
    fn run<R, E: fmt::Display>(
        &self,
        host: Option<i64>,
        operation: impl FnOnce(&mut Engine, Timestamp) -> Result<R, E>,
    ) -> Result<R, String> {
        let config = CONFIGURATION
            .load_config(&self.config)
            .map_err(|error| error.to_string())?
            .config;
        let now = clock::now().map_err(|error| error.to_string())?;
        let worker: Worker = self
            .engines
            .worker(ClientOrigin::Host(host), AdmissionClass::Familiar);
        let ran = worker.run_operation(&config, |engine| operation(engine, now));
        ran.map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
    }

    /// Returns the TLS configuration, with a certificate of the authority that the store has now.
    fn tls(&self) -> Result<Arc<ServerConfig>, FleetRefusal> {
        let now = clock::now().map_err(|error| FleetRefusal::Unavailable(error.to_string()))?;
        let current = self.run(None, |engine, _| engine.hosts().authority_certificate());
        let current = current.map_err(FleetRefusal::Unavailable)?;
        let mut made = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = &*made {
            if own.is_current(current.as_deref(), now) {
                return Ok(Arc::clone(&own.config));
            }
        }
        let identity = self
            .run(None, |engine, now| -> Result<_, HostError> {
                engine.hosts().server_identity(now)
            })
            .map_err(FleetRefusal::Unavailable)?;
        let authority = identity.chain.last().cloned();
        let authority = authority.ok_or(FleetRefusal::Unavailable("no authority".to_owned()))?;
        let config = tls::server_config(identity, &authority)
            .map_err(|error| FleetRefusal::Unavailable(error.to_string()))?;
        *made = Some(OwnTls {
            issued: now,
            authority,
            config: Arc::clone(&config),
        });
        Ok(config)
    }

    /// Ends the connections of hosts that were revoked, also in the middle of a conversation. That
    /// nothing is accepted through such a host does not depend on it: the engine refuses it in each
    /// transaction.
    fn end_revoked(&self) {
        while !CONNECTIONS.is_draining() {
            thread::sleep(ROUND);
            self.store_activity(self.seen.take_due(&self.name));
            if self.connections.is_empty() {
                continue;
            }
            // a store that cannot be read denies in each conversation
            if let Ok(joined) = self.run(None, |engine, _| engine.hosts().joined_numbers()) {
                for number in self.connections.end_all_but(&joined) {
                    log(format_args!(
                        "the host with number {number} was revoked; its connections are ended"
                    ));
                }
            }
        }
        self.store_activity(self.seen.take_at_end(&self.name));
    }

    fn store_activity(&self, seen: Vec<(u64, HostActivity)>) {
        if seen.is_empty() {
            return;
        }
        let all = seen.clone();
        let stored = self.run(None, |engine, now| {
            engine.hosts().record_host_activity(seen, now)
        });
        if let Err(error) = stored {
            self.seen.restore(all);
            log(format_args!(
                "what was seen of the hosts is not stored yet: {error}"
            ));
        }
    }
}

/// Returns the host name of this server, as `postern status --hosts` shows it.
fn own_name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy();
    match name.is_empty() {
        true => "unknown".to_owned(),
        false => name.chars().take(LONGEST_NAME).collect(),
    }
}

fn greet(
    connection: &FleetConnection,
    standing: HostStanding,
    groups: &[String],
    expires: Timestamp,
) -> Result<(), FleetRefusal> {
    let greeting = HostGreeting {
        versions: FLEET_VERSIONS.to_vec(),
        standing,
        groups: groups.to_vec(),
        expires,
    };
    Ok(send(&mut &*connection, &greeting)?)
}

fn listen(wanted: FleetListener) -> Option<(FleetListener, TcpListener)> {
    let address = wanted.address();
    let opened = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    match opened {
        Ok(listener) => {
            log(format_args!("hosts of the fleet connect to {address}"));
            Some((wanted, listener))
        }
        Err(error) => {
            log(format_args!(
                "fleet.listen: {address} cannot be opened: {error}; no host can connect"
            ));
            thread::sleep(PAUSE);
            None
        }
    }
}

fn report(peer: IpAddr, refusal: &FleetRefusal) {
    match refusal {
        // connections that end early, also those of port scanners
        FleetRefusal::Network | FleetRefusal::Frame(FrameError::Stream(_)) => {}
        FleetRefusal::Frame(error) => log(format_args!("{peer} sent an invalid frame: {error}")),
        FleetRefusal::Unavailable(error) => {
            log(format_args!("a host at {peer} is not served: {error}"));
        }
    }
}
