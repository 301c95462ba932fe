//! The servers of a fleet, as a host reaches them: one connection to each is kept open, and the first
//! server that answers is used. One that has failed is tried last for a while.
//!
//! MUST bound every wait: a PAM host waits at most ten seconds for its first prompt.

use super::offline_sync;
use super::wrong_codes::WrongCodes;
use crate::daemon::configuration::CONFIGURATION;
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::log::log;
use postern_shared::config::{FleetConfig, ServerUrl};
use postern_shared::protocol::fleet::connection::FleetConnection;
use postern_shared::protocol::fleet::files::{self, HostFiles, RENEWED};
use postern_shared::protocol::fleet::tls;
use postern_shared::protocol::fleet::{
    FLEET_VERSIONS, HostGreeting, HostRequest, HostStanding, RELEASE_VERSION, ReleaseName,
    ServerReply, newest_common_version,
};
use postern_shared::protocol::{receive, send};
use postern_shared::system::clock::{self, Timestamp};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Time limit of a connection with its handshake, and of the greeting.
const CONNECT: Duration = Duration::from_millis(1500);
const GREETING: Duration = Duration::from_secs(2);
/// How long a server that has failed is tried after the others.
const DOWN: Duration = Duration::from_secs(10);
/// The interval at which an idle connection is tried. A server closes one after a minute.
const PING: Duration = Duration::from_secs(15);
/// The interval at which the thread looks whether the process ends.
const ROUND: Duration = Duration::from_millis(500);
/// Idle connections that are kept to each server.
const IDLE: usize = 4;
/// Remaining lifetime of a certificate, in seconds, at which it is renewed.
const RENEWAL: u64 = 60 * 24 * 3600;

/// A connection to a server that has accepted this host.
pub(super) struct ServerConnection {
    pub(super) url: ServerUrl,
    pub(super) connection: FleetConnection,
    /// The newest version of the protocol that both speak.
    pub(super) version: u16,
    /// The groups that the server's policy names.
    pub(super) groups: Vec<String>,
    /// Whether it was open before: the server may have gone since.
    pub(super) was_idle: bool,
    /// Whether the server was told the version of this host's Postern, once for each connection.
    has_stated_release: bool,
    /// When the certificate of this host expires.
    pub(super) expires: Timestamp,
}

/// Why there is no connection to a server.
pub(super) enum ConnectFailure {
    NoAnswer(String),
    /// The server answers, and has no place for one more connection of this host. Users of the host
    /// can bring that about.
    Busy,
    /// The server answers, and does not accept this host.
    Revoked,
}

impl ConnectFailure {
    /// Whether the server has answered. Then it has decided, and the host decides nothing itself.
    pub(super) fn is_answer(&self) -> bool {
        match self {
            ConnectFailure::NoAnswer(_) => false,
            ConnectFailure::Busy | ConnectFailure::Revoked => true,
        }
    }
}

impl From<String> for ConnectFailure {
    fn from(error: String) -> ConnectFailure {
        ConnectFailure::NoAnswer(error)
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConnectFailure::NoAnswer(error) => error,
            ConnectFailure::Busy => "it has too many connections of this host",
            ConnectFailure::Revoked => {
                "this host was revoked; have it join again with postern host join"
            }
        })
    }
}

/// The servers of this host.
#[derive(Clone, Default)]
pub struct FleetServers {
    state: Arc<Mutex<HashMap<ServerUrl, ServerState>>>,
    wrong: Arc<WrongCodes>,
    /// The last reason that was logged.
    unsynchronized: Arc<Mutex<Option<String>>>,
}

#[derive(Default)]
struct ServerState {
    idle: Vec<ServerConnection>,
    failed: Option<Instant>,
    /// When the server ended a conversation in its middle. That says nothing of whether it answers.
    ended: Option<Instant>,
    /// The last reason that was logged.
    reported: Option<String>,
}

impl FleetServers {
    /// Starts the thread that keeps a connection to each server, and renews the certificate, while the
    /// configuration names servers.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(config: PathBuf) -> io::Result<FleetServers> {
        let servers = FleetServers::default();
        let kept = servers.clone();
        let thread = thread::Builder::new().name("fleet-servers".to_owned());
        thread.spawn(move || kept.keep_connections(&config))?;
        Ok(servers)
    }

    fn state(&self) -> MutexGuard<'_, HashMap<ServerUrl, ServerState>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the wrong codes while no server answered.
    pub(super) fn wrong_codes(&self) -> &WrongCodes {
        &self.wrong
    }

    /// Returns whether every server has failed a moment ago.
    pub(super) fn have_all_failed(&self, fleet: &FleetConfig) -> bool {
        let state = self.state();
        fleet.servers.iter().all(|url| is_down(&state, url))
    }

    /// Returns the servers in the order in which they are tried: those that have just failed are last.
    pub(super) fn in_order(&self, fleet: &FleetConfig) -> Vec<ServerUrl> {
        let state = self.state();
        let mut urls = fleet.servers.clone();
        urls.sort_by_key(|url| is_down(&state, url) || has_just_ended(&state, url));
        urls
    }

    /// Returns an idle connection to a server, or opens one.
    ///
    /// # Errors
    /// Why there is none, as text.
    pub(super) fn connect(
        &self,
        fleet: &FleetConfig,
        url: &ServerUrl,
    ) -> Result<ServerConnection, ConnectFailure> {
        let idle = self.state().get_mut(url).and_then(|known| known.idle.pop());
        match idle {
            Some(connection) => Ok(connection),
            None => self.open(fleet, url),
        }
    }

    /// Opens a connection to a server.
    ///
    /// # Errors
    /// Why there is none, as text.
    pub(super) fn open(
        &self,
        fleet: &FleetConfig,
        url: &ServerUrl,
    ) -> Result<ServerConnection, ConnectFailure> {
        let tls = tls_config(fleet, Some(Path::new(RENEWED))).map_err(ConnectFailure::from);
        let opened = tls.and_then(|tls| connect(url, tls));
        match &opened {
            Ok(_) => self.report(url, None),
            Err(error) => self.report(url, Some(&error.to_string())),
        }
        if let Err(ConnectFailure::Revoked) = &opened {
            if let Err(error) = offline_sync::remove_grant(fleet) {
                log(format_args!(
                    "the break-glass codes of this host are not removed: {error}"
                ));
            }
        }
        opened
    }

    /// Has a server tried last for a while, since it ended a conversation in its middle. It does not
    /// count as one that has failed: a user can bring that about.
    pub(super) fn set_back(&self, url: &ServerUrl) {
        let mut state = self.state();
        state.entry(url.clone()).or_default().ended = Some(Instant::now());
    }

    /// Records whether a server answers, and logs a change.
    pub(super) fn report(&self, url: &ServerUrl, error: Option<&str>) {
        let mut state = self.state();
        let known = state.entry(url.clone()).or_default();
        known.failed = error.map(|_| Instant::now());
        let before = std::mem::replace(&mut known.reported, error.map(str::to_owned));
        if let Some(error) = error {
            known.idle.clear();
            if before.as_deref() != Some(error) {
                log(format_args!("the server {url} is not used: {error}"));
            }
        } else if before.is_some() {
            log(format_args!("the server {url} answers again"));
        }
    }

    /// Keeps a connection for the next conversation.
    pub(super) fn keep(&self, connection: ServerConnection) {
        let mut state = self.state();
        let known = state.entry(connection.url.clone()).or_default();
        if known.idle.len() < IDLE {
            known.idle.push(ServerConnection {
                was_idle: true,
                ..connection
            });
        }
    }

    fn keep_connections(&self, config: &Path) {
        let mut next = Instant::now();
        while !CONNECTIONS.is_draining() {
            thread::sleep(ROUND);
            if Instant::now() < next {
                continue;
            }
            let Ok(in_force) = CONFIGURATION.load_config(config) else {
                continue;
            };
            let fleet = in_force.config.fleet;
            if !fleet.is_host() {
                continue;
            }
            next = Instant::now() + PING;
            for url in &fleet.servers {
                self.keep_connection(&fleet, url);
            }
            self.synchronize(&fleet);
            self.state().retain(|url, _| fleet.servers.contains(url));
        }
    }

    /// Reports to a server what this host has accepted while none answered, and takes over what it may
    /// decide next time.
    pub fn synchronize(&self, fleet: &FleetConfig) {
        for url in self.in_order(fleet) {
            let idle = self
                .state()
                .get_mut(&url)
                .and_then(|known| known.idle.pop());
            let Some(server) = idle else { continue };
            match offline_sync::synchronize(fleet, &server) {
                Ok(()) => {
                    self.log_unsynchronized(None);
                    return self.keep(server);
                }
                // the connection may be in the middle of a reply
                Err(error) => self.log_unsynchronized(Some(format!("{url}: {error}"))),
            }
        }
    }

    /// Logs a change of the reason why there is nothing to decide by.
    fn log_unsynchronized(&self, error: Option<String>) {
        let mut last = self
            .unsynchronized
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = error.as_ref().filter(|_| error != *last) {
            log(format_args!(
                "what this host may decide while no server answers is not up to date: {error}"
            ));
        }
        *last = error;
    }

    /// Tries the idle connections to a server, or opens one, and renews the certificate over it.
    fn keep_connection(&self, fleet: &FleetConfig, url: &ServerUrl) {
        let idle = self
            .state()
            .get_mut(url)
            .map(|known| std::mem::take(&mut known.idle));
        let mut tried: Vec<_> = idle.into_iter().flatten().filter_map(ping).collect();
        if tried.is_empty() {
            // which states the version of this host
            tried.extend(self.open(fleet, url).ok().and_then(ping));
        }
        let now = clock::now().ok();
        for connection in tried {
            let ends = now.is_some_and(|now| connection.expires < now.plus(RENEWAL));
            match ends {
                // the next connection shows the new certificate
                true => renew(fleet, &connection),
                false => self.keep(connection),
            }
        }
    }
}

fn tls_config(fleet: &FleetConfig, renewed: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let files = HostFiles::read(fleet, renewed).map_err(|error| error.to_string())?;
    tls::host_config(files.identity, &files.authority).map_err(|error| {
        format!("the key and the certificate of this host cannot be used: {error}; have it join again with postern host join")
    })
}

fn is_down(state: &HashMap<ServerUrl, ServerState>, url: &ServerUrl) -> bool {
    let failed = state.get(url).and_then(|known| known.failed);
    failed.is_some_and(|at| at.elapsed() < DOWN)
}

fn has_just_ended(state: &HashMap<ServerUrl, ServerState>, url: &ServerUrl) -> bool {
    let ended = state.get(url).and_then(|known| known.ended);
    ended.is_some_and(|at| at.elapsed() < DOWN)
}

fn connect(url: &ServerUrl, tls: Arc<ClientConfig>) -> Result<ServerConnection, ConnectFailure> {
    let text = |error: io::Error| error.to_string();
    let connection = FleetConnection::connect(&url.authority(), tls, CONNECT).map_err(text)?;
    connection.set_timeout(Some(GREETING)).map_err(text)?;
    let greeting: HostGreeting = receive(&mut &connection).map_err(|error| error.to_string())?;
    let version = accepted_version(&greeting)?;
    Ok(ServerConnection {
        url: url.clone(),
        connection,
        groups: greeting.groups,
        was_idle: false,
        has_stated_release: version < RELEASE_VERSION,
        version,
        expires: greeting.expires,
    })
}

/// Returns the version to speak with a server that accepts this host.
fn accepted_version(greeting: &HostGreeting) -> Result<u16, ConnectFailure> {
    let refusal = match (greeting.standing, newest_common_version(&greeting.versions)) {
        (HostStanding::Joined, Some(version)) => return Ok(version),
        (HostStanding::Joined, None) => version_refusal(&greeting.versions),
        (HostStanding::Busy, _) => return Err(ConnectFailure::Busy),
        (HostStanding::Unknown | HostStanding::Revoked, _) => return Err(ConnectFailure::Revoked),
        (HostStanding::Unavailable, _) => "it cannot read its store; see its log",
    };
    Err(refusal.to_owned().into())
}

/// Returns which side is to be upgraded, where they speak no common version.
fn version_refusal(theirs: &[u16]) -> &'static str {
    match theirs.iter().max() < FLEET_VERSIONS.iter().max() {
        true => "it speaks an older version of the protocol; upgrade the server",
        false => "it speaks a newer version of the protocol; upgrade this host",
    }
}

/// Returns the connection, if its server answers.
fn ping(mut connection: ServerConnection) -> Option<ServerConnection> {
    connection.connection.set_timeout(Some(GREETING)).ok()?;
    let request = match connection.has_stated_release {
        true => HostRequest::Ping,
        false => HostRequest::Release(ReleaseName::own()),
    };
    send(&mut &connection.connection, &request).ok()?;
    match receive(&mut &connection.connection).ok()? {
        ServerReply::Pong { groups } => {
            connection.groups = groups;
            connection.has_stated_release = true;
            Some(connection)
        }
        _ => None,
    }
}

/// Renews the certificate. It is used once a server has accepted it.
fn renew(fleet: &FleetConfig, connection: &ServerConnection) {
    let renewed = request_certificate(connection)
        .and_then(|certificate| write_renewed(&certificate))
        .and_then(|()| {
            let tls = tls_config(fleet, Some(Path::new(RENEWED)))?;
            let connected = connect(&connection.url, tls);
            connected.map(drop).map_err(|error| error.to_string())
        });
    match renewed {
        Ok(()) => log("the certificate of this host was renewed"),
        Err(error) => {
            // the certificate that the host joined with is used on
            let _ = write_renewed_text("");
            log(format_args!(
                "the certificate of this host is not renewed: {error}"
            ));
        }
    }
}

fn request_certificate(connection: &ServerConnection) -> Result<CertificateDer<'static>, String> {
    let stream = &connection.connection;
    send(&mut &*stream, &HostRequest::Renew).map_err(|error| error.to_string())?;
    match receive(&mut &*stream).map_err(|error| error.to_string())? {
        ServerReply::Renewed { certificate } => Ok(certificate.into()),
        ServerReply::Refused(why) => Err(why),
        _ => Err("an unexpected reply of the server".to_owned()),
    }
}

fn write_renewed(certificate: &CertificateDer<'_>) -> Result<(), String> {
    write_renewed_text(&files::to_pem(certificate)).map_err(|error| format!("{RENEWED}: {error}"))
}

/// Writes into the file that `postern host join` has made: posternd can make none in that folder.
fn write_renewed_text(text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(RENEWED)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The attack: a user of the host has each server end a conversation, so that a security key would
    /// pass without a code.
    #[test]
    fn a_server_that_ended_a_conversation_is_tried_last_and_has_not_failed() {
        let urls = ["https://a:1", "https://b:1"].map(|url| url.parse::<ServerUrl>().unwrap());
        let fleet = FleetConfig {
            servers: urls.to_vec(),
            ..FleetConfig::default()
        };
        let servers = FleetServers::default();
        servers.set_back(&urls[0]);
        assert!(servers.in_order(&fleet) == [urls[1].clone(), urls[0].clone()]);
        servers.set_back(&urls[1]);
        assert!(servers.in_order(&fleet) == urls);
        assert!(!servers.have_all_failed(&fleet));
        servers.report(&urls[0], Some("refused"));
        assert!(servers.in_order(&fleet) == urls);
        servers.report(&urls[1], Some("refused"));
        assert!(servers.have_all_failed(&fleet));
    }

    /// The attack: a user of the host fills its connections at every server, so that a security key
    /// would pass without a code.
    #[test]
    fn a_server_that_is_full_or_has_revoked_this_host_has_answered() {
        for (standing, answers) in [
            (HostStanding::Busy, true),
            (HostStanding::Unknown, true),
            (HostStanding::Revoked, true),
            (HostStanding::Unavailable, false),
        ] {
            let greeting = HostGreeting {
                versions: FLEET_VERSIONS.to_vec(),
                standing,
                groups: Vec::new(),
                expires: Timestamp(0),
            };
            let refused = accepted_version(&greeting).unwrap_err();
            assert_eq!(refused.is_answer(), answers, "{refused}");
        }
    }
}
