//! Revocations of sessions, and the revision of them that each gate has read.

use super::Transaction;
use super::convert::{named, signed, unsigned};
use crate::store::StoreResult;
use crate::system::clock::Timestamp;
use crate::token::session::{RevokedSessions, SessionId};

/// Time that revocations are stored, in seconds. A session lasts 30 days at most
/// (`gate.session_lifetime`), so that no valid session can predate a removed revocation.
pub(super) const REVOCATIONS_KEPT: u64 = 31 * 86_400;
/// Minimum time between two stored revision times, in seconds.
const REVISION_TIMES: u64 = 6 * 3600;

impl Transaction<'_> {
    /// Returns what was revoked after a revision and is still stored; after 0 everything.
    pub fn revoked_sessions_after(&mut self, after: u64) -> StoreResult<RevokedSessions> {
        let sql = "SELECT number, forgotten FROM revision";
        let (revision, forgotten) =
            self.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut revoked = RevokedSessions::new(unsigned(revision), unsigned(forgotten));
        let after = signed(after).max(forgotten);
        let sql = "SELECT id, revision FROM revoked_session WHERE revision > ?1";
        let ended = self.query_rows(sql, [after], |row| {
            Ok((named(row.get(0), "a revoked session")?, row.get(1)?))
        })?;
        for (id, at) in ended {
            revoked.end_session(id, unsigned(at));
        }
        // a removed account counts as beyond every generation
        let sql = "SELECT id, generation + number, generation_revision FROM account, renewal \
                   WHERE generation_revision > 0 AND generation_revision > ?1 \
                   UNION ALL SELECT id, 9223372036854775807, revision FROM removed_account WHERE revision > ?1";
        let raised = self.query_rows(sql, [after], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        for (id, generation, at) in raised {
            revoked.raise_generation(id, unsigned(generation), unsigned(at));
        }
        Ok(revoked)
    }

    /// Removes revocations that no valid session can predate.
    ///
    /// Time alone does not decide this, since the clock may run ahead and be set back. Each
    /// revocation has the revision that it was made with, and a session names the revision that it
    /// was opened at. With the revocations, the revision `forgotten` increases, and sessions opened
    /// before it are refused. With a correct clock this happens after 31 days, when each of these
    /// sessions has expired. With a wrong clock people must sign in again; no access is granted
    /// wrongly.
    pub fn forget_revocations(&mut self, now: Timestamp) -> StoreResult<()> {
        // until the gate's revision is committed, nothing is revoked
        self.lock_revision()?;
        let sql = "SELECT number, at FROM revision_time ORDER BY number DESC LIMIT 1";
        let last = self.find_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let number = signed(self.revision()?);
        // no row while the clock is before the last one
        if last.is_none_or(|(last, at)| number > last && now >= Timestamp::plus(at, REVISION_TIMES))
        {
            let sql = "INSERT INTO revision_time (number, at) VALUES (?1, ?2)";
            self.execute(sql, (number, now))?;
        }
        let sql = "SELECT max(number) FROM revision_time WHERE at < ?1";
        let over = now.minus(REVOCATIONS_KEPT);
        let Some(forgotten) = self.query_row(sql, [over], |row| row.get::<Option<i64>>(0))? else {
            return Ok(());
        };
        self.execute("UPDATE revision SET forgotten = ?1", [forgotten])?;
        for table in ["revoked_session", "removed_account"] {
            let sql = format!("DELETE FROM {table} WHERE revision <= ?1");
            self.execute(&sql, [forgotten])?;
        }
        self.execute("DELETE FROM revision_time WHERE number <= ?1", [forgotten])
    }

    /// Raises the revision, which makes every gate's copy stale. Gates that listen hear of it with the
    /// commit. Returns the new revision.
    pub fn raise_revision(&mut self) -> StoreResult<u64> {
        self.execute("UPDATE revision SET number = number + 1", ())?;
        self.notify()?;
        self.revision()
    }

    pub fn revision(&mut self) -> StoreResult<u64> {
        let sql = "SELECT number FROM revision";
        Ok(unsigned(self.query_row(sql, (), |row| row.get(0))?))
    }

    /// Records the revision that a gate has read.
    pub fn set_gate_revision(&mut self, gate: &[u8; 16], revision: u64) -> StoreResult<()> {
        let sql = "INSERT INTO gate (id, seen) VALUES (?1, ?2) \
                   ON CONFLICT (id) DO UPDATE SET seen = excluded.seen";
        self.execute(sql, (gate, signed(revision)))
    }

    /// Returns how many gates have read only an older revision.
    pub fn count_gates_behind(&mut self, revision: u64) -> StoreResult<u64> {
        let sql = "SELECT count(*) FROM gate WHERE seen < ?1";
        let count = self.query_row(sql, [signed(revision)], |row| row.get(0))?;
        Ok(unsigned(count))
    }

    /// Removes the gates that have read only an older revision, once their leases have expired.
    pub fn remove_gates_behind(&mut self, revision: u64) -> StoreResult<()> {
        self.execute("DELETE FROM gate WHERE seen < ?1", [signed(revision)])
    }

    /// Removes a gate that has ended.
    pub fn remove_gate(&mut self, gate: &[u8; 16]) -> StoreResult<()> {
        self.execute("DELETE FROM gate WHERE id = ?1", [gate])
    }

    /// Returns whether the session was ended individually.
    pub fn is_revoked(&mut self, id: SessionId) -> StoreResult<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM revoked_session WHERE id = ?1)";
        self.query_row(sql, [id], |row| row.get(0))
    }
}
