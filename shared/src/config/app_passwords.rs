//! `[app_passwords]`: the effect of other changes on app passwords.
//! Where app passwords are accepted is set in `[gate.scope.NAME]`, see [`super::gate`].

use serde::{Deserialize, Serialize};

/// `[app_passwords]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppPasswordConfig {
    /// What happens to the app passwords of an account when its password changes, or its second
    /// factor is activated or removed.
    pub on_change: OnChange,
}

impl Default for AppPasswordConfig {
    /// Revokes: a user may change a password because another person knew it, who could have made an
    /// app password.
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
    Keep,
    Revoke,
}
