//! An open transaction: one on this store's own connection, or a savepoint in the transaction of a
//! commit group (`write_queue.rs`). It always ends with a commit, a rollback or a closed
//! connection.

use super::connection::{CommitResult, StoreConnection};
use super::locks::{StopsBlocked, WritePermit};
use std::time::Duration;

/// Savepoint of one attempt in a transaction that another attempt began.
const SAVEPOINT: &str = "SAVEPOINT attempt";
const RELEASE: &str = "RELEASE attempt";
const ROLL_BACK: &str = "ROLLBACK TO attempt";

/// A transaction, until it is committed or dropped. The fields are dropped in this order: the locks
/// of the store are released, then the write permit, then the terminal's stop signals are
/// delivered.
pub(in crate::store) struct SqliteTransaction<'a> {
    /// `None` after the end of the transaction.
    connection: Option<StoreConnection>,
    /// Slot of this store's own connection between transactions.
    idle: &'a mut Option<StoreConnection>,
    /// `None` for a transaction that only reads.
    permit: Option<WritePermit>,
    _blocked: StopsBlocked,
}

impl<'a> SqliteTransaction<'a> {
    /// Takes this store's own connection, on which nothing has begun yet.
    pub(super) fn new(
        idle: &'a mut Option<StoreConnection>,
        permit: Option<WritePermit>,
        _blocked: StopsBlocked,
    ) -> SqliteTransaction<'a> {
        SqliteTransaction {
            connection: idle.take(),
            idle,
            permit,
            _blocked,
        }
    }

    /// Continues the transaction of a commit group, on its connection.
    pub(super) fn join(
        connection: StoreConnection,
        idle: &'a mut Option<StoreConnection>,
        permit: WritePermit,
        _blocked: StopsBlocked,
    ) -> rusqlite::Result<SqliteTransaction<'a>> {
        let transaction = SqliteTransaction {
            connection: Some(connection),
            idle,
            permit: Some(permit),
            _blocked,
        };
        transaction.store_connection().execute(SAVEPOINT)?;
        Ok(transaction)
    }

    pub(super) fn store_connection(&self) -> &StoreConnection {
        self.connection
            .as_ref()
            .expect("a transaction has a connection until it ends")
    }

    /// Sets the time limit of SQLite's work from now on.
    pub(in crate::store) fn set_time_limit(&self, limit: Duration) {
        self.store_connection().deadline.set(limit);
    }

    /// Lets the attempts that wait now join this transaction, which has begun.
    pub(super) fn accept_joiners(&mut self) {
        if let Some(permit) = &mut self.permit {
            permit.accept_joiners();
        }
    }

    /// Commits, together with the commit group if there is one.
    pub(in crate::store) fn commit(mut self) -> CommitResult {
        let released = match self.has_joined() {
            true => self.store_connection().execute(RELEASE),
            false => Ok(()),
        };
        match released {
            // dropping `self` rolls back
            Err(error) => Err(error.into()),
            Ok(()) => self.end(),
        }
    }

    fn has_joined(&self) -> bool {
        self.permit.as_ref().is_some_and(WritePermit::has_joined)
    }

    /// Ends the transaction, whatever state it is in.
    fn end(&mut self) -> CommitResult {
        let Some(connection) = self.connection.take() else {
            return Ok(());
        };
        let (result, connection) = match self.permit.take() {
            Some(permit) => permit.hand_over_or_commit(connection),
            None => (connection.commit(), Some(connection)),
        };
        if connection.is_some() {
            *self.idle = connection;
        }
        result
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        let Some(connection) = &self.connection else {
            return;
        };
        if !self.has_joined() {
            connection.roll_back();
            // if the rollback failed, closing the connection rolls back
            *self.idle = self
                .connection
                .take()
                .filter(|connection| !connection.is_in_transaction());
            return;
        }
        match connection
            .execute(ROLL_BACK)
            .and_then(|()| connection.execute(RELEASE))
        {
            // commits the savepoints of the other members, or hands the transaction over
            Ok(()) => drop(self.end()),
            // a savepoint that cannot be rolled back must not be committed: the connection is
            // closed, and the commit fails for the whole group
            Err(_) => self.connection = None,
        }
    }
}
