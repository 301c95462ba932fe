//! The kinds of tokens, and the longest lifetime of each. A kind is part of the associated data, so
//! a token of one kind cannot be opened as another.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Purpose of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// Between the first and the second factor.
    Login,
    /// During an enrollment at the web.
    Enrollment,
    /// A pending enrollment: the authenticator was shown and is not confirmed.
    Draft,
    /// A pending enrollment that a code has confirmed.
    Confirmed,
    /// Recovery codes that were shown and are not active.
    RecoveryCodes,
    /// A re-authentication in a session (RFC 9470).
    StepUp,
    /// A session in a header (RFC 6750).
    Access,
    /// Obtains the next access token (RFC 6749, section 1.5).
    Refresh,
    /// Between the `auth` and the `account` function of a PAM transaction.
    Mark,
    /// The link of a mail, which ends every session.
    EndSessions,
    /// A request to a passkey in a session.
    Passkey,
}

impl TokenKind {
    pub const ALL: [TokenKind; 11] = [
        TokenKind::Login,
        TokenKind::Enrollment,
        TokenKind::Draft,
        TokenKind::Confirmed,
        TokenKind::RecoveryCodes,
        TokenKind::StepUp,
        TokenKind::Access,
        TokenKind::Refresh,
        TokenKind::Mark,
        TokenKind::EndSessions,
        TokenKind::Passkey,
    ];

    /// Returns the longest lifetime in seconds. A refresh token expires with its session, which
    /// lasts 30 days at most.
    pub const fn lifetime(self) -> u64 {
        match self {
            TokenKind::Login | TokenKind::Mark | TokenKind::Passkey => 600,
            TokenKind::Enrollment
            | TokenKind::Draft
            | TokenKind::Confirmed
            | TokenKind::RecoveryCodes
            | TokenKind::StepUp
            | TokenKind::Access => 900,
            TokenKind::EndSessions => 7 * 86_400,
            TokenKind::Refresh => 30 * 86_400,
        }
    }

    /// Returns the associated data. A change here would invalidate all tokens in use.
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
            TokenKind::EndSessions => "postern token: end sessions",
            TokenKind::Passkey => "postern token: passkey",
        }
    }
}

/// The payload of one kind of tokens.
pub trait TokenPayload: Serialize + DeserializeOwned {
    const KIND: TokenKind;

    /// Returns a shorter payload, for a token that is too long for a cookie.
    fn shorter(&self) -> Option<Self> {
        None
    }
}
