//! The second factor of an account, as policy, pages and messages show it. Holds no secret.

use serde::{Deserialize, Serialize};

/// Whether mailed codes are accepted for the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailStatus {
    /// The account has a confirmed address.
    On,
    Off,
}

/// The kinds of codes that a user can enter, apart from recovery codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeMethods {
    /// Codes of an authenticator.
    App,
    /// Codes of an authenticator, and mailed codes; the text is the masked address.
    AppOrMail(String),
    /// Mailed codes; the text is the masked address.
    Mail(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enrolled {
    /// At least one active authenticator, or a confirmed address for mailed codes.
    Yes,
    /// No second factor. Before the first factor, such an account and a name without an account are
    /// handled alike, with a decoy that accepts no code.
    No,
}

/// The text in lists and on pages.
impl std::fmt::Display for Enrolled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Enrolled::Yes => "on",
            Enrolled::No => "off",
        })
    }
}
