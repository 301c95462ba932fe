//! Tokens of a session: step-up tokens, and access and refresh tokens for programs without cookies.
//! None is valid longer than the session, and none is accepted as a session cookie.

use super::session::Session;
use super::{
    AccessToken, AccountVersion, RefreshToken, StepUpToken, Token, TokenHolder, TokenKind,
    TokenParent, TokenPayload, TokenRecipient,
};
use crate::account::record::AccountId;
use crate::credential::secret::RandomError;
use crate::crypto::vault::TokenKeys;
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// A step-up: proof of a re-authentication, which critical acts require in addition to the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepUpPayload {}

impl TokenPayload for StepUpPayload {
    const KIND: TokenKind = TokenKind::StepUp;
}

/// A session, as its cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPayload {
    cookie: String,
}

impl TokenPayload for AccessPayload {
    const KIND: TokenKind = TokenKind::Access;
}

/// A session, and the number of this refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshPayload {
    cookie: String,
    /// Returns the number of refresh tokens that the session had before.
    number: u64,
}

impl TokenPayload for RefreshPayload {
    const KIND: TokenKind = TokenKind::Refresh;
}

/// Returns the recipient of a token for a session.
pub(crate) fn session_recipient(session: &Session, holder: TokenHolder) -> TokenRecipient<'_> {
    let at = AccountVersion {
        id: AccountId(session.account),
        generation: session.generation,
    };
    TokenRecipient {
        account: &session.name,
        at: Some(at),
        holder,
        parent: TokenParent::session(session),
    }
}

impl StepUpToken {
    /// Opens a step-up token of this session that is valid at `now`.
    pub fn open_step_up(
        text: &str,
        keys: &TokenKeys,
        session: &Session,
        now: Timestamp,
    ) -> Option<StepUpToken> {
        let token: StepUpToken = Token::open(text, keys, TokenHolder::Session(session.id), now)?;
        let is_same = token
            .at()
            .is_some_and(|at| at.generation == session.generation);
        (is_same && *token.account() == session.name).then_some(token)
    }

    /// Returns the same proof, valid no longer, for the session that replaces its session.
    #[must_use]
    pub fn going_on(self, session: &Session, keys: &TokenKeys) -> StepUpToken {
        self.bind_to_session(session, keys)
    }
}

impl AccessToken {
    /// Issues an access token for a session that ends at `end`.
    pub fn issue_access(
        session: &Session,
        keys: &TokenKeys,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<AccessToken, RandomError> {
        let access = AccessPayload {
            cookie: session.to_cookie(keys),
        };
        Token::issue_until(
            keys,
            session_recipient(session, TokenHolder::Bearer),
            access,
            now,
            end.min(session.expires),
        )
    }

    /// Returns the session of an access token that is valid at `now`. The caller MUST check the
    /// session itself.
    pub fn open_access(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<Session> {
        let token: AccessToken = Token::open(text, keys, TokenHolder::Bearer, now)?;
        Session::from_cookie(&token.payload().cookie, keys)
    }
}

impl RefreshToken {
    /// Issues the first refresh token of a session.
    pub fn issue_first(
        session: &Session,
        keys: &TokenKeys,
        now: Timestamp,
    ) -> Result<RefreshToken, RandomError> {
        Self::issue_numbered(session, 0, keys, now)
    }

    /// Issues the refresh token that follows `number` others.
    pub(crate) fn issue_numbered(
        session: &Session,
        number: u64,
        keys: &TokenKeys,
        now: Timestamp,
    ) -> Result<RefreshToken, RandomError> {
        let refresh = RefreshPayload {
            cookie: session.to_cookie(keys),
            number,
        };
        Token::issue_until(
            keys,
            session_recipient(session, TokenHolder::Bearer),
            refresh,
            now,
            session.expires,
        )
    }

    /// Opens a refresh token that is valid at `now`. The caller MUST check that it is the newest
    /// one, and that the session is valid.
    pub fn open_refresh(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<RefreshToken> {
        Token::open(text, keys, TokenHolder::Bearer, now)
    }

    pub fn session(&self, keys: &TokenKeys) -> Option<Session> {
        Session::from_cookie(&self.payload().cookie, keys)
    }

    /// Returns the number of refresh tokens that the session had before.
    pub fn number(&self) -> u64 {
        self.payload().number
    }
}

#[cfg(test)]
impl StepUpPayload {
    pub(super) fn for_tests() -> StepUpPayload {
        StepUpPayload {}
    }
}

#[cfg(test)]
impl AccessPayload {
    pub(super) fn for_tests(cookie: &str) -> AccessPayload {
        AccessPayload {
            cookie: cookie.to_owned(),
        }
    }
}

#[cfg(test)]
impl RefreshPayload {
    pub(super) fn for_tests(cookie: &str, number: u64) -> RefreshPayload {
        RefreshPayload {
            cookie: cookie.to_owned(),
            number,
        }
    }
}
