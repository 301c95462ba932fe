//! An open connection with its deadline and the state of its WAL. Another thread may continue its
//! transaction.

use super::Deadline;
use super::wal::WalEnd;
use crate::store::StoreError;
use rusqlite::{Connection, ffi};

pub(super) struct StoreConnection {
    pub(super) connection: Connection,
    pub(super) deadline: Deadline,
    pub(super) wal_end: WalEnd,
}

/// Result of a commit, copied to each attempt that shared it.
pub(in crate::store) type CommitResult = Result<(), CommitError>;

/// Error of a commit as SQLite reports it, in a form that can be copied.
#[derive(Clone, Debug)]
pub(in crate::store) struct CommitError {
    code: ffi::Error,
    message: Option<String>,
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
            CommitError::from(error)
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

impl CommitError {
    /// Returns the error of a commit that was not reached.
    pub(super) fn aborted() -> CommitError {
        let message = "the transaction ended before its commit".to_owned();
        CommitError {
            code: ffi::Error::new(ffi::SQLITE_ABORT),
            message: Some(message),
        }
    }
}

impl From<rusqlite::Error> for CommitError {
    fn from(error: rusqlite::Error) -> CommitError {
        match error {
            rusqlite::Error::SqliteFailure(code, message) => CommitError { code, message },
            other => CommitError {
                code: ffi::Error::new(ffi::SQLITE_ERROR),
                message: Some(other.to_string()),
            },
        }
    }
}

impl From<CommitError> for StoreError {
    fn from(CommitError { code, message }: CommitError) -> StoreError {
        rusqlite::Error::SqliteFailure(code, message).into()
    }
}
