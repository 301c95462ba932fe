//! The kinds of tokens, and how long each lives at most.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
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

impl TokenKind {
    /// All.
    pub const ALL: [TokenKind; 9] = [
        TokenKind::Login,
        TokenKind::Enrollment,
        TokenKind::Draft,
        TokenKind::Confirmed,
        TokenKind::RecoveryCodes,
        TokenKind::StepUp,
        TokenKind::Access,
        TokenKind::Refresh,
        TokenKind::Mark,
    ];

    /// The longest that one lives, in seconds. A refresh token lives as long as its session, which lasts 30 days at most.
    pub const fn lifetime(self) -> u64 {
        match self {
            TokenKind::Login | TokenKind::Mark => 600,
            TokenKind::Enrollment
            | TokenKind::Draft
            | TokenKind::Confirmed
            | TokenKind::RecoveryCodes
            | TokenKind::StepUp
            | TokenKind::Access => 900,
            TokenKind::Refresh => 30 * 86_400,
        }
    }

    /// What it is sealed with: another kind's does not open.
    pub(super) const fn sealed_as(self) -> &'static str {
        match self {
            TokenKind::Login => "postern token: login",
            TokenKind::Enrollment => "postern token: enrollment",
            TokenKind::Draft => "postern token: draft",
            TokenKind::Confirmed => "postern token: confirmed",
            TokenKind::RecoveryCodes => "postern token: recovery codes",
            TokenKind::StepUp => "postern token: step-up",
            TokenKind::Access => "postern token: access",
            TokenKind::Refresh => "postern token: refresh",
            TokenKind::Mark => "postern token: mark",
        }
    }
}

/// What a token of one kind carries.
pub trait TokenPayload: Serialize + DeserializeOwned {
    /// The kind.
    const KIND: TokenKind;

    /// The same with less in it, where it would be too long for a cookie.
    fn shorter(&self) -> Option<Self> {
        None
    }
}
