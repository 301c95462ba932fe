//! SIGHUP: postern.toml, certificates and secrets as they are now. Whatever is wrong with them leaves the gate as it runs.
//! Connections stay; each request goes by what there is when it comes.

use super::listener::Certificate;
use super::monitoring::Health;
use super::service_manager;
use crate::observe::log;
use crate::state::generation::Generation;
use crate::state::site::Site;
use arc_swap::ArcSwap;
use shared::config::{Config, file};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long requests that came before have, by what there was then.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a reload changes.
pub(crate) struct Reload {
    pub(crate) path: PathBuf,
    pub(crate) running: Generation,
    pub(crate) sites: Arc<ArcSwap<Site>>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) health: Arc<Health>,
}

impl Reload {
    /// Goes by the files of now. Blocks; MUST be called within the runtime.
    pub(crate) fn run(&mut self) {
        announced(&self.path.clone(), || {
            let renewed = self.renew();
            match &renewed {
                Ok(()) => self.health.goes_by_the_file(),
                Err(_) => self.health.goes_by_what_was(),
            }
            renewed
        });
    }

    fn renew(&mut self) -> Result<(), String> {
        let config = read(&self.path)?;
        let now = self.running.site.gate();
        if config.gate.listen != now.listen {
            return Err("gate.listen has changed; restart the gate".to_owned());
        }
        if config.gate.operations != now.operations {
            return Err("gate.operations has changed; restart the gate".to_owned());
        }
        if config.store != self.running.site.config.store {
            return Err("[store] has changed; restart the gate".to_owned());
        }
        let certificate = match (&self.certificate, &config.gate.tls) {
            (None, _) => None,
            (Some(_), Some(tls)) => Some(Certificate::read(tls)?),
            (Some(_), None) => {
                return Err("[gate.tls] is missing, and gate.listen needs it".to_owned());
            }
        };
        let next = Generation::start(&self.path, config).map_err(|stopped| stopped.to_string())?;
        // from here on nothing can fail
        log::configure(next.site.gate());
        self.sites.store(Arc::clone(&next.site));
        if let (Some(shown), Some(certificate)) = (&self.certificate, &certificate) {
            shown.becomes(certificate);
        }
        let before = std::mem::replace(&mut self.running, next);
        std::thread::spawn(move || before.end(PATIENCE));
        Ok(())
    }
}

/// The log and the service manager are told what comes of it.
fn announced(path: &Path, renew: impl FnOnce() -> Result<(), String>) {
    service_manager::is_reloading();
    match renew() {
        Ok(()) => log::write_message(format_args!("reloaded {}", path.display())),
        Err(why) => log::write_message(format_args!(
            "not reloaded, the previous configuration stays in force: {why}"
        )),
    }
    service_manager::is_ready();
}

/// A file that does not validate is no reason to go by an older copy: the gate has one in force.
fn read(path: &Path) -> Result<Config, String> {
    let in_force = file::load_config(path).map_err(|error| error.to_string())?;
    log::warn_if_copy_differs(path, &in_force);
    match in_force.fallback {
        Some(problem) => Err(problem.reason.with_remedy()),
        None => Ok(in_force.config),
    }
}
