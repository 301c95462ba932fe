//! Tokens of a session: a fresh proof in it, and what programs without cookies carry in its place. None is good for
//! longer than the session, and none is a session cookie to whoever has it.

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

/// A fresh proof, for what a session alone may not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepUpPayload {}

impl TokenPayload for StepUpPayload {
    const KIND: TokenKind = TokenKind::StepUp;
}

/// A session, as its cookie says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPayload {
    cookie: String,
}

impl TokenPayload for AccessPayload {
    const KIND: TokenKind = TokenKind::Access;
}

/// A session, and which of its refresh tokens this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshPayload {
    cookie: String,
    /// How many the session had before it.
    number: u64,
}

impl TokenPayload for RefreshPayload {
    const KIND: TokenKind = TokenKind::Refresh;
}

/// For whoever is signed in by a session, or shows it by the token.
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
    /// Opens one of this session's that is good at `now`.
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

    /// The same proof, for no longer, in the session that the person goes on in.
    #[must_use]
    pub fn going_on(self, session: &Session, keys: &TokenKeys) -> StepUpToken {
        self.bind_to_session(session, keys)
    }
}

impl AccessToken {
    /// One for a session that ends at `end`.
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

    /// The session in one that is good at `now`. Whether the session still is, it does not know.
    pub fn open_access(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<Session> {
        let token: AccessToken = Token::open(text, keys, TokenHolder::Bearer, now)?;
        Session::from_cookie(&token.payload().cookie, keys)
    }
}

impl RefreshToken {
    /// A session's first.
    pub fn issue_first(
        session: &Session,
        keys: &TokenKeys,
        now: Timestamp,
    ) -> Result<RefreshToken, RandomError> {
        Self::issue_numbered(session, 0, keys, now)
    }

    /// The one after so many.
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

    /// Opens one that is good at `now`. Whether it is the newest, and the session still good, it does not know.
    pub fn open_refresh(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<RefreshToken> {
        Token::open(text, keys, TokenHolder::Bearer, now)
    }

    /// Its session.
    pub fn session(&self, keys: &TokenKeys) -> Option<Session> {
        Session::from_cookie(&self.payload().cookie, keys)
    }

    /// How many the session had before it.
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
