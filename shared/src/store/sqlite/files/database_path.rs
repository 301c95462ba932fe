//! Check that the open store is still the file at its path. SQLite does not notice that a store was
//! moved or replaced by a backup: a gate that kept it open would grant access that was revoked in
//! the new one.

use crate::store::sqlite::locks::lock_holder;
use crate::store::{StoreError, StoreResult};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Path of a store, and the file that it led to.
pub(crate) struct DatabasePath {
    path: PathBuf,
    file: (u64, u64),
}

impl DatabasePath {
    pub(crate) fn open(path: &Path) -> StoreResult<DatabasePath> {
        let file = file(path).map_err(|_| StoreError::Moved)?;
        Ok(DatabasePath {
            path: path.to_owned(),
            file,
        })
    }

    pub(crate) fn file_id(&self) -> (u64, u64) {
        self.file
    }

    /// Adds the process that holds the store, if another one does, to the error of a failed wait.
    pub(crate) fn name_lock_holder(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Busy => lock_holder::busy_error(&self.path),
            error => error,
        }
    }

    pub(crate) fn check_unmoved(&self) -> StoreResult<()> {
        match file(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            _ => Err(StoreError::Moved),
        }
    }
}

fn file(path: &Path) -> io::Result<(u64, u64)> {
    path.metadata()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}
