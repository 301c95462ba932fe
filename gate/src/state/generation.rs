//! What runs by one configuration: the site, its watch over the store, and what writes down. A reload starts
//! the next one before it ends this.

use super::admin_secret::AdminSecret;
use super::branding::Branding;
use super::exit::StopReason;
use super::site::Site;
use crate::http::cookies::CookieBuilder;
use crate::live::revocation_cache::RevocationCache;
use crate::live::store_pool::StorePool;
use crate::live::usage_writer::UsageWriter;
use crate::proxy::trusted_proxy::TrustedProxies;
use shared::config::{Config, check_gate};
use shared::policy::session_groups::RequestedGroups;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked whether the last request is done.
const LOOK: Duration = Duration::from_millis(20);

/// A web gate at work.
pub(crate) struct Generation {
    pub(crate) site: Arc<Site>,
    refresher: JoinHandle<()>,
    usage_writer: UsageWriter,
}

impl Generation {
    /// Starts it. MUST be called within the runtime.
    pub(crate) fn start(path: &Path, config: Config) -> Result<Generation, StopReason> {
        let read = || -> Result<_, String> {
            let Some(url) = config.gate.url.clone() else {
                return Err(format!(
                    "{}: gate.url is missing; set the URL at which browsers reach the gate",
                    path.display()
                ));
            };
            let secrets = check_gate(path, None, &config).map_err(|error| error.to_string())?;
            let believed = TrustedProxies::new(&config.gate, secrets);
            let look = Branding::read(&config)?;
            let administration = AdminSecret::read(&config)?;
            Ok((url, believed, look, administration))
        };
        let (url, believed, look, administration) = read().map_err(StopReason::Configuration)?;
        let (watch, watching) =
            RevocationCache::start(&config).map_err(|error| error.to_string())?;
        let site = Site {
            cookies: CookieBuilder::new(&config.gate, &url.path),
            url,
            own_path_sites: Vec::new(),
            branding: Arc::new(look),
            admin_secret: Arc::new(administration),
            trusted_proxies: Arc::new(believed),
            uncovered_hosts: Arc::default(),
            revocation_cache: Arc::new(watch),
            store_pool: StorePool::new(&config),
            requested_groups: Arc::new(RequestedGroups::from_config(&config)),
            config: Arc::new(config),
        };
        let site = Arc::new(site.with_own_paths());
        let secretary = UsageWriter::start(&site.config, site.revocation_cache.app_passwords());
        Ok(Generation {
            site,
            refresher: watching,
            usage_writer: secretary,
        })
    }

    /// Ends it when nobody else has the site any more, or when that took too long.
    pub(crate) fn end(self, patience: Duration) {
        let began = Instant::now();
        while Arc::strong_count(&self.site) > 1 && began.elapsed() < patience {
            std::thread::sleep(LOOK);
        }
        self.site.revocation_cache.end();
        self.usage_writer.end();
        // A panic there has nothing left to spoil.
        let _ = self.refresher.join();
    }
}
