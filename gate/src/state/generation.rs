//! A configuration generation: its site, revocation cache and usage writer. A reload starts the
//! next generation before it ends this one.

use super::admin_secret::AdminSecret;
use super::branding::Branding;
use super::exit::StopReason;
use super::site::Site;
use crate::http::cookies::CookieBuilder;
use crate::live::revocation_cache::RevocationCache;
use crate::live::session_uses::SessionUses;
use crate::live::store_pool::StorePool;
use crate::live::usage_writer::UsageWriter;
use crate::proxy::trusted_proxy::TrustedProxies;
use postern_shared::config::{Config, check_gate};
use postern_shared::engine::{Engine, EngineError};
use postern_shared::policy::rule::IndexedRules;
use postern_shared::policy::session_groups::RequestedGroups;
use postern_shared::system::clock;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Interval of polling for open requests.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) struct Generation {
    pub(crate) site: Arc<Site>,
    refresher: JoinHandle<()>,
    usage_writer: UsageWriter,
}

impl Generation {
    /// Starts a generation, which continues with the last uses of sessions of the `previous` one.
    /// MUST be called within the runtime.
    pub(crate) fn start(
        path: &Path,
        config: Config,
        previous: Option<&Generation>,
    ) -> Result<Generation, StopReason> {
        let read = || -> Result<_, String> {
            let Some(url) = config.gate.url.clone() else {
                return Err(format!(
                    "{}: gate.url is missing; set the URL at which browsers reach the gate",
                    path.display()
                ));
            };
            let secrets = check_gate(path, None, &config).map_err(|error| error.to_string())?;
            let trusted_proxies = TrustedProxies::new(&config.gate, secrets);
            let branding = Branding::read(&config)?;
            let admin_secret = AdminSecret::read(&config)?;
            Ok((url, trusted_proxies, branding, admin_secret))
        };
        let (url, trusted_proxies, branding, admin_secret) =
            read().map_err(StopReason::Configuration)?;
        let (revocation_cache, refresher) =
            RevocationCache::start(&config).map_err(|error| error.to_string())?;
        let session_uses =
            start_session_uses(&config, previous).map_err(|error| error.to_string())?;
        let site = Site {
            cookies: CookieBuilder::new(&config.gate, &url.path),
            url,
            own_path_sites: Vec::new(),
            branding: Arc::new(branding),
            admin_secret: Arc::new(admin_secret),
            trusted_proxies: Arc::new(trusted_proxies),
            uncovered_hosts: Arc::default(),
            revocation_cache: Arc::new(revocation_cache),
            session_uses,
            store_pool: StorePool::new(&config),
            rules: Arc::new(IndexedRules::new(&config.gate.rule)),
            requested_groups: Arc::new(RequestedGroups::from_config(&config)),
            config: Arc::new(config),
        };
        let site = Arc::new(site.with_own_paths());
        let passwords = site.revocation_cache.app_passwords();
        let usage_writer = UsageWriter::start(&site.config, passwords, &site.session_uses);
        Ok(Generation {
            site,
            refresher,
            usage_writer,
        })
    }

    /// Ends the generation once no request uses its site, or after `patience`.
    pub(crate) fn stop(self, patience: Duration) {
        let began = Instant::now();
        while Arc::strong_count(&self.site) > 1 && began.elapsed() < patience {
            std::thread::sleep(POLL_INTERVAL);
        }
        self.site.revocation_cache.stop();
        self.usage_writer.stop();
        // The thread ends with this, so that its panic has no further effect.
        let _ = self.refresher.join();
    }
}

/// Returns the last uses of sessions, if `gate.idle_timeout` is set: those of the previous
/// generation, or else those that the store knows of.
fn start_session_uses(
    config: &Config,
    previous: Option<&Generation>,
) -> Result<Option<Arc<SessionUses>>, EngineError> {
    let Some(timeout) = config.gate.idle_timeout else {
        return Ok(None);
    };
    if let Some(uses) = previous.and_then(|previous| previous.site.session_uses.clone()) {
        return Ok(Some(uses));
    }
    let uses = SessionUses::new();
    // Without a clock no session is valid.
    if let Ok(now) = clock::now() {
        uses.load(&mut Engine::open(config.clone())?, timeout.seconds(), now)?;
    }
    Ok(Some(Arc::new(uses)))
}
