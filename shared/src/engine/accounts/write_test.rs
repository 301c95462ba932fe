//! Test that the store accepts writes. A full disk, a read-only disk and a lock held by another
//! process show only in a write.

use crate::engine::{Accounts, EngineError};
use crate::store::Intent;

impl Accounts<'_> {
    /// Commits a change durably. The same transaction reverts the change, so the store stays as it
    /// was.
    pub fn try_write(&mut self) -> Result<(), EngineError> {
        let mut tx = self.engine.begin(Intent::Write)?;
        // No gate has this id, since gate ids are random.
        let unused_id = [0; 16];
        let revision = tx.revision()?;
        tx.set_gate_revision(&unused_id, revision)?;
        tx.remove_gate(&unused_id)?;
        Ok(tx.commit()?)
    }
}
