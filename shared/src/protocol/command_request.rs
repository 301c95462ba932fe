//! Errands: what is asked about an account, and what is answered. Root's command runs them itself, at an opened
//! door; whoever is not root sends them to posternd over pam.sock, for their own account only.
//!
//! The types say what needs what: a [`Look`] nothing, a [`Change`] a code, a [`Finish`] the ticket that a change gave;
//! a first setup a password, where there is no code yet.

pub use super::typed::TypedText;

use super::status::{AccountStatus, AuthenticatorState};
use crate::account::name::{Label, UserName};
use crate::credential::totp::Algorithm;
use crate::store::BrowserRecord;
use crate::verify::decision::Refusal;
use serde::{Deserialize, Serialize};

/// One errand.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest {
    /// Whose account it is about.
    pub account: UserName,
    /// What is to be done.
    pub task: Operation,
}

/// What is to be done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Shown.
    Look(ReadOperation),
    /// Changed, or begun; whoever is not root proves that they may.
    Change {
        /// A code of the account; for its first authenticator an administrator's one-time code.
        code: Option<TypedText>,
        /// What.
        change: ChangeOperation,
    },
    /// A first authenticator is begun by someone who proves themselves with their password on this host. Who has an
    /// administrator's one-time code sends a change.
    FirstSetup {
        /// The password.
        password: TypedText,
        /// What the authenticator is to be like.
        setup: EnrollmentOperation,
    },
    /// What a change began is finished.
    Finish(FinishOperation),
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadOperation {
    /// How the account stands.
    Status,
    /// Its authenticators.
    Authenticators,
    /// The browsers that it trusts.
    Browsers,
}

/// What is changed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeOperation {
    /// One trusted browser is trusted no longer, or all.
    RevokeBrowsers(Option<i64>),
    /// One of several authenticators goes.
    RemoveAuthenticator(Label),
    /// A new authenticator is made, which nothing keeps yet.
    BeginSetup(EnrollmentOperation),
    /// New recovery codes are made, which nothing keeps yet.
    BeginRecoveryCodes,
}

/// What an authenticator is to be like; what postern.toml says under `[totp]` if not given.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollmentOperation {
    /// Whether it is the first one.
    pub kind: AuthenticatorKind,
    /// What the person calls it.
    pub name: Label,
    /// The seed of a hardware token.
    pub seed: Option<TypedText>,
    /// By counter, from this one on.
    pub counter: Option<u64>,
    /// The hash.
    pub algorithm: Option<Algorithm>,
    /// Digits of a code.
    pub digits: Option<u32>,
    /// Length of a time step, in seconds.
    pub period: Option<u64>,
}

/// Which authenticator of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticatorKind {
    /// The first: there is no second factor yet, and recovery codes come with it.
    First,
    /// One more.
    Further,
}

/// How what was begun is finished.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishOperation {
    /// A code of the new authenticator confirms it; nothing keeps it yet.
    Confirm {
        /// What [`Answer::Setup`] gave.
        ticket: TypedText,
        /// The code that it shows.
        code: TypedText,
    },
    /// It becomes active, with its recovery codes.
    Activate {
        /// What [`Answer::Confirmed`] gave.
        ticket: TypedText,
    },
    /// It becomes active without a code: an administrator vouches.
    Vouch {
        /// What [`Answer::Setup`] gave.
        ticket: TypedText,
    },
    /// The new recovery codes are saved, and take the place of the old ones.
    KeepRecoveryCodes {
        /// What [`Answer::RecoveryCodes`] gave.
        ticket: TypedText,
    },
}

/// An answer, and what there is to tell beside it.
#[derive(Debug, Serialize, Deserialize)]
pub struct EngineReply {
    /// What a success brings: wrong codes since the last one, recovery codes left.
    pub told: Vec<String>,
    /// The answer.
    pub answer: ReplyBody,
}

/// What came of an errand.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyBody {
    /// It is done.
    Done,
    /// It is not, and why.
    Refused(String),
    /// How the account stands.
    Status(Box<AccountStatus>),
    /// Its authenticators, oldest first.
    Authenticators(Vec<AuthenticatorState>),
    /// The browsers that it trusts, newest first.
    Browsers(Vec<BrowserRecord>),
    /// So many browsers are trusted no longer.
    Revoked(usize),
    /// A new authenticator, shown once.
    Setup {
        /// The secret, in Base32.
        secret: TypedText,
        /// The text of the QR.
        url: TypedText,
        /// With the first one, the recovery codes as people read them.
        recovery_codes: Vec<TypedText>,
        /// What confirms it.
        ticket: TypedText,
    },
    /// The code did not confirm the new authenticator, and why; another one may.
    NotConfirmed(Refusal),
    /// It did.
    Confirmed {
        /// What activates it.
        ticket: TypedText,
    },
    /// New recovery codes, shown once.
    RecoveryCodes {
        /// As people read them.
        codes: Vec<TypedText>,
        /// What makes them good.
        ticket: TypedText,
    },
}

impl From<ReplyBody> for EngineReply {
    fn from(answer: ReplyBody) -> EngineReply {
        EngineReply {
            told: Vec::new(),
            answer,
        }
    }
}
