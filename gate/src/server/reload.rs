//! Reload at SIGHUP: reads postern.toml, certificates and secrets again. An invalid file leaves the
//! running generation in force.
//!
//! Connections stay open; each request uses the generation at its arrival.

use super::listener::Certificate;
use super::monitoring::Health;
use super::service_manager;
use crate::observe::log;
use crate::state::generation::Generation;
use crate::state::site::Site;
use arc_swap::ArcSwap;
use postern_shared::config::{Config, file};
use postern_shared::engine::{Engine, OtherRelyingParty};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Time that open requests have to finish with the old generation.
const OLD_GENERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that a reload replaces.
pub(crate) struct Reload {
    pub(crate) path: PathBuf,
    pub(crate) generation: Generation,
    pub(crate) site: Arc<ArcSwap<Site>>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) health: Arc<Health>,
}

impl Reload {
    /// Reloads the files. Blocks. MUST be called within the runtime.
    pub(crate) fn reload(&mut self) {
        report_reload(&self.path.clone(), || {
            let renewed = self.replace_generation();
            match &renewed {
                Ok(()) => self.health.set_configuration_current(),
                Err(_) => self.health.set_configuration_outdated(),
            }
            renewed
        });
    }

    fn replace_generation(&mut self) -> Result<(), String> {
        let config = read_config(&self.path)?;
        let current = self.generation.site.gate();
        if config.gate.listen != current.listen {
            return Err("gate.listen has changed; restart the gate".to_owned());
        }
        if config.gate.operations != current.operations {
            return Err("gate.operations has changed; restart the gate".to_owned());
        }
        if config.store != self.generation.site.config.store {
            return Err("[store] has changed; restart the gate".to_owned());
        }
        if config.relying_party() != self.generation.site.config.relying_party() {
            if let Some(other) = find_other_relying_party(&config)? {
                return Err(format!("{other}; {}", other.remedy()));
            }
        }
        let certificate = match (&self.certificate, &config.gate.tls) {
            (None, _) => None,
            (Some(_), Some(tls)) => Some(Certificate::read(tls)?),
            (Some(_), None) => {
                return Err("[gate.tls] is missing, and gate.listen needs it".to_owned());
            }
        };
        let next = Generation::start(&self.path, config, Some(&self.generation))
            .map_err(|stopped| stopped.to_string())?;
        // From here on nothing can fail.
        log::configure(next.site.gate());
        self.site.store(Arc::clone(&next.site));
        if let (Some(in_use), Some(certificate)) = (&self.certificate, &certificate) {
            in_use.replace_with(certificate);
        }
        let previous = std::mem::replace(&mut self.generation, next);
        std::thread::spawn(move || previous.stop(OLD_GENERATION_TIMEOUT));
        Ok(())
    }
}

/// Returns the relying party of the passkeys that are there, if the configuration has another one.
pub(crate) fn find_other_relying_party(
    config: &Config,
) -> Result<Option<OtherRelyingParty>, String> {
    let mut engine = Engine::open(config.clone()).map_err(|error| error.to_string())?;
    let other = engine.passkeys().other_relying_party();
    other.map_err(|error| error.to_string())
}

/// Reports the result to the log and the service manager.
fn report_reload(path: &Path, renew: impl FnOnce() -> Result<(), String>) {
    service_manager::notify_reloading();
    match renew() {
        Ok(()) => log::write_message(format_args!("reloaded {}", path.display())),
        Err(why) => log::write_message(format_args!(
            "not reloaded, the previous configuration stays in force: {why}"
        )),
    }
    service_manager::notify_ready();
}

/// Reads the file, and refuses an older copy in place of an invalid file: the gate has a valid
/// configuration in force.
fn read_config(path: &Path) -> Result<Config, String> {
    let in_force = file::load_config(path).map_err(|error| error.to_string())?;
    log::warn_if_copy_differs(path, &in_force);
    match in_force.fallback {
        Some(problem) => Err(problem.reason.with_remedy()),
        None => Ok(in_force.config),
    }
}
