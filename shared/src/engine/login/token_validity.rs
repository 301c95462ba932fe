//! Validity of a token's parent in the transaction that uses the token. A session exists, has not
//! expired, and nothing has ended all sessions since; for a first factor, nothing has.
//!
//! MUST be checked in the transaction that writes. A revocation that is committed before it ends
//! what was begun. A revocation that is committed after it ends what results.

use crate::account::name::UserName;
use crate::account::record::AccountRecord;
use crate::engine::transaction::EngineTransaction;
use crate::store::{SessionRecord, StoreError, Transaction};
use crate::system::clock::Timestamp;
use crate::token::session::Session;
use crate::token::{AccountVersion, Token, TokenParent};

/// Proof that a token's parent is valid: the account as it is, and the session, if the parent is
/// one.
#[derive(Debug)]
pub(in crate::engine) struct TokenValidity {
    pub(in crate::engine) record: Option<AccountRecord>,
    pub(in crate::engine) session: Option<SessionRecord>,
    /// Only this file constructs the proof.
    _made_here: (),
}

/// Returns a proof if a token is valid in this transaction.
pub(in crate::engine) fn check_token<P>(
    token: &Token<P>,
    tx: &mut EngineTransaction<'_>,
) -> Result<Option<TokenValidity>, StoreError> {
    let now = tx.now;
    // Keys may have been renewed since the token was opened.
    if token.is_expired(now) || !token.is_sealed_with(&tx.vault.token_keys()) {
        return Ok(None);
    }
    check_token_parent(tx, token.account(), token.at(), token.parent(), now)
}

/// Returns the account of a token that is valid whatever has ended sessions since it was issued:
/// its keys, its lifetime, and the account must be the same.
pub(in crate::engine) fn check_account_token<P>(
    token: &Token<P>,
    tx: &mut EngineTransaction<'_>,
) -> Result<Option<AccountRecord>, StoreError> {
    if token.is_expired(tx.now) || !token.is_sealed_with(&tx.vault.token_keys()) {
        return Ok(None);
    }
    let record = tx.find_account(token.account())?;
    let id = token.at().map(|at| at.id);
    Ok(record.filter(|record| Some(record.id) == id))
}

/// Returns a proof if the parent is valid and the account is unchanged.
pub(in crate::engine) fn check_token_parent(
    tx: &mut Transaction<'_>,
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

pub(in crate::engine) fn account_at(
    tx: &mut Transaction<'_>,
    account: &UserName,
) -> Result<Option<AccountVersion>, StoreError> {
    Ok(tx
        .find_account(account)?
        .as_ref()
        .map(AccountVersion::from_record))
}

/// Returns a proof if a session is valid.
pub(in crate::engine) fn check_session(
    session: &Session,
    tx: &mut EngineTransaction<'_>,
) -> Result<Option<TokenValidity>, StoreError> {
    let now = tx.now;
    let at = account_at(tx, &session.name)?;
    let is_same =
        |at: AccountVersion| at.id.0 == session.account && at.generation == session.generation;
    match at.is_some_and(is_same) {
        true => check_token_parent(tx, &session.name, at, &TokenParent::session(session), now),
        false => Ok(None),
    }
}
