//! Warnings that acts leave for the log: about groups that no source knows, and about this host's
//! clock.

use crate::account::name::UserName;
use crate::engine::{Engine, messages};
use crate::verify::host_clock::ClockSuspicion;

/// Maximum number of warnings that wait to be logged; more are dropped.
const MAX_WARNINGS: usize = 64;

/// A warning, for the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineWarning {
    /// The cause in the log line, such as `group-unresolved`.
    pub cause: &'static str,
    pub text: String,
}

impl Engine {
    /// Returns and clears the warnings of the acts since the last call.
    pub fn take_warnings(&mut self) -> Vec<EngineWarning> {
        std::mem::take(&mut self.warnings)
    }

    pub(in crate::engine) fn add_warning(&mut self, cause: &'static str, text: String) {
        let warning = EngineWarning { cause, text };
        if self.warnings.len() < MAX_WARNINGS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// Returns why this host's clock is suspected, for administrators.
pub fn suspected_clock(suspicion: &ClockSuspicion, period: u64) -> String {
    let ClockSuspicion {
        error,
        steps,
        accounts,
    } = suspicion;
    let names: Vec<&str> = accounts.iter().take(10).map(UserName::as_str).collect();
    let more = match accounts.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "this host's clock is probably {} by about {}: within the last hour the codes of {}{more} were all off by about {steps} time steps",
        error.name(),
        messages::duration(steps.saturating_mul(period)),
        names.join(", "),
    )
}
