//! The challenge of a token, which a passkey signs, and the token of a request in a session.
//!
//! A challenge is a hash of the token's identifier: 128 random bits that nothing shows. The token is
//! sealed and used once, and so is its challenge.

use super::session::Session;
use super::{
    PasskeyToken, Token, TokenHolder, TokenId, TokenKind, TokenPayload, session_recipient,
};
use crate::crypto::vault::{ApprovalHash, TokenKeys};
use crate::system::clock::Timestamp;
use crate::system::random::RandomError;
use crate::verify::passkey::PasskeyChallenge;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a passkey is asked for in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PasskeyPurpose {
    Registration,
    StepUp,
    /// To make a one-time code for PAM prompts. A step-up of before does not suffice.
    PamCode,
    /// The approval of this request.
    Approval(ApprovalHash),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyPayload {
    pub purpose: PasskeyPurpose,
    /// The account's handle, which a new passkey is registered for.
    pub(crate) user_handle: Vec<u8>,
}

impl TokenPayload for PasskeyPayload {
    const KIND: TokenKind = TokenKind::Passkey;
}

impl<P: TokenPayload> Token<P> {
    /// Returns the challenge that a passkey signs for this token.
    pub fn passkey_challenge(&self) -> PasskeyChallenge {
        challenge_of(P::KIND.sealed_as(), self.id())
    }
}

/// Returns the challenge of an identifier, which is another one for each purpose.
pub(super) fn challenge_of(purpose: &str, id: TokenId) -> PasskeyChallenge {
    let hash = Sha256::new()
        .chain_update("postern passkey challenge: ")
        .chain_update(purpose)
        .chain_update(id.0);
    PasskeyChallenge(hash.finalize().into())
}

impl PasskeyToken {
    /// Issues the token of a request to a passkey in a session.
    pub(crate) fn issue_in(
        session: &Session,
        payload: PasskeyPayload,
        keys: &TokenKeys,
        now: Timestamp,
    ) -> Result<PasskeyToken, RandomError> {
        let to = session_recipient(session, TokenHolder::Session(session.id));
        Token::issue_until(keys, to, payload, now, session.expires)
    }

    /// Opens the token of a request in this session for this purpose, if it is valid at `now`.
    pub fn open_in(
        text: &str,
        keys: &TokenKeys,
        session: &Session,
        purpose: PasskeyPurpose,
        now: Timestamp,
    ) -> Option<PasskeyToken> {
        let token: PasskeyToken = Token::open(text, keys, TokenHolder::Session(session.id), now)?;
        let is_same = *token.account() == session.name && token.payload().purpose == purpose;
        is_same.then_some(token)
    }
}
