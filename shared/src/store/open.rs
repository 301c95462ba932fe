//! The configured store, by its URL: opened, created and upgraded.

use super::database::{Database, Store};
use super::postgres::{self, PostgresStore, Server};
use super::sqlite::{self, STORE_VERSION, SqliteStore, TemporaryStore};
use super::{StoreError, StoreResult};
use crate::config::{StoreConfig, StoreUrl};
use crate::crypto::vault::WrappedKey;
use std::path::PathBuf;
use std::time::Duration;

/// Opens the configured store.
pub fn open(settings: &StoreConfig) -> StoreResult<Store> {
    Ok(Store(match &settings.url {
        StoreUrl::Sqlite(path) => Database::Sqlite(Box::new(SqliteStore::open(path)?)),
        StoreUrl::Postgres(url) => {
            Database::Postgres(PostgresStore::open(Server::new(url, settings))?)
        }
    }))
}

/// Notifications of new revisions, as soon as another process has committed them.
pub struct RevisionListener(postgres::NotificationListener);

impl RevisionListener {
    /// Begins to listen. A store in a file has no notifications.
    ///
    /// # Errors
    /// PostgreSQL cannot be reached.
    pub fn open(settings: &StoreConfig) -> StoreResult<Option<RevisionListener>> {
        match &settings.url {
            StoreUrl::Sqlite(_) => Ok(None),
            StoreUrl::Postgres(url) => {
                let listener = postgres::listen(Server::new(url, settings))?;
                Ok(Some(RevisionListener(listener)))
            }
        }
    }

    /// Waits for a notification, for at most `limit`. Returns whether one arrived. It is a hint to
    /// read the store: what this misses, only reading finds.
    ///
    /// # Errors
    /// The connection is lost: no notification arrives any more.
    pub fn wait(&mut self, limit: Duration) -> StoreResult<bool> {
        self.0.wait(limit)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpgradeResult {
    UpToDate(i64),
    Upgraded {
        from: i64,
        to: i64,
        /// Copy of the old store, in the same folder. PostgreSQL makes none.
        backup: Option<PathBuf>,
    },
}

/// Upgrades the configured store to this program's version, in one transaction.
pub fn upgrade(settings: &StoreConfig) -> StoreResult<UpgradeResult> {
    match &settings.url {
        StoreUrl::Sqlite(path) => SqliteStore::upgrade(path),
        StoreUrl::Postgres(url) => postgres::upgrade(&Server::new(url, settings)),
    }
}

/// Returns whether the store names this program's version. Does not open a store in a file.
///
/// # Errors
/// The file is missing or not trusted, or PostgreSQL cannot be reached.
pub fn has_current_version(settings: &StoreConfig) -> StoreResult<bool> {
    match &settings.url {
        StoreUrl::Sqlite(path) => SqliteStore::has_current_version(path),
        StoreUrl::Postgres(url) => {
            let found = postgres::version(&Server::new(url, settings))?;
            Ok(found == i64::from(STORE_VERSION))
        }
    }
}

/// Creates a store with these data keys. A file is shared with `group`. An existing store is an
/// error.
pub fn create(settings: &StoreConfig, group: Option<u32>, keys: &[WrappedKey]) -> StoreResult<()> {
    match &settings.url {
        StoreUrl::Sqlite(path) => sqlite::create(path, group, keys),
        StoreUrl::Postgres(url) => postgres::create(&Server::new(url, settings), keys),
    }
}

/// Creates the empty `-wal` and `-shm` files if only the store itself was restored from a backup.
/// Only root can create files in the store's folder, but every user of the store needs these two.
///
/// # Errors
/// A file cannot be created.
pub fn make_missing_files(url: &StoreUrl) -> StoreResult<()> {
    url.sqlite_path().map_or(Ok(()), sqlite::make_missing_files)
}

/// Creates the files of a store that is being copied or restored, for `user`.
pub fn create_temporary(url: &StoreUrl, user: u32) -> StoreResult<TemporaryStore> {
    let path = url.sqlite_path().ok_or(StoreError::OnlySqlite)?;
    TemporaryStore::create(path, user)
}

/// Returns whether there is a store.
///
/// # Errors
/// PostgreSQL cannot be reached.
pub fn exists(settings: &StoreConfig) -> StoreResult<bool> {
    match &settings.url {
        StoreUrl::Sqlite(path) => Ok(path.symlink_metadata().is_ok()),
        StoreUrl::Postgres(url) => postgres::exists(&Server::new(url, settings)),
    }
}
