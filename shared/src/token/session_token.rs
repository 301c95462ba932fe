//! Tokens of a session: step-up tokens, and access and refresh tokens for programs without cookies.
//! None is valid longer than the session, and none is accepted as a session cookie.

use super::session::Session;
use super::{
    AccessToken, AccountVersion, RefreshToken, StepUpToken, Token, TokenHolder, TokenKind,
    TokenParent, TokenPayload, TokenRecipient,
};
use crate::crypto::vault::TokenKeys;
use crate::system::clock::Timestamp;
use crate::system::random::RandomError;
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
    pub(super) cookie: String,
}

impl TokenPayload for AccessPayload {
    const KIND: TokenKind = TokenKind::Access;
}

/// A session, and the number of this refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshPayload {
    pub(super) cookie: String,
    /// Number of refresh tokens that the session had before.
    pub(super) number: u64,
}

impl TokenPayload for RefreshPayload {
    const KIND: TokenKind = TokenKind::Refresh;
}

/// Returns the recipient of a token for a session.
pub(crate) fn session_recipient(session: &Session, holder: TokenHolder) -> TokenRecipient<'_> {
    TokenRecipient {
        account: &session.name,
        at: Some(AccountVersion::of_session(session)),
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
    pub fn rebind(self, session: &Session, keys: &TokenKeys) -> StepUpToken {
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
        let cookie = session.to_cookie(keys);
        let to = session_recipient(session, TokenHolder::Bearer);
        let end = end.min(session.expires);
        Token::issue_until(keys, to, AccessPayload { cookie }, now, end)
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
        let cookie = session.to_cookie(keys);
        let refresh = RefreshPayload { cookie, number };
        let to = session_recipient(session, TokenHolder::Bearer);
        Token::issue_until(keys, to, refresh, now, session.expires)
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
