//! The opened store, in the database that `store.url` names. Nothing above this file knows which one
//! it is.

use super::column::{NextRow, Row, Value};
use super::postgres::{self, PostgresStore};
use super::sqlite::{self, SqliteStore};
use super::{Intent, StoreError, StoreResult, StoreRisk, TemporaryStore, Transaction};
use crate::account::event::EventFilter;
use crate::system::admission::AdmissionClass;
use std::time::Duration;

/// An open store, with the connection of its transactions.
pub struct Store(pub(super) Database);

pub(super) enum Database {
    Sqlite(Box<SqliteStore>),
    Postgres(PostgresStore),
}

impl Store {
    /// Begins a transaction. A transaction that is dropped without a commit changes nothing.
    pub fn begin(&mut self, intent: Intent) -> StoreResult<Transaction<'_>> {
        let open = match &mut self.0 {
            Database::Sqlite(store) => OpenTransaction::Sqlite(store.begin(intent)?),
            Database::Postgres(store) => OpenTransaction::Postgres(store.begin(intent)?),
        };
        Ok(Transaction::new(open, intent))
    }

    /// Sets the class of the writes that follow. A better class writes first, within a limit that
    /// protects the other classes from starvation. In PostgreSQL only accounts and addresses wait
    /// for one another.
    pub fn set_write_class(&mut self, class: AdmissionClass) {
        match &mut self.0 {
            Database::Sqlite(store) => store.set_write_class(class),
            Database::Postgres(_) => {}
        }
    }

    /// Returns whether the store can only be read, since the disk accepted no write at its opening.
    pub fn is_read_only(&self) -> bool {
        match &self.0 {
            Database::Sqlite(store) => store.is_read_only(),
            // connections are made only to servers that take writes
            Database::Postgres(_) => false,
        }
    }

    /// Returns whether another server may have taken the place of the one that is read, so that only a
    /// commit shows that what was read is in force. PostgreSQL's primary that is cut off from its
    /// standbys still answers reads after one of them was promoted, and takes no commits.
    pub fn may_be_replaced(&self) -> bool {
        matches!(self.0, Database::Postgres(_))
    }

    /// Waits for every transaction that still reads overwritten and deleted content. Removes the
    /// content from SQLite's WAL; PostgreSQL keeps it until its own VACUUM, sealed.
    pub fn truncate_wal(&mut self) -> StoreResult<()> {
        match &mut self.0 {
            Database::Sqlite(store) => store.truncate_wal(),
            Database::Postgres(store) => store.await_older_transactions(),
        }
    }

    /// Returns what of the database's settings could break a promise. A file has no settings.
    pub fn risks(&mut self) -> StoreResult<Vec<StoreRisk>> {
        match &mut self.0 {
            Database::Sqlite(_) => Ok(Vec::new()),
            Database::Postgres(store) => store.risks(),
        }
    }

    /// Returns a number up to which no audit event will be added any more. `None` if that is not
    /// known within a time limit, since another transaction that adds one has not ended.
    pub fn settled_event_number(&mut self) -> StoreResult<Option<i64>> {
        match &mut self.0 {
            // numbers are committed in their order
            Database::Sqlite(_) => {
                let mut transaction = self.begin(Intent::Read)?;
                let newest = transaction.number_before_newest(&EventFilter::default(), 0)?;
                Ok(Some(newest))
            }
            Database::Postgres(store) => store.settled_event_number(),
        }
    }

    /// Writes the store as of one moment into an empty file. Others read and write meanwhile. The
    /// result is one file without a WAL.
    pub fn copy_to(&mut self, copy: &TemporaryStore) -> StoreResult<()> {
        match &mut self.0 {
            Database::Sqlite(store) => store.copy_to(copy),
            Database::Postgres(_) => Err(StoreError::OnlySqlite),
        }
    }
}

/// An open transaction of either database.
pub(super) enum OpenTransaction<'a> {
    Sqlite(sqlite::SqliteTransaction<'a>),
    Postgres(postgres::PostgresTransaction),
}

impl OpenTransaction<'_> {
    pub(super) fn execute(&self, sql: &str, values: &[Value<'_>]) -> StoreResult<usize> {
        match self {
            OpenTransaction::Sqlite(open) => open.execute(sql, values),
            OpenTransaction::Postgres(open) => open.execute(sql, values),
        }
    }

    /// Runs a statement whose answer nothing needs. In PostgreSQL it is sent with the next one that is
    /// waited for, in their order, and an error is that of the next one.
    pub(super) fn send(&self, sql: &str, values: &[Value<'_>]) -> StoreResult<()> {
        match self {
            OpenTransaction::Sqlite(open) => open.execute(sql, values).map(drop),
            OpenTransaction::Postgres(open) => open.send(sql, values),
        }
    }

    /// Runs a statement, and reads its rows as long as `read` says.
    pub(super) fn query(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: &mut dyn FnMut(&Row<'_>) -> StoreResult<NextRow>,
    ) -> StoreResult<()> {
        match self {
            OpenTransaction::Sqlite(open) => open.query(sql, values, read),
            OpenTransaction::Postgres(open) => open.query(sql, values, read),
        }
    }

    /// Whether other transactions may write before this one ends. Then it takes locks.
    pub(super) fn has_other_writers(&self) -> bool {
        matches!(self, OpenTransaction::Postgres(_))
    }

    /// Panics if the statement would scan a growing table while others wait for the write lock.
    pub(super) fn check_plan(&self, sql: &str) {
        if let OpenTransaction::Sqlite(open) = self {
            open.check_plan(sql);
        }
    }

    /// Sets the time limit of the database's work from now on.
    pub(super) fn set_time_limit(&self, limit: Duration) {
        match self {
            OpenTransaction::Sqlite(open) => open.set_time_limit(limit),
            OpenTransaction::Postgres(open) => open.set_time_limit(limit),
        }
    }

    pub(super) fn commit(self) -> StoreResult<()> {
        match self {
            OpenTransaction::Sqlite(open) => {
                open.commit().map_err(|error| StoreError::from(&*error))
            }
            OpenTransaction::Postgres(open) => open.commit(),
        }
    }
}
