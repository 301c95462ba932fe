//! Whether the store takes writes, tried: a full disk, a read-only one, and a lock that somebody holds show in nothing
//! else.

use crate::engine::{Engine, EngineError};
use crate::store::Intent;

impl Engine {
    /// Commits a change, durably, and takes it back in the same transaction: it leaves nothing.
    pub fn try_write(&mut self) -> Result<(), EngineError> {
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        // no gate has this number, which says nothing of random ones
        let nobody = [0; 16];
        let revision = tx.revision()?;
        tx.set_gate_revision(&nobody, revision)?;
        tx.remove_gate(&nobody)?;
        Ok(tx.commit()?)
    }
}
