//! Login at the web: the first factor, then the code, then a session. A trusted browser skips the
//! code. Each step is one transaction, and the session's row is written together with what it
//! consumes.
//!
//! Three ways lead to the point where a first factor has passed (`first_factor`): a password that
//! the store keeps, one that PAM verifies, and an identity that a trusted proxy has established.
//! What follows is in `next`.

pub(super) mod admission;
pub(super) mod code;
pub(super) mod error;
pub(super) mod first_factor;
pub(super) mod groups;
pub(super) mod known_browser;
pub(super) mod new_session;
pub(super) mod next;
pub(super) mod passkey;
pub(super) mod passkey_alone;
pub(super) mod passkey_code;
pub(super) mod proof;
pub(super) mod refresh;
pub(super) mod step_up;
pub(super) mod token_validity;
pub(super) mod upgrade;

pub use admission::LoginClass;
pub use error::LoginError;
pub use first_factor::FirstFactorAttempt;
pub(super) use groups::LoginGroups;
use known_browser::RecognizedBrowser;
pub(super) use known_browser::TrustedBrowserProof;
pub use step_up::AfterStepUp;

use super::{AfterLogin, AppPasswordsAfter, EnrollmentToken, VerificationRequest};
use crate::account::name::{OtherSpelling, UserName};
use crate::crypto::vault::TokenKeys;
use crate::policy::rule::RuleName;
use crate::token::session::Session;
use crate::token::{LoginToken, StepUpToken};
use crate::verify::decision::Refusal;
use crate::verify::method::AuthenticationMethod;
use crate::verify::origin::Origin;
use crate::verify::passkey::PasskeyRefusal;
use crate::verify::throttle::Phase;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Service name of the web login in logs and policies.
pub const SERVICE: &str = "web";

/// The browser that sends a request to the gate.
pub struct BrowserContext<'a> {
    /// Where the request comes from.
    pub origin: &'a Origin,
    /// Name for lists of sessions, from the `User-Agent` header.
    pub name: &'a str,
    /// Value of the trusted-browser cookie.
    pub cookie: Option<&'a str>,
    /// Host or domain for which a session is valid.
    pub scope: &'a str,
    /// The page that was requested, where a rule may decide what it requires.
    pub page: Option<RequestedPage<'a>>,
    /// The browser's current session, which ends when another begins.
    pub session: Option<&'a Session>,
}

impl<'a> BrowserContext<'a> {
    /// Returns the request to verify a first factor. A trusted browser has its own bucket.
    fn before_first_factor(
        &self,
        name: &'a UserName,
        recognized: &RecognizedBrowser,
    ) -> VerificationRequest<'a> {
        let browser = match recognized {
            RecognizedBrowser::Trusted(trusted) => Some(trusted.number()),
            RecognizedBrowser::OlderCookie(_) | RecognizedBrowser::Unknown => None,
        };
        VerificationRequest {
            phase: Phase::Before,
            browser,
            ..self.after_first_factor(name)
        }
    }

    /// Returns the request to verify a second factor.
    fn after_first_factor(&self, name: &'a UserName) -> VerificationRequest<'a> {
        VerificationRequest::new(name, Phase::After, self.origin, SERVICE)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct RequestedPage<'a> {
    /// Lower case, without port and trailing dot.
    pub host: &'a str,
    /// Path, with or without a query.
    pub target: &'a str,
}

/// Whether the person asked to trust this browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustRequest {
    Asked,
    NotAsked,
}

pub struct OpenedSession {
    /// The session. Its row is committed.
    pub session: Session,
    pub method: AuthenticationMethod,
    /// Why no code was asked for, where none was.
    pub code_skipped: Option<CodeSkipped>,
    /// Keys of the transaction that opened the session, so that its cookie is invalid once these
    /// keys are.
    pub keys: TokenKeys,
    /// New trusted-browser cookie, if the browser is trusted.
    pub browser_cookie: Option<Zeroizing<String>>,
    /// Step-up token, where the login itself is proof enough for critical acts.
    pub step_up: Option<StepUpToken>,
    pub after_login: AfterLogin,
    /// What happened to app passwords at the end of an enrollment.
    pub app_passwords: AppPasswordsAfter,
    /// Revision that ended the previous session, which gates have to confirm.
    pub(super) ended: Option<u64>,
}

/// Why no code was asked for, by position in postern.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSkipped {
    Exemption(usize),
    Rule(usize),
}

impl OpenedSession {
    /// Returns the cause that the log names.
    pub fn cause(&self) -> Cow<'static, str> {
        match self.code_skipped {
            Some(CodeSkipped::Exemption(rule)) => format!("policy.exempt-{rule}").into(),
            Some(CodeSkipped::Rule(rule)) => RuleName(Some(rule)).to_string().into(),
            None => self.method.name().into(),
        }
    }
}

/// Next step after the first factor.
pub enum AfterPassword {
    Opened(Box<OpenedSession>),
    /// A code is required; the token is for that step.
    Code(Box<LoginToken>),
    /// A second factor is required and there is none. The token permits only its enrollment.
    Enroll(Box<EnrollmentToken>),
    Refused(Refusal),
    /// Refused: no login creates a second account for another spelling of a name.
    OtherSpelling(OtherSpelling),
}

pub enum AfterCode {
    Opened(Box<OpenedSession>),
    Refused(Refusal),
}

/// Result of a sign-in by a passkey alone.
pub enum AfterPasskeyAlone {
    Opened(Box<OpenedSession>),
    Refused(Refusal),
    /// The response is wrong. The reason is for the log of the system, not for the client.
    Wrong(PasskeyRefusal),
    /// The passkey is right, but its authenticator did not verify its user.
    NotVerified,
}
