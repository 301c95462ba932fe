//! Refresh tokens (RFC 6749, section 6): each is exchanged once for the next one.
//! An older token was used before, so one of its two users is a thief, and the session ends.

use super::token_validity::check_token;
use crate::account::event::EventKind;
use crate::crypto::vault::VaultError;
use crate::engine::{Login, LoginError, Principal};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::RefreshToken;
use crate::verify::origin::Origin;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterRefresh {
    /// The token was the newest; the value is the next one.
    Next(Box<RefreshToken>),
    /// The token was used before. Every gate refuses the session when this is returned.
    Reused,
    SessionEnded,
}

impl Login<'_> {
    /// Exchanges a refresh token for the next one. The caller has checked whether the session is
    /// valid otherwise.
    pub fn refresh_session(
        &mut self,
        shown: RefreshToken,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<AfterRefresh, LoginError> {
        let mut tx = self.engine.begin_act(Intent::Attempt, now)?;
        let keys = tx.vault.token_keys();
        let account = check_token(&shown, &mut tx)?.and_then(|validity| validity.record);
        let (Some(account), Some(session)) = (account, shown.session(&keys)) else {
            return Ok(AfterRefresh::SessionEnded);
        };
        let Some(newest) = tx.refresh_count(session.id, now)? else {
            return Ok(AfterRefresh::SessionEnded);
        };
        if shown.number() == newest {
            tx.record_refresh(session.id, now)?;
            tx.commit()?;
            let next = RefreshToken::issue_numbered(&session, newest + 1, &keys, now)
                .map_err(VaultError::Random)?;
            return Ok(AfterRefresh::Next(Box::new(next)));
        }
        tx.end_session(session.id)?;
        let revision = tx.raise_revision()?;
        tx.log_event(
            &account.name,
            EventKind::SessionRevoked,
            "an old refresh token was used after a newer one",
            Principal::Browser(&account.name, origin),
        )?;
        tx.commit()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok(AfterRefresh::Reused)
    }
}
