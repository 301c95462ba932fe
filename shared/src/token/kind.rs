//! The kinds of tokens, and how long each lives at most.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// From the first factor to the code.
    Login,
    /// Through an enrollment at the web.
    Enrollment,
    /// An authenticator that was shown and not confirmed yet.
    Draft,
    /// An authenticator that a code has confirmed.
    Confirmed,
    /// Recovery codes that were shown and are not good yet.
    RecoveryCodes,
    /// A fresh proof in a session.
    StepUp,
    /// A session in a header.
    Access,
    /// What gets the next access token.
    Refresh,
    /// From the `auth` hook of a PAM transaction to its `account` hook.
    Mark,
}

impl Kind {
    /// All.
    pub const ALL: [Kind; 9] = [
        Kind::Login,
        Kind::Enrollment,
        Kind::Draft,
        Kind::Confirmed,
        Kind::RecoveryCodes,
        Kind::StepUp,
        Kind::Access,
        Kind::Refresh,
        Kind::Mark,
    ];

    /// The longest that one lives, in seconds. A refresh token lives as long as its session, which lasts 30 days at most.
    pub const fn life(self) -> u64 {
        match self {
            Kind::Login | Kind::Mark => 600,
            Kind::Enrollment
            | Kind::Draft
            | Kind::Confirmed
            | Kind::RecoveryCodes
            | Kind::StepUp
            | Kind::Access => 900,
            Kind::Refresh => 30 * 86_400,
        }
    }

    /// What it is sealed with: another kind's does not open.
    pub(super) const fn sealed_as(self) -> &'static str {
        match self {
            Kind::Login => "postern token: login",
            Kind::Enrollment => "postern token: enrollment",
            Kind::Draft => "postern token: draft",
            Kind::Confirmed => "postern token: confirmed",
            Kind::RecoveryCodes => "postern token: recovery codes",
            Kind::StepUp => "postern token: step-up",
            Kind::Access => "postern token: access",
            Kind::Refresh => "postern token: refresh",
            Kind::Mark => "postern token: mark",
        }
    }
}

/// What a token of one kind carries.
pub trait Payload: Serialize + DeserializeOwned {
    /// The kind.
    const KIND: Kind;

    /// The same with less in it, where it would be too long for a cookie.
    fn shorter(&self) -> Option<Self> {
        None
    }
}
