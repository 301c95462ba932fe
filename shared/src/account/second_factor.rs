//! Second factor of an account, as policy and pages need to know it.

use serde::{Deserialize, Serialize};

/// Whether codes mailed to the account open its doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailStatus {
    /// There is a confirmed address.
    On,
    /// There is none.
    Off,
}

/// What codes someone may type, apart from recovery codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeMethods {
    /// Those of an app or a token.
    App,
    /// Those, and mailed ones; with as much of the address as may be shown.
    AppOrMail(String),
    /// Mailed ones.
    Mail(String),
}

/// Whether the account has a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enrolled {
    /// At least one live authenticator, or a confirmed address that codes are mailed to.
    Yes,
    /// None. Before the first factor such an account, and a name without one, goes the same way with a decoy
    /// that never opens.
    No,
}

/// Whether the account has a second factor, as people read it.
impl std::fmt::Display for Enrolled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Enrolled::Yes => "on",
            Enrolled::No => "off",
        })
    }
}
