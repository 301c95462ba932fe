//! Whether what a token was born of is alive, in the transaction that uses the token: the session is there, has not
//! run out, and nothing has ended all sessions since; of a first factor, that nothing has.
//!
//! MUST be asked in the transaction that writes. A revocation that is committed before it ends what was begun; one that
//! is committed after it ends what comes of it.

use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::crypto::vault::TokenKeys;
use crate::store::{SessionRecord, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{AccountVersion, Token, TokenParent};

/// What a token was born of is alive: the account as it is, and the session, if it was one.
#[derive(Debug)]
pub(in crate::engine) struct TokenValidity {
    pub(in crate::engine) record: Option<AccountRecord>,
    pub(in crate::engine) session: Option<SessionRecord>,
    /// Only this file makes one.
    _made_here: (),
}

/// Whether a token is good in this transaction.
pub(in crate::engine) fn check_token<P>(
    token: &Token<P>,
    tx: &mut dyn Transaction,
    keys: &TokenKeys,
    now: Timestamp,
) -> Result<Option<TokenValidity>, StoreError> {
    // keys that were renewed since it was opened
    if token.is_expired(now) || !token.is_sealed_with(keys) {
        return Ok(None);
    }
    check_token_parent(tx, token.account(), token.at(), token.parent(), now)
}

/// Whether what something was born of is alive, and the account is as it was.
pub(in crate::engine) fn check_token_parent(
    tx: &mut dyn Transaction,
    account: &UserName,
    at: Option<AccountVersion>,
    parent: &TokenParent,
    now: Timestamp,
) -> Result<Option<TokenValidity>, StoreError> {
    let record = tx.find_account(account)?;
    let found = record.as_ref().map(AccountVersion::from_record);
    if found != at {
        return Ok(None);
    }
    let session = match (parent, &record) {
        (TokenParent::Session { id, .. }, Some(record)) => {
            match tx.find_session(record.id, *id, now)? {
                None => return Ok(None),
                found => found,
            }
        }
        (TokenParent::Session { .. }, None) => return Ok(None),
        (TokenParent::FirstFactor { .. } | TokenParent::Peer, _) => None,
    };
    Ok(Some(TokenValidity {
        record,
        session,
        _made_here: (),
    }))
}

/// An account as it is now, if there is one.
pub(in crate::engine) fn account_at(
    tx: &mut dyn Transaction,
    account: &UserName,
) -> Result<Option<AccountVersion>, StoreError> {
    Ok(tx
        .find_account(account)?
        .as_ref()
        .map(AccountVersion::from_record))
}

/// Whether a session is alive.
pub(in crate::engine) fn check_session(
    session: &Session,
    tx: &mut dyn Transaction,
    now: Timestamp,
) -> Result<Option<TokenValidity>, StoreError> {
    let at = account_at(tx, &session.name)?;
    let is_same =
        |at: AccountVersion| at.id.0 == session.account && at.generation == session.generation;
    match at.is_some_and(is_same) {
        true => check_token_parent(tx, &session.name, at, &TokenParent::session(session), now),
        false => Ok(None),
    }
}
