//! Signing in at the web: the first factor, then the code, then a session; or the first factor alone in a browser that
//! the account trusts. Each step is one transaction, and the session's row is written with what it spends.
//!
//! There are three ways to the one point where a first factor has passed (`first_factor`): the password that the store
//! keeps, one that PAM judges, and the identity that a trusted proxy has established. What comes then is in `next`.

pub(super) mod admission;
pub(super) mod code;
pub(super) mod error;
pub(super) mod first_factor;
pub(super) mod groups;
pub(super) mod known_browser;
pub(super) mod new_session;
pub(super) mod next;
pub(super) mod proof;
pub(super) mod refresh;
pub(super) mod step_up;
pub(super) mod token_validity;
pub(super) mod upgrade;

pub use admission::LoginClass;
pub use error::LoginError;
pub use first_factor::FirstFactorAttempt;
pub(super) use groups::HostGroups;
pub(super) use known_browser::TrustedBrowserProof;
pub use step_up::AfterStepUp;

use super::{AfterRecovery, AppPasswordsAfter, EnrollmentToken};
use crate::account::name::OtherSpelling;
use crate::crypto::vault::TokenKeys;
use crate::policy::rule::RuleName;
use crate::store::MissedInputs;
use crate::token::session::{Session, SessionId};
use crate::token::{LoginToken, StepUpToken};
use crate::verify::decision::Refusal;
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// The name of this door in logs and policies.
pub const SERVICE: &str = "web";

/// A browser at the gate.
pub struct BrowserContext<'a> {
    /// Where from.
    pub origin: &'a Origin,
    /// What it calls itself.
    pub name: &'a str,
    /// Its cookie of a trusted browser, if it sent one.
    pub cookie: Option<&'a str>,
    /// The host or domain that a session is to be good for.
    pub scope: &'a str,
    /// The page that it came from, if a rule may say what that takes.
    pub page: Option<RequestedPage<'a>>,
    /// The session that it has: over when another begins.
    pub session: Option<SessionId>,
}

/// A page behind the gate.
#[derive(Clone, Copy, Debug)]
pub struct RequestedPage<'a> {
    /// In lower case, without port and trailing dot.
    pub host: &'a str,
    /// The path, with or without a query.
    pub target: &'a str,
}

/// Whether the browser is to be trusted from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustRequest {
    /// Yes.
    Asked,
    /// No.
    NotAsked,
}

/// A session that has begun.
pub struct OpenedSession {
    /// The session; its row is in the store.
    pub session: Session,
    /// By what.
    pub method: AuthenticationMethod,
    /// What spared the code.
    pub code_skipped: Option<CodeSkipped>,
    /// What signs its cookie: the keys of the transaction that opened it, so that it ends with them.
    pub keys: TokenKeys,
    /// The browser's new cookie, if it is trusted.
    pub browser_cookie: Option<Zeroizing<String>>,
    /// The proof for critical acts that the sign-in was, if it was one.
    pub step_up: Option<StepUpToken>,
    /// Wrong codes since the last sign-in.
    pub missed: Option<MissedInputs>,
    /// What the use of a recovery code left.
    pub recovery: Option<AfterRecovery>,
    /// What became of app passwords, at the end of a setup.
    pub app_passwords: AppPasswordsAfter,
    /// The revision that ended the session before, which gates have to confirm.
    pub(super) ended: Option<u64>,
}

/// What spares someone the code, by its position in postern.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSkipped {
    /// An exemption.
    Exemption(usize),
    /// The rule of the page.
    Rule(usize),
}

impl OpenedSession {
    /// By what, as logs name it.
    pub fn cause(&self) -> Cow<'static, str> {
        match self.code_skipped {
            Some(CodeSkipped::Exemption(rule)) => format!("policy.exempt-{rule}").into(),
            Some(CodeSkipped::Rule(rule)) => RuleName(Some(rule)).to_string().into(),
            None => self.method.name().into(),
        }
    }
}

/// What comes after the first factor, a password or an identity.
pub enum AfterPassword {
    /// Nothing: the session has begun.
    Opened(Box<OpenedSession>),
    /// The code: what leads to it.
    Code(Box<LoginToken>),
    /// Nobody enters without a second factor, and there is none: nothing but setting one up.
    Enroll(Box<EnrollmentToken>),
    /// Refused.
    Refused(Refusal),
    /// Refused: no sign-in makes a second account for another spelling of a name.
    OtherSpelling(OtherSpelling),
}

/// What comes after the code.
pub enum AfterCode {
    /// The session has begun.
    Opened(Box<OpenedSession>),
    /// Refused.
    Refused(Refusal),
}
