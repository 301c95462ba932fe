//! When sessions were used last, as gates store it for `gate.idle_timeout` in short transactions.

use crate::engine::{EngineError, Sessions};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::token::session::SessionId;

/// Rows per transaction, because logins wait for each of them.
const ROWS_PER_TRANSACTION: usize = 100;

impl Sessions<'_> {
    /// Returns the last uses of at most `limit` sessions with ids above `after`, by id.
    pub fn session_uses(
        &mut self,
        after: SessionId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<(SessionId, Timestamp)>, EngineError> {
        let mut tx = self.engine.begin(Intent::Read)?;
        Ok(tx.session_uses(after, limit, now)?)
    }

    /// Returns the last uses of the sessions with ids from the first to the last.
    pub fn session_uses_between(
        &mut self,
        (first, last): (SessionId, SessionId),
        now: Timestamp,
    ) -> Result<Vec<(SessionId, Timestamp)>, EngineError> {
        let mut tx = self.engine.begin(Intent::Read)?;
        Ok(tx.session_uses_between(first, last, now)?)
    }

    /// Stores last uses that are later than the stored ones.
    pub fn record_session_uses(
        &mut self,
        uses: &[(SessionId, Timestamp)],
    ) -> Result<(), EngineError> {
        // in one order, so that no two gates wait for one another
        let mut uses = uses.to_vec();
        uses.sort_unstable_by_key(|(id, _)| id.0);
        for uses in uses.chunks(ROWS_PER_TRANSACTION) {
            let mut tx = self.engine.begin(Intent::Write)?;
            for (id, at) in uses {
                tx.record_session_use(*id, *at)?;
            }
            tx.commit()?;
        }
        Ok(())
    }

    /// Returns whether more than one gate uses the store.
    pub fn has_other_gates(&mut self) -> Result<bool, EngineError> {
        let mut tx = self.engine.begin(Intent::Read)?;
        Ok(tx.count_gates_behind(u64::MAX >> 1)? > 1)
    }
}
