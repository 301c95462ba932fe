//! Whether the store that is open is still the one at its path. A store that was moved away, or put back from a backup,
//! while a gate has it open would go on letting in whom the other one revokes: SQLite sees nothing of that.

use crate::store::StoreError;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A path, and the file that stood there.
pub(super) struct DatabasePath {
    path: PathBuf,
    file: (u64, u64),
}

impl DatabasePath {
    pub(super) fn open(path: &Path) -> Result<DatabasePath, StoreError> {
        let file = file(path).map_err(|_| StoreError::Moved)?;
        Ok(DatabasePath {
            path: path.to_owned(),
            file,
        })
    }

    /// Device and number of the file.
    pub(super) fn file_id(&self) -> (u64, u64) {
        self.file
    }

    /// A wait that was in vain, with who holds the store, if another process does.
    pub(super) fn name_lock_holder(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Busy => super::lock_holder::busy_error(&self.path),
            error => error,
        }
    }

    pub(super) fn check_unmoved(&self) -> Result<(), StoreError> {
        match file(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            _ => Err(StoreError::Moved),
        }
    }
}

/// Device and number.
fn file(path: &Path) -> io::Result<(u64, u64)> {
    path.metadata()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}
