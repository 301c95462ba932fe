//! Revocation across processes: a gate goes by a snapshot of what was revoked, and holds a lease of its store.
//! What revokes is done when every gate has confirmed the new revision or its lease has run out.

use super::{Engine, EngineError, still_waiting};
use crate::crypto::vault::TokenKeys;
use crate::store::{Intent, LiveAppPasswords};
use crate::system::clock::{self, Timestamp};
use crate::token::session::{RevokedSessions, SessionId};
use std::time::Duration;

/// What a gate goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownRevisions {
    /// The revision of all.
    pub revision: u64,
    /// The revision of app passwords.
    pub app_passwords: u64,
}

/// What a gate's look found.
pub struct RevocationUpdate {
    /// What was revoked since the revision that the gate goes by.
    pub revoked: RevokedSessions,
    /// The keys of cookies and app passwords.
    pub keys: TokenKeys,
    /// What changed of the app passwords, one after the other; all that are live first, where the gate knows none.
    pub app_passwords: Vec<LiveAppPasswords>,
}

/// How long a gate may go by its last look at the store.
pub const LEASE: Duration = Duration::from_secs(5);
/// How often a revocation looks whether every gate has confirmed.
const INTERVAL: Duration = Duration::from_millis(20);

impl Engine {
    /// Waits until every gate goes by `revision`. One whose last look was before the commit is sure of its store
    /// for the length of a lease at most.
    pub(super) fn await_gate_confirmations(&mut self, revision: u64) -> Result<(), EngineError> {
        let over = clock::since_boot().saturating_add(LEASE);
        while self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .count_gates_behind(revision)?
            > 0
        {
            if clock::since_boot() > over {
                let mut transaction = self.store.begin(&mut self.vault, Intent::Write)?;
                transaction.remove_gates_behind(revision)?;
                return Ok(transaction.commit()?);
            }
            still_waiting();
            std::thread::sleep(INTERVAL);
        }
        Ok(())
    }

    /// A gate's look at the store: what was revoked, the keys of cookies, and what changed of the app passwords, if that is
    /// not what it goes by already. Under the write lock it reads no more than what changed since it read without.
    /// Confirms the new revision; the caller must go by these from the moment `confirm` returns, and by no older ones.
    pub fn update_revocations(
        &mut self,
        gate: &[u8; 16],
        goes_by: Option<KnownRevisions>,
        now: Timestamp,
        confirm: impl FnOnce(RevocationUpdate),
    ) -> Result<(), EngineError> {
        let mut known = goes_by.map(|goes_by| goes_by.app_passwords);
        loop {
            let mut transaction = self.store.begin(&mut self.vault, Intent::Read)?;
            let revision = transaction.revision()?;
            if goes_by.is_some_and(|goes_by| goes_by.revision == revision) {
                return Ok(());
            }
            let changed = match known {
                Some(known) => transaction.app_passwords_changed_after(known)?,
                None => None,
            };
            let first = match changed {
                Some(changed) => changed,
                None => transaction.live_app_passwords(now)?,
            };
            // what is revoked while these are read is all that is read while nobody else writes
            let most = transaction
                .revoked_sessions_after(goes_by.map_or(0, |goes_by| goes_by.revision))?;
            drop(transaction);
            let mut transaction = self.store.begin(&mut self.vault, Intent::Write)?;
            transaction.forget_revocations(now)?;
            let revoked = most.merge(transaction.revoked_sessions_after(most.revision)?);
            let Some(then) = transaction.app_passwords_changed_after(first.revision)? else {
                // all keys were made anew meanwhile
                known = None;
                continue;
            };
            let is_new = |live: &LiveAppPasswords| known != Some(live.revision);
            let mut app_passwords = Vec::new();
            if then.revision != first.revision {
                app_passwords = vec![first, then];
            } else if is_new(&first) {
                app_passwords.push(first);
            }
            let revision = revoked.revision;
            confirm(RevocationUpdate {
                revoked,
                keys: self.vault.token_keys(),
                app_passwords,
            });
            transaction.set_gate_revision(gate, revision)?;
            return Ok(transaction.commit()?);
        }
    }

    /// The person signs out: this session is over at every gate when this returns, and what an act that goes on now would
    /// open in its place does not open.
    pub fn sign_out(&mut self, session: SessionId) -> Result<(), EngineError> {
        let mut transaction = self.store.begin(&mut self.vault, Intent::Write)?;
        transaction.end_session(session)?;
        let revision = transaction.raise_revision()?;
        transaction.commit()?;
        self.await_gate_confirmations(revision)
    }

    /// A gate has ended.
    pub fn remove_gate(&mut self, gate: &[u8; 16]) -> Result<(), EngineError> {
        let mut transaction = self.store.begin(&mut self.vault, Intent::Write)?;
        transaction.remove_gate(gate)?;
        Ok(transaction.commit()?)
    }
}
