//! Authentication methods (RFC 8176 calls them `amr`): how an account signed in, for logs and
//! tokens.

use super::decision::Consumed;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticationMethod {
    Code,
    MailedCode,
    RecoveryCode,
    OneTimeCode,
    Passkey,
    /// A passkey as both factors.
    PasskeyAlone,
    /// A one-time code for PAM prompts, which a passkey has made.
    PasskeyCode,
    /// A passkey at the web, for the prompt of a PAM service.
    Approval,
    /// The first factor, in a browser that the account trusts.
    TrustedBrowser,
    /// A password alone, where no second factor is required.
    Password,
    /// An identity that a trusted proxy has established, where no second factor is required.
    Identity,
}

impl From<Consumed> for AuthenticationMethod {
    fn from(consumed: Consumed) -> AuthenticationMethod {
        match consumed {
            Consumed::Step(..) => AuthenticationMethod::Code,
            Consumed::RecoveryCode(_) => AuthenticationMethod::RecoveryCode,
            Consumed::OneTimeCode => AuthenticationMethod::OneTimeCode,
            Consumed::PasskeyCode => AuthenticationMethod::PasskeyCode,
            Consumed::MailedCode => AuthenticationMethod::MailedCode,
        }
    }
}

impl AuthenticationMethod {
    /// Returns the name in logs.
    pub fn name(self) -> &'static str {
        match self {
            AuthenticationMethod::Code => "code",
            AuthenticationMethod::MailedCode => "mailed-code",
            AuthenticationMethod::RecoveryCode => "recovery-code",
            AuthenticationMethod::OneTimeCode => "one-time-code",
            AuthenticationMethod::Passkey => "passkey",
            AuthenticationMethod::PasskeyAlone => "passkey-alone",
            AuthenticationMethod::PasskeyCode => "passkey-code",
            AuthenticationMethod::Approval => "approval",
            AuthenticationMethod::TrustedBrowser => "trusted-browser",
            AuthenticationMethod::Password => "password",
            AuthenticationMethod::Identity => "identity",
        }
    }
}
