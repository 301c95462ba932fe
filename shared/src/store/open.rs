//! The configured store, by its URL: opened, created and upgraded.

use super::StoreResult;
use super::sqlite::{self, Store, TemporaryStore};
use crate::config::StoreUrl;
use crate::crypto::vault::WrappedKey;
use std::path::PathBuf;

/// Opens the configured store.
pub fn open(url: &StoreUrl) -> StoreResult<Store> {
    Store::open(url.sqlite_path())
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpgradeResult {
    UpToDate(i64),
    Upgraded {
        from: i64,
        to: i64,
        /// Copy of the old store, in the same folder.
        backup: PathBuf,
    },
}

/// Upgrades the configured store to this program's version, in one transaction.
pub fn upgrade(url: &StoreUrl) -> StoreResult<UpgradeResult> {
    Store::upgrade(url.sqlite_path())
}

/// Returns whether the store's file header names this program's version. Does not open the store.
///
/// # Errors
/// The file is missing or not trusted.
pub fn has_current_version(url: &StoreUrl) -> StoreResult<bool> {
    Store::has_current_version(url.sqlite_path())
}

/// Creates a store with these data keys, shared with `group`. An existing store is an error.
pub fn create(url: &StoreUrl, group: Option<u32>, keys: &[WrappedKey]) -> StoreResult<()> {
    sqlite::create(url.sqlite_path(), group, keys)
}

/// Creates the empty `-wal` and `-shm` files if only the store itself was restored from a backup.
/// Only root can create files in the store's folder, but every user of the store needs these two.
///
/// # Errors
/// A file cannot be created.
pub fn make_missing_files(url: &StoreUrl) -> StoreResult<()> {
    sqlite::make_missing_files(url.sqlite_path())
}

/// Creates the files of a store that is being copied or restored, for `user`.
pub fn create_temporary(url: &StoreUrl, user: u32) -> StoreResult<TemporaryStore> {
    TemporaryStore::create(url.sqlite_path(), user)
}

pub fn exists(url: &StoreUrl) -> bool {
    url.sqlite_path().symlink_metadata().is_ok()
}
