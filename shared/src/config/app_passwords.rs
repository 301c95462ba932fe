//! `[app_passwords]`: what becomes of them. Where they are good stands in `[gate.scope.NAME]`, see [`super::gate`].

use serde::{Deserialize, Serialize};

/// `[app_passwords]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppPasswordConfig {
    /// What a new password, and the second factor turned on or off, does to those that an account has.
    pub on_change: OnChange,
}

impl Default for AppPasswordConfig {
    /// Whoever changes a password may do it because somebody else had it, who could have made one for themselves.
    fn default() -> AppPasswordConfig {
        AppPasswordConfig {
            on_change: OnChange::Revoke,
        }
    }
}

/// `app_passwords.on_change`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnChange {
    /// They go on working.
    Keep,
    /// They end.
    Revoke,
}
