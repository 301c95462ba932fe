//! The store together with its keys.
//! Each transaction uses the data keys that were current when it began, so a key rotation in
//! another process never splits a transaction.

use crate::config::StoreConfig as Settings;
use crate::crypto::master_key::MasterKeys;
use crate::crypto::vault::{Vault, VaultError, WrappedKey};
use crate::engine::EngineError;
use crate::store::{self, Intent, Store, StoreError, StoreRisk, TemporaryStore, Transaction};
use crate::system::admission::AdmissionClass;
use std::path::{Path, PathBuf};

pub(in crate::engine) struct KeyedStore {
    store: Store,
    /// Where the store is, for messages.
    url: String,
    key_file: PathBuf,
}

impl KeyedStore {
    pub(in crate::engine) fn open(settings: &Settings) -> Result<(KeyedStore, Vault), EngineError> {
        let store = store::open(settings)?;
        let url = settings.url.to_string();
        let mut keyed = KeyedStore {
            store,
            url,
            key_file: settings.key_file.path().to_owned(),
        };
        let mut transaction = keyed.store.begin(Intent::Read)?;
        let wrapped = transaction.data_keys()?;
        let (_, vault) = unwrap(&keyed.key_file, &keyed.url, &wrapped)?;
        drop(transaction);
        Ok((keyed, vault))
    }

    /// Begins a transaction. Afterwards `vault` holds the data keys of that transaction.
    pub(in crate::engine) fn begin(
        &mut self,
        vault: &mut Vault,
        intent: Intent,
    ) -> Result<Transaction<'_>, EngineError> {
        let mut transaction = self.store.begin(intent)?;
        let wrapped = transaction.data_keys()?;
        if !vault.is_opened_from(&wrapped) {
            (_, *vault) = unwrap(&self.key_file, &self.url, &wrapped)?;
        }
        Ok(transaction)
    }

    /// Returns the master keys of the key file that wrap a data key. No wrapping key is missing
    /// there, or the store would not open.
    pub(in crate::engine) fn masters_in_use(&mut self) -> Result<MasterKeys, EngineError> {
        let mut transaction = self.store.begin(Intent::Read)?;
        let wrapped = transaction.data_keys()?;
        let (masters, _) = unwrap(&self.key_file, &self.url, &wrapped)?;
        let in_use: Vec<_> = wrapped.iter().map(|key| key.master).collect();
        Ok(masters.retain(&in_use))
    }

    /// Sets the admission class of the writes that follow: see [`Store::set_write_class`].
    pub(in crate::engine) fn set_write_class(&mut self, class: AdmissionClass) {
        self.store.set_write_class(class);
    }

    /// Returns whether the store refuses writes: see [`Store::is_read_only`].
    pub(in crate::engine) fn is_read_only(&self) -> bool {
        self.store.is_read_only()
    }

    /// Returns whether only a commit shows that a read is in force: see [`Store::may_be_replaced`].
    pub(in crate::engine) fn may_be_replaced(&self) -> bool {
        self.store.may_be_replaced()
    }

    /// Returns what could break a promise of the store: see [`Store::risks`].
    pub(in crate::engine) fn risks(&mut self) -> Result<Vec<StoreRisk>, StoreError> {
        self.store.risks()
    }

    /// Returns up to which number events are final: see [`Store::settled_event_number`].
    pub(in crate::engine) fn settled_event_number(&mut self) -> Result<Option<i64>, StoreError> {
        self.store.settled_event_number()
    }

    /// Writes the store as of one moment into an empty file: see [`Store::copy_to`].
    pub(in crate::engine) fn copy_to(&mut self, copy: &TemporaryStore) -> Result<(), StoreError> {
        self.store.copy_to(copy)
    }

    /// Removes overwritten content from the WAL: see [`Store::truncate_wal`].
    pub(in crate::engine) fn truncate_wal(&mut self) -> Result<(), StoreError> {
        self.store.truncate_wal()
    }
}

/// Reads the master keys and unwraps the data keys.
///
/// MUST be called within the transaction that returned the wrapped keys: a master key is in the
/// file before a store is wrapped with it, and is removed only after a [`Store::truncate_wal`],
/// which waits for every transaction that still sees what the key wrapped.
fn unwrap(
    key_file: &Path,
    store: &str,
    wrapped: &[WrappedKey],
) -> Result<(MasterKeys, Vault), EngineError> {
    let masters = MasterKeys::read_file(key_file)?;
    match Vault::open(&masters, wrapped) {
        Ok(vault) => Ok((masters, vault)),
        Err(VaultError::WrongKey) => Err(EngineError::WrongKey {
            key: key_file.to_owned(),
            store: store.to_owned(),
        }),
        Err(error) => Err(error.into()),
    }
}
