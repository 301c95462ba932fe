//! Frames that an I/O error leaves at the end of the WAL. A commit whose frames were written but
//! not synced is reported as failed. The next process that recovers the WAL would take these frames
//! for committed and append to them. Frames that never reached the disk would then be in the
//! middle, and a power failure would lose everything after them, accepted codes included.
//!
//! MUST truncate such frames before any process appends, and write nothing until that has
//! succeeded.

use crate::store::sqlite::files::location::with_suffix;
use crate::store::{StoreError, StoreResult};
use rusqlite::{Connection, ErrorCode};
use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Length of the WAL's header and of a frame's header, in bytes.
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// Attempts, since another process may commit between the two steps.
const TRIES: u32 = 5;

/// WAL of an open store.
pub(crate) struct WalEnd {
    wal: PathBuf,
    is_in_doubt: Cell<bool>,
}

impl WalEnd {
    pub(crate) fn new(path: &Path) -> WalEnd {
        WalEnd {
            wal: with_suffix(path, "-wal"),
            is_in_doubt: Cell::new(false),
        }
    }

    /// Truncates the frames of a failed commit, if there are any. MUST be called before every
    /// write.
    pub(crate) fn repair(&self, connection: &Connection) -> StoreResult<()> {
        match self.is_in_doubt.get() {
            false => Ok(()),
            true => self.truncate_uncommitted(connection),
        }
    }

    /// Records a failed commit. Truncates its frames now if possible, or else before the next
    /// write.
    pub(crate) fn record_failed_commit(&self, connection: &Connection, error: &rusqlite::Error) {
        if matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        ) {
            return;
        }
        self.is_in_doubt.set(true);
        // the commit's error is the one that is reported
        let _ = self.truncate_uncommitted(connection);
    }

    /// Truncates the frames after the last commit, under the write lock, so that no process
    /// appends.
    fn truncate_uncommitted(&self, connection: &Connection) -> StoreResult<()> {
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        for _ in 0..TRIES {
            let before = data_version(connection)?;
            let frames: i64 =
                connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1))?;
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let cut = match data_version(connection) {
                Ok(now) if now == before => Some(self.truncate_after(connection, frames)),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            };
            let ended = connection.execute_batch("ROLLBACK");
            if let Some(cut) = cut {
                cut?;
                ended?;
                self.is_in_doubt.set(false);
                return Ok(());
            }
            ended?;
        }
        Err(StoreError::Busy)
    }

    fn truncate_after(&self, connection: &Connection, frames: i64) -> StoreResult<()> {
        let page: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let length = match u64::try_from(frames) {
            Ok(0) | Err(_) => 0,
            Ok(frames) => WAL_HEADER + frames * (FRAME_HEADER + u64::from(page)),
        };
        let cut = || -> std::io::Result<()> {
            let wal = File::options().write(true).open(&self.wal)?;
            match wal.metadata()?.len() > length {
                true => wal.set_len(length),
                false => Ok(()),
            }
        };
        cut().map_err(|error| StoreError::Engine(format!("{}: {error}", self.wal.display())))
    }
}

/// Returns a number that changes when another connection commits.
fn data_version(connection: &Connection) -> StoreResult<i64> {
    Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::config::DbConfig;
    use rusqlite::ffi;
    use std::fs;

    fn opened(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .unwrap();
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .unwrap();
        connection
    }

    fn rows(connection: &Connection) -> i64 {
        connection
            .query_row("SELECT count(*) FROM a", [], |row| row.get(0))
            .unwrap()
    }

    /// A commit that was reported as failed must be invisible to the next process. That process
    /// would append to frames that never reached the disk, and a power failure would lose both.
    #[test]
    fn a_commit_that_could_not_be_synced_is_not_recovered() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let connection = opened(&at("db"));
        connection
            .execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (1)")
            .unwrap();
        // the frames of a commit, made on a copy
        fs::copy(at("db"), at("copy")).unwrap();
        fs::copy(at("db-wal"), at("copy-wal")).unwrap();
        opened(&at("copy"))
            .execute_batch("INSERT INTO a VALUES (2)")
            .unwrap();
        let length = fs::metadata(at("db-wal")).unwrap().len();
        fs::copy(at("copy-wal"), at("written")).unwrap();
        assert!(fs::metadata(at("written")).unwrap().len() > length);

        // written and not synced: SQLite reports an error
        let wal = fs::read(at("written")).unwrap();
        fs::write(at("db-wal"), wal).unwrap();
        let wal_end = WalEnd::new(&at("db"));
        let failed = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC), None);
        wal_end.record_failed_commit(&connection, &failed);
        assert_eq!(fs::metadata(at("db-wal")).unwrap().len(), length);
        wal_end.repair(&connection).unwrap();
        assert_eq!(rows(&connection), 1);
        drop(connection);

        let next = opened(&at("db"));
        assert_eq!(rows(&next), 1);
        next.execute_batch("INSERT INTO a VALUES (3)").unwrap();
        drop(next);
        assert_eq!(rows(&opened(&at("db"))), 2);
    }

    /// Nothing is appended while the end of the WAL is uncertain.
    #[test]
    fn nothing_is_written_after_an_end_that_cannot_be_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let connection = opened(&folder.path().join("db"));
        connection.execute_batch("CREATE TABLE a (b)").unwrap();
        let wal_end = WalEnd::new(&folder.path().join("other"));
        let failed = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC), None);
        wal_end.record_failed_commit(&connection, &failed);
        assert!(wal_end.repair(&connection).is_err());
        fs::write(folder.path().join("other-wal"), "").unwrap();
        wal_end.repair(&connection).unwrap();
    }
}
