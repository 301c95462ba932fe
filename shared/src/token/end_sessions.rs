//! The link of a mail about a sign-in, "it was not me": it ends every session of the account, and
//! does nothing else. It is valid once. No other act on the account makes it stale: a thief who signed in
//! could end all sessions but the own one, and the owner would have no link left.

use super::{
    AccountVersion, EndSessionsToken, Token, TokenHolder, TokenKind, TokenParent, TokenPayload,
    TokenRecipient,
};
use crate::account::record::AccountRecord;
use crate::crypto::vault::TokenKeys;
use crate::system::clock::Timestamp;
use crate::system::random::RandomError;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndSessionsPayload {}

impl TokenPayload for EndSessionsPayload {
    const KIND: TokenKind = TokenKind::EndSessions;
}

impl EndSessionsToken {
    /// Issues the token for the account. The generation in it does not count.
    pub(crate) fn issue_link(
        record: &AccountRecord,
        keys: &TokenKeys,
        now: Timestamp,
    ) -> Result<EndSessionsToken, RandomError> {
        let to = TokenRecipient {
            account: &record.name,
            at: Some(AccountVersion::from_record(record)),
            holder: TokenHolder::Bearer,
            parent: TokenParent::Peer,
        };
        Token::issue(keys, to, EndSessionsPayload {}, now)
    }

    /// Opens a token that is valid at `now`. Whether it was used is known to the store, by its
    /// identifier and by the last event of a link: the use of one is the end of all before it.
    pub fn open_link(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<EndSessionsToken> {
        Token::open(text, keys, TokenHolder::Bearer, now)
    }
}
