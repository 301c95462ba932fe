//! An open connection with its deadline and the state of its WAL. Another thread may continue its transaction.

use super::Deadline;
use super::wal_end::WalEnd;
use crate::store::StoreError;
use rusqlite::{Connection, ffi};

/// A connection to the store.
pub(super) struct Handle {
    pub(super) connection: Connection,
    pub(super) deadline: Deadline,
    pub(super) tail: WalEnd,
}

/// The outcome of a commit, for each attempt that shared it.
pub(super) type HandleResult = Result<(), HandleFailure>;

/// The error of a commit, as SQLite reports it.
#[derive(Clone, Debug)]
pub(super) struct HandleFailure {
    code: ffi::Error,
    message: Option<String>,
}

impl Handle {
    /// Whether its transaction still goes on. The engine may have rolled it back as a whole, such as after an I/O error.
    pub(super) fn is_under_way(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Makes its transaction durable.
    pub(super) fn commit(&self) -> HandleResult {
        self.run("COMMIT").map_err(|error| {
            self.tail.failed(&self.connection, &error);
            self.roll_back();
            HandleFailure::from(error)
        })
    }

    /// Leaves nothing of it.
    pub(super) fn roll_back(&self) {
        if self.is_under_way() {
            // what the engine cannot roll back now it rolls back when the connection is used or closed
            let _ = self.run("ROLLBACK");
        }
    }

    /// Runs a statement without parameters, kept prepared.
    pub(super) fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(sql)?
            .raw_execute()
            .map(|_| ())
    }
}

impl HandleFailure {
    /// Of a commit that was not reached.
    pub(super) fn lost() -> HandleFailure {
        let message = "the transaction ended before its commit".to_owned();
        HandleFailure {
            code: ffi::Error::new(ffi::SQLITE_ABORT),
            message: Some(message),
        }
    }
}

impl From<rusqlite::Error> for HandleFailure {
    fn from(error: rusqlite::Error) -> HandleFailure {
        match error {
            rusqlite::Error::SqliteFailure(code, message) => HandleFailure { code, message },
            other => HandleFailure {
                code: ffi::Error::new(ffi::SQLITE_ERROR),
                message: Some(other.to_string()),
            },
        }
    }
}

impl From<HandleFailure> for StoreError {
    fn from(HandleFailure { code, message }: HandleFailure) -> StoreError {
        rusqlite::Error::SqliteFailure(code, message).into()
    }
}
