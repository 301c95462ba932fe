//! A session's next access token, for the newest refresh token of that session, once. An older one was used before, so
//! that either its user or that of the newer one is a thief: the session ends.

use super::token_validity::check_token;
use crate::account::event::{AuditEvent, EventKind};
use crate::crypto::vault::VaultError;
use crate::engine::mail::notification;
use crate::engine::{Engine, LoginError, SERVICE};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::RefreshToken;
use crate::verify::origin::Origin;

/// What came of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterRefresh {
    /// It was the newest; the next one.
    Next(Box<RefreshToken>),
    /// It was used before: the session is over at every gate when this is returned.
    Reused,
    /// Its session is over.
    SessionEnded,
}

impl Engine {
    /// Takes a refresh token for the next one. Whether the session is otherwise good, the caller has looked at.
    pub fn refresh_session(
        &mut self,
        shown: RefreshToken,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<AfterRefresh, LoginError> {
        let Engine {
            config,
            vault,
            store,
            ..
        } = self;
        let mut transaction = store.begin(vault, Intent::Attempt)?;
        let (tx, keys) = (transaction.as_mut(), vault.token_keys());
        let account = check_token(&shown, tx, &keys, now)?.and_then(|alive| alive.record);
        let (Some(account), Some(session)) = (account, shown.session(&keys)) else {
            return Ok(AfterRefresh::SessionEnded);
        };
        let Some(newest) = tx.refresh_count(session.id, now)? else {
            return Ok(AfterRefresh::SessionEnded);
        };
        if shown.number() == newest {
            tx.record_refresh(session.id, now)?;
            transaction.commit()?;
            let next = RefreshToken::issue_numbered(&session, newest + 1, &keys, now)
                .map_err(VaultError::Random)?;
            return Ok(AfterRefresh::Next(Box::new(next)));
        }
        tx.end_session(session.id)?;
        let revision = tx.raise_revision()?;
        let event = AuditEvent {
            at: now,
            principal: account.name.to_string(),
            account: account.name,
            kind: EventKind::SessionRevoked,
            service: SERVICE.to_owned(),
            origin: origin.to_string(),
            cause: "an old refresh token was used after a newer one".to_owned(),
        };
        notification::log(config, tx, &event)?;
        transaction.commit()?;
        self.await_gate_confirmations(revision)?;
        Ok(AfterRefresh::Reused)
    }
}
