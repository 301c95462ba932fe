//! An open connection with its deadline and the state of its WAL. Another thread may continue its
//! transaction.

use super::APPLICATION;
use super::locks::busy_handler;
use super::settings::{Deadline, harden};
use super::wal::WalEnd;
use crate::store::{StoreError, StoreResult};
use rusqlite::{Connection, Error, OpenFlags, ffi};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct StoreConnection {
    pub(super) connection: Connection,
    pub(super) deadline: Deadline,
    pub(super) wal_end: WalEnd,
}

/// Result of a commit, shared by each attempt in it.
pub(in crate::store) type CommitResult = Result<(), Arc<Error>>;

/// Opens a store's file. SQLite's work in each transaction has a time limit.
pub(super) fn connect(path: &Path, limit: Duration) -> StoreResult<(Connection, Deadline)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(busy_handler::retry_while_busy))?;
    let deadline = Deadline::install(&connection)?;
    deadline.set(limit);
    harden(&connection)?;
    Ok((connection, deadline))
}

/// Returns the version of a store. Refuses any other file.
pub(super) fn store_version(connection: &Connection) -> StoreResult<i64> {
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION {
        return Err(StoreError::Damaged(
            "it is not a store of Postern".to_owned(),
        ));
    }
    Ok(user_version(connection)?)
}

/// Returns the version in the store now.
pub(super) fn user_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))
}

/// Turns WAL mode on in a backup that VACUUM INTO made. The two bytes that change are in one
/// sector, and only root can create a journal file here.
pub(super) fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        connection.pragma_update(None, "journal_mode", "MEMORY")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    Ok(())
}

/// Returns the result of a commit that was not reached.
pub(super) fn aborted() -> CommitResult {
    let message = "the transaction ended before its commit".to_owned();
    let code = ffi::Error::new(ffi::SQLITE_ABORT);
    Err(Arc::new(Error::SqliteFailure(code, Some(message))))
}

impl StoreConnection {
    /// Returns whether a transaction is open. SQLite may have rolled it back by itself, such as
    /// after an I/O error.
    pub(super) fn is_in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub(super) fn commit(&self) -> CommitResult {
        self.execute("COMMIT").map_err(|error| {
            self.wal_end.record_failed_commit(&self.connection, &error);
            self.roll_back();
            Arc::new(error)
        })
    }

    pub(super) fn roll_back(&self) {
        if self.is_in_transaction() {
            // if the rollback fails, SQLite rolls back when the connection is next used or closed
            let _ = self.execute("ROLLBACK");
        }
    }

    /// Runs a cached statement without parameters.
    pub(super) fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(sql)?
            .raw_execute()
            .map(|_| ())
    }
}
