//! Requests of the `postern` command about one account, and their replies. As root the command runs
//! them itself in an opened engine. Another user sends them to posternd over pam.sock, for their
//! own account only.
//!
//! The types state what a request needs: a [`Operation::Read`] nothing, a [`Operation::Change`] a
//! code, a [`Operation::Finish`] the token of a change. A first enrollment needs a password, since
//! there is no code yet.

pub use super::typed::TypedText;

use super::status::{AccountStatus, AuthenticatorState};
use crate::account::name::{Label, UserName};
use crate::credential::otp::totp::Algorithm;
use crate::store::BrowserRecord;
use crate::verify::decision::Refusal;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest {
    pub account: UserName,
    /// The operation of a request.
    #[serde(rename = "task")]
    pub operation: Operation,
}

/// The operation of a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    #[serde(rename = "look")]
    Read(ReadOperation),
    /// Changes the account, or begins a change. A user other than root proves the permission by a
    /// code.
    Change {
        /// A code of the account, or an administrator's one-time code for its first authenticator.
        code: Option<TypedText>,
        change: ChangeOperation,
    },
    /// Begins the first enrollment with the user's password on this host. A user with an
    /// administrator's one-time code sends a change instead.
    #[serde(rename = "first-setup")]
    FirstEnrollment {
        password: TypedText,
        setup: EnrollmentOperation,
    },
    /// Finishes what a change began.
    Finish(FinishOperation),
}

/// The list that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadOperation {
    Status,
    Authenticators,
    /// The browsers that the account trusts.
    Browsers,
}

/// The change of a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeOperation {
    /// Revokes one trusted browser, or all.
    RevokeBrowsers(Option<i64>),
    /// Removes one of several authenticators.
    RemoveAuthenticator(Label),
    /// Makes a new authenticator, which is not stored yet.
    #[serde(rename = "begin-setup")]
    BeginEnrollment(EnrollmentOperation),
    /// Makes new recovery codes, which are not stored yet.
    BeginRecoveryCodes,
}

/// Parameters of a new authenticator. Those that are not given have the values of `[totp]` in
/// postern.toml.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollmentOperation {
    pub kind: AuthenticatorKind,
    pub name: Label,
    /// Seed of a hardware token.
    pub seed: Option<TypedText>,
    /// First counter, for a counter-based authenticator.
    pub counter: Option<u64>,
    pub algorithm: Option<Algorithm>,
    pub digits: Option<u32>,
    /// Length of a time step in seconds.
    pub period: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticatorKind {
    /// The account has no second factor yet; recovery codes come with it.
    First,
    Further,
}

/// The way to finish a change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishOperation {
    /// Confirms the new authenticator by a code; it is not stored yet.
    Confirm {
        /// Token of [`ReplyBody::NewAuthenticator`].
        #[serde(rename = "ticket")]
        token: TypedText,
        /// The code of the new authenticator.
        code: TypedText,
    },
    /// Activates the authenticator and its recovery codes.
    Activate {
        /// Token of [`ReplyBody::Confirmed`].
        #[serde(rename = "ticket")]
        token: TypedText,
    },
    /// Activates the authenticator without a code, for an administrator.
    #[serde(rename = "vouch")]
    ActivateUnconfirmed {
        /// Token of [`ReplyBody::NewAuthenticator`].
        #[serde(rename = "ticket")]
        token: TypedText,
    },
    /// Replaces the old recovery codes with the new ones, which the user has saved.
    #[serde(rename = "keep-recovery-codes")]
    ReplaceRecoveryCodes {
        /// Token of [`ReplyBody::RecoveryCodes`].
        #[serde(rename = "ticket")]
        token: TypedText,
    },
}

/// A reply with its messages.
#[derive(Debug, Serialize, Deserialize)]
pub struct EngineReply {
    /// Messages of a success: wrong codes since the last login, recovery codes left.
    #[serde(rename = "told")]
    pub messages: Vec<String>,
    pub answer: ReplyBody,
}

/// The result of a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyBody {
    /// The operation is completed.
    Done,
    /// The operation is refused, with the message.
    Refused(String),
    Status(Box<AccountStatus>),
    /// The authenticators of the account, oldest first.
    Authenticators(Vec<AuthenticatorState>),
    /// The browsers that the account trusts, newest first.
    Browsers(Vec<BrowserRecord>),
    /// So many browsers are trusted no longer.
    Revoked(usize),
    /// A new authenticator, which is shown once.
    #[serde(rename = "setup")]
    NewAuthenticator(ShownAuthenticator),
    /// The code did not confirm the new authenticator; another code may.
    NotConfirmed(Refusal),
    /// The code confirmed the new authenticator.
    Confirmed {
        /// Token that activates the authenticator.
        #[serde(rename = "ticket")]
        token: TypedText,
    },
    /// New recovery codes, which are shown once.
    RecoveryCodes {
        codes: Vec<TypedText>,
        /// Token that activates the recovery codes.
        #[serde(rename = "ticket")]
        token: TypedText,
    },
}

/// A new authenticator, which is shown once.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShownAuthenticator {
    /// Secret in Base32.
    pub secret: TypedText,
    /// otpauth URI, the text of the QR code.
    pub url: TypedText,
    /// With the first authenticator, the recovery codes in groups.
    pub recovery_codes: Vec<TypedText>,
    /// Token that confirms the authenticator.
    #[serde(rename = "ticket")]
    pub token: TypedText,
}

impl From<ReplyBody> for EngineReply {
    fn from(answer: ReplyBody) -> EngineReply {
        EngineReply {
            messages: Vec::new(),
            answer,
        }
    }
}
