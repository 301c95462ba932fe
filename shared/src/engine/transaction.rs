//! One transaction of the store, with what an act needs beside it: configuration, keys and time.
//! The keys are those of the transaction, so a key rotation in another process never splits an act.

use super::{Engine, EngineError};
use crate::config::Config;
use crate::crypto::vault::Vault;
use crate::store::{Intent, StoreError, Transaction};
use crate::system::clock::Timestamp;
use std::ops::{Deref, DerefMut};

pub(in crate::engine) struct EngineTransaction<'e> {
    pub(in crate::engine) config: &'e Config,
    pub(in crate::engine) vault: &'e Vault,
    pub(in crate::engine) now: Timestamp,
    open: Transaction<'e>,
}

impl Engine {
    pub(in crate::engine) fn begin(
        &mut self,
        intent: Intent,
        now: Timestamp,
    ) -> Result<EngineTransaction<'_>, EngineError> {
        let open = self.store.begin(&mut self.vault, intent)?;
        Ok(EngineTransaction {
            config: &self.config,
            vault: &self.vault,
            now,
            open,
        })
    }
}

impl EngineTransaction<'_> {
    /// Commits durably. Access is granted only after this returns.
    pub(in crate::engine) fn commit(self) -> Result<(), StoreError> {
        self.open.commit()
    }
}

impl<'e> Deref for EngineTransaction<'e> {
    type Target = Transaction<'e>;

    fn deref(&self) -> &Transaction<'e> {
        &self.open
    }
}

impl<'e> DerefMut for EngineTransaction<'e> {
    fn deref_mut(&mut self) -> &mut Transaction<'e> {
        &mut self.open
    }
}
