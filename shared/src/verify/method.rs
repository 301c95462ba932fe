//! Authentication methods: by what a person signed in.

use super::decision::Consumed;
use serde::{Deserialize, Serialize};

/// By what someone got in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticationMethod {
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

impl From<Consumed> for AuthenticationMethod {
    fn from(spent: Consumed) -> AuthenticationMethod {
        match spent {
            Consumed::Step(..) => AuthenticationMethod::Code,
            Consumed::RecoveryCode(_) => AuthenticationMethod::RecoveryCode,
            Consumed::OneTimeCode => AuthenticationMethod::OneTimeCode,
            Consumed::MailedCode => AuthenticationMethod::MailedCode,
        }
    }
}

impl AuthenticationMethod {
    /// The word in logs.
    pub fn name(self) -> &'static str {
        match self {
            AuthenticationMethod::Code => "code",
            AuthenticationMethod::MailedCode => "mailed-code",
            AuthenticationMethod::RecoveryCode => "recovery-code",
            AuthenticationMethod::OneTimeCode => "one-time-code",
            AuthenticationMethod::TrustedBrowser => "trusted-browser",
            AuthenticationMethod::Password => "password",
            AuthenticationMethod::Identity => "identity",
        }
    }
}
