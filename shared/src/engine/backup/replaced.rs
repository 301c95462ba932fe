//! The store that a restore replaces, as the witness of what was used and revoked since the backup.
//! It is locked meanwhile. Where a part of it cannot be read, it is no witness at all.

use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{OtpParameters, Step};
use crate::crypto::vault::Vault;
use crate::engine::accounts::account_data::load_floor;
use crate::engine::{Engine, EngineError};
use crate::store::{Intent, RestoredCredential, StoreError, Transaction};
use crate::system::clock::Timestamp;
use std::collections::BTreeSet;

/// Rows that one transaction reads.
pub(super) const BATCH: u32 = 500;

/// The store that is replaced, locked against all changes.
pub struct ReplacedStore<'e> {
    transaction: Transaction<'e>,
    vault: &'e Vault,
    /// Why it could not be read.
    failure: Option<String>,
}

impl Engine {
    /// Locks the store that is to be replaced, until the result is dropped: no code is accepted
    /// meanwhile, and none afterwards, since every transaction checks that the store was not
    /// replaced.
    pub fn lock_replaced(&mut self) -> Result<ReplacedStore<'_>, EngineError> {
        let (mut transaction, _, vault) = self.begin_with_keys(Intent::Write)?;
        transaction.allow_long_work();
        Ok(ReplacedStore {
            transaction,
            vault,
            failure: None,
        })
    }
}

impl ReplacedStore<'_> {
    /// Returns why the last read failed, if this store is damaged.
    pub(super) fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    fn read<T>(
        &mut self,
        read: impl FnOnce(&mut Transaction<'_>, &Vault) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let found = read(&mut self.transaction, self.vault);
        if let Err(error) = &found {
            let may_be_repeated = matches!(
                error,
                StoreError::Busy | StoreError::Held(_) | StoreError::Moved
            );
            if !may_be_repeated {
                self.failure = Some(error.to_string());
            }
        }
        found
    }

    /// Returns when the newest event of this store took place.
    pub(super) fn newest_event_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|transaction, _| transaction.newest_event_time())
    }

    pub(super) fn is_of_same_store(&self, vault: &Vault) -> bool {
        self.vault.is_of_same_store(vault)
    }

    /// Returns whether this is the store of the backup, in use since that was made, without a gap:
    /// one that was restored since does not know what was used before that.
    pub(super) fn knows_uses_since(
        &mut self,
        created: Timestamp,
        vault: &Vault,
    ) -> Result<bool, StoreError> {
        let is_same = self.is_of_same_store(vault);
        let newest = self.newest_event_time()?;
        let was_restored = self.read(|transaction, _| transaction.was_restored_since(created))?;
        Ok(is_same && newest.is_some_and(|newest| newest >= created) && !was_restored)
    }

    pub(super) fn floor(
        &mut self,
        secret: &Secret,
        parameters: OtpParameters,
    ) -> Result<Option<Step>, StoreError> {
        self.read(|transaction, vault| load_floor(vault, transaction, secret, parameters))
    }

    /// Copies the floor and the accepted steps of every secret, also of those that the restored
    /// store does not have: a secret may be enrolled again.
    pub(super) fn copy_used_steps(&mut self, engine: &mut Engine) -> Result<(), EngineError> {
        let mut after = Vec::new();
        loop {
            let floors = self.read(|transaction, _| transaction.floors_after(&after, BATCH))?;
            let Some((last, _)) = floors.last() else {
                break;
            };
            after = last.0.to_vec();
            let mut transaction = engine.begin(Intent::Write)?;
            for (fingerprint, floor) in &floors {
                transaction.raise_floor(fingerprint, *floor)?;
            }
            transaction.commit()?;
        }
        let mut after = (Vec::new(), Step(0));
        loop {
            let steps = self.read(|transaction, _| {
                transaction.accepted_steps_after((&after.0, after.1), BATCH)
            })?;
            let Some((last, step)) = steps.last() else {
                return Ok(());
            };
            after = (last.0.to_vec(), *step);
            let mut transaction = engine.begin(Intent::Write)?;
            for (fingerprint, step) in &steps {
                transaction.refuse_step(fingerprint, *step)?;
            }
            transaction.commit()?;
        }
    }

    /// Marks recovery codes as used that this store knows as used.
    pub(super) fn consume_used_recovery_codes(
        &mut self,
        engine: &mut Engine,
    ) -> Result<(), EngineError> {
        let mut after = None;
        loop {
            let used = self.read(|transaction, _| {
                transaction.used_recovery_codes_after(after.as_ref(), BATCH)
            })?;
            let Some((account, hash, _)) = used.last() else {
                return Ok(());
            };
            after = Some((*account, *hash));
            let mut transaction = engine.begin(Intent::Write)?;
            for (account, hash, used_at) in &used {
                transaction.mark_recovery_code_used(AccountId(*account), hash, *used_at)?;
            }
            transaction.commit()?;
        }
    }

    /// Removes the app passwords, recovery codes and passkeys that this store does not have: they were revoked
    /// or replaced since the backup.
    pub(super) fn remove_revoked(&mut self, engine: &mut Engine) -> Result<(), EngineError> {
        for what in [
            RestoredCredential::AppPasswords,
            RestoredCredential::RecoveryCodes,
            RestoredCredential::Passkeys,
        ] {
            let mut after = (0, Vec::new());
            loop {
                let mut transaction = engine.begin(Intent::Write)?;
                let restored = transaction.credentials_after(what, (after.0, &after.1), BATCH)?;
                let Some(last) = restored.last() else {
                    break;
                };
                after.clone_from(last);
                for (account, hash) in &restored {
                    if !self.read(|old, _| old.has_credential(what, *account, hash))? {
                        transaction.remove_credential(what, *account, hash)?;
                    }
                }
                transaction.commit()?;
            }
        }
        Ok(())
    }

    /// Returns the accounts of the restored store that this one does not have.
    pub(super) fn removed_accounts(
        &mut self,
        engine: &mut Engine,
    ) -> Result<BTreeSet<UserName>, EngineError> {
        let mut removed = BTreeSet::new();
        let mut after = 0;
        let mut transaction = engine.begin(Intent::Read)?;
        transaction.allow_long_work();
        loop {
            let restored = transaction.account_numbers_after(after, BATCH)?;
            let Some((last, _)) = restored.last() else {
                return Ok(removed);
            };
            after = *last;
            for (number, name) in restored {
                if !self.read(|old, _| old.has_account_number(number))? {
                    removed.insert(name);
                }
            }
        }
    }
}
