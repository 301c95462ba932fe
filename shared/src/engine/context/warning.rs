//! Warnings that acts leave for the log: about groups that no source knows, and about this host's
//! clock.

use crate::engine::Engine;

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
