//! Revocation across processes.
//! A gate answers checks from a snapshot of what was revoked, and holds a lease on it. A revocation
//! is complete when every gate has confirmed the new revision or its lease has expired.

use crate::crypto::vault::TokenKeys;
use crate::engine::{EngineError, Sessions, report_waiting};
use crate::store::{Intent, LiveAppPasswords};
use crate::system::clock::{self, Timestamp};
use crate::token::session::{RevokedSessions, SessionId};
use std::time::Duration;

/// Revisions that a gate has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownRevisions {
    /// Revision of the whole store.
    pub revision: u64,
    /// Revision of the app passwords.
    pub app_passwords: u64,
}

/// Changes since the revisions that a gate has confirmed.
pub struct RevocationUpdate {
    /// Sessions that were revoked since the confirmed revision.
    pub revoked: RevokedSessions,
    /// Keys of cookies and app passwords.
    pub keys: TokenKeys,
    /// Changes of the app passwords, oldest first. The first entry holds all live ones where the
    /// gate knows none.
    pub app_passwords: Vec<LiveAppPasswords>,
}

/// Result of [`Sessions::update_revocations`], for one revocation cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateResult {
    /// Something changed, and the gate's new revision is committed.
    Committed,
    /// The gate knows the newest revision. Nothing was written.
    Unchanged,
}

/// How long a gate may answer checks from its last snapshot.
pub const LEASE: Duration = Duration::from_secs(5);
/// How often a revocation checks whether every gate has confirmed.
const CONFIRMATION_INTERVAL: Duration = Duration::from_millis(20);

impl Sessions<'_> {
    /// Waits until every gate has confirmed `revision`. A gate that last read the store before the
    /// commit answers from that snapshot for at most one lease, so the wait ends after one lease.
    pub(in crate::engine) fn await_gate_confirmations(
        &mut self,
        revision: u64,
    ) -> Result<(), EngineError> {
        let over = clock::since_boot().saturating_add(LEASE);
        while self
            .engine
            .begin(Intent::Read)?
            .count_gates_behind(revision)?
            > 0
        {
            if clock::since_boot() > over {
                let mut transaction = self.engine.begin(Intent::Write)?;
                transaction.remove_gates_behind(revision)?;
                return Ok(transaction.commit()?);
            }
            report_waiting();
            std::thread::sleep(CONFIRMATION_INTERVAL);
        }
        Ok(())
    }

    /// Reads what was revoked, the token keys, and the changed app passwords, unless the gate has
    /// confirmed the newest revision already. Most rows are read without the write lock; under it,
    /// only what changed since.
    ///
    /// As soon as `confirm` returns, the caller MUST answer from the new snapshot and from no older
    /// one: the gate's new revision is committed next.
    pub fn update_revocations(
        &mut self,
        gate: &[u8; 16],
        confirmed: Option<KnownRevisions>,
        now: Timestamp,
        confirm: impl FnOnce(RevocationUpdate),
    ) -> Result<UpdateResult, EngineError> {
        let mut known = confirmed.map(|confirmed| confirmed.app_passwords);
        loop {
            let mut transaction = self.engine.begin(Intent::Read)?;
            let revision = transaction.revision()?;
            if confirmed.is_some_and(|confirmed| confirmed.revision == revision) {
                return Ok(UpdateResult::Unchanged);
            }
            let changed = match known {
                Some(known) => transaction.app_passwords_changed_after(known)?,
                None => None,
            };
            let first = match changed {
                Some(changed) => changed,
                None => transaction.live_app_passwords(now)?,
            };
            // Whatever is revoked during this read is all that is left to read under the write
            // lock.
            let most = transaction
                .revoked_sessions_after(confirmed.map_or(0, |confirmed| confirmed.revision))?;
            drop(transaction);
            let (mut transaction, _, vault) = self.engine.begin_with_keys(Intent::Write)?;
            transaction.forget_revocations(now)?;
            let revoked = most.merge(transaction.revoked_sessions_after(most.revision)?);
            let Some(then) = transaction.app_passwords_changed_after(first.revision)? else {
                // All keys were renewed meanwhile.
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
                keys: vault.token_keys(),
                app_passwords,
            });
            transaction.set_gate_revision(gate, revision)?;
            transaction.commit()?;
            return Ok(UpdateResult::Committed);
        }
    }

    /// Returns whether a read without a commit renews no lease: see
    /// [`Sessions::confirm_unchanged`].
    pub fn needs_commits_for_leases(&self) -> bool {
        self.engine.store.may_be_replaced()
    }

    /// Confirms the revision again that a gate knows, without a change.
    ///
    /// A server that was cut off and replaced by its standby knows nothing of the revocations that the
    /// standby takes, and would be read as unchanged for ever. But it commits nothing any more, since
    /// a commit waits for the standby. So what was read before this commit was in force then.
    pub fn confirm_unchanged(
        &mut self,
        gate: &[u8; 16],
        known: KnownRevisions,
    ) -> Result<(), EngineError> {
        let mut transaction = self.engine.begin(Intent::Write)?;
        transaction.set_gate_revision(gate, known.revision)?;
        Ok(transaction.commit()?)
    }

    /// Signs a session out. When this returns, every gate refuses the session, and an act in
    /// progress cannot open a session in its place.
    pub fn sign_out(&mut self, session: SessionId) -> Result<(), EngineError> {
        let mut transaction = self.engine.begin(Intent::Write)?;
        transaction.end_session(session)?;
        let revision = transaction.raise_revision()?;
        transaction.commit()?;
        self.await_gate_confirmations(revision)
    }

    /// Removes a gate that has stopped, so that no revocation waits for it.
    pub fn remove_gate(&mut self, gate: &[u8; 16]) -> Result<(), EngineError> {
        let mut transaction = self.engine.begin(Intent::Write)?;
        transaction.remove_gate(gate)?;
        Ok(transaction.commit()?)
    }
}
