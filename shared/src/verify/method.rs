//! Authentication methods: by what a person signed in.

use super::decision::Spent;
use serde::{Deserialize, Serialize};

/// By what someone got in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// A code of an authenticator.
    Code,
    /// A mailed code.
    MailedCode,
    /// A recovery code.
    RecoveryCode,
    /// An administrator's one-time code.
    OneTimeCode,
    /// The first factor, in a browser that the account trusts.
    TrustedBrowser,
    /// The first factor alone, where no code is needed: a password,
    Password,
    /// or the identity that a trusted proxy has established.
    Identity,
}

impl From<Spent> for Means {
    fn from(spent: Spent) -> Means {
        match spent {
            Spent::Step(..) => Means::Code,
            Spent::RecoveryCode(_) => Means::RecoveryCode,
            Spent::OneTimeCode => Means::OneTimeCode,
            Spent::MailedCode => Means::MailedCode,
        }
    }
}

impl Means {
    /// The word in logs.
    pub fn name(self) -> &'static str {
        match self {
            Means::Code => "code",
            Means::MailedCode => "mailed-code",
            Means::RecoveryCode => "recovery-code",
            Means::OneTimeCode => "one-time-code",
            Means::TrustedBrowser => "trusted-browser",
            Means::Password => "password",
            Means::Identity => "identity",
        }
    }
}
