//! An open transaction: one on this store's own connection, or a savepoint in the transaction of a
//! commit group (`write_queue.rs`). It always ends with a commit, a rollback or a closed
//! connection.

use super::connection::{CommitResult, StoreConnection};
use super::stop_signals::StopsBlocked;
use super::write_queue::WritePermit;
use rusqlite::Connection;

/// Savepoint of one attempt in a transaction that another attempt began.
const PART: &str = "SAVEPOINT attempt";
const KEEP_PART: &str = "RELEASE attempt";
const UNDO_PART: &str = "ROLLBACK TO attempt";

/// A transaction, until it is committed or dropped. The fields are dropped in this order: the locks
/// of the store are released, then the write permit, then the terminal's stop signals are
/// delivered.
pub(super) struct OpenTransaction<'a> {
    /// `None` after the end of the transaction.
    handle: Option<StoreConnection>,
    /// Slot of this store's own connection between transactions.
    idle: &'a mut Option<StoreConnection>,
    /// `None` for a transaction that only reads.
    permit: Option<WritePermit>,
    _blocked: StopsBlocked,
}

impl<'a> OpenTransaction<'a> {
    /// Takes this store's own connection, on which nothing has begun yet.
    pub(super) fn new(
        idle: &'a mut Option<StoreConnection>,
        permit: Option<WritePermit>,
        _blocked: StopsBlocked,
    ) -> OpenTransaction<'a> {
        OpenTransaction {
            handle: idle.take(),
            idle,
            permit,
            _blocked,
        }
    }

    /// Continues the transaction of a commit group, on its connection.
    pub(super) fn join(
        handle: StoreConnection,
        home: &'a mut Option<StoreConnection>,
        turn: WritePermit,
        _blocked: StopsBlocked,
    ) -> rusqlite::Result<OpenTransaction<'a>> {
        let running = OpenTransaction {
            handle: Some(handle),
            idle: home,
            permit: Some(turn),
            _blocked,
        };
        running.handle().run(PART)?;
        Ok(running)
    }

    pub(super) fn handle(&self) -> &StoreConnection {
        self.handle
            .as_ref()
            .expect("a transaction has a connection until it ends")
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.handle().connection
    }

    /// Lets the attempts that wait now join this transaction, which has begun.
    pub(super) fn accept_joiners(&mut self) {
        if let Some(turn) = &mut self.permit {
            turn.accept_joiners();
        }
    }

    /// Commits, together with the commit group if there is one.
    pub(super) fn commit(mut self) -> CommitResult {
        let is_kept = match self.has_joined() {
            true => self.handle().run(KEEP_PART),
            false => Ok(()),
        };
        match is_kept {
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
        let Some(handle) = self.handle.take() else {
            return Ok(());
        };
        let (outcome, handle) = match self.permit.take() {
            Some(turn) => turn.hand_over_or_commit(handle),
            None => (handle.commit(), Some(handle)),
        };
        if handle.is_some() {
            *self.idle = handle;
        }
        outcome
    }
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        let Some(handle) = &self.handle else { return };
        if !self.has_joined() {
            handle.roll_back();
            // if the rollback failed, closing the connection rolls back
            *self.idle = self
                .handle
                .take()
                .filter(|handle| !handle.is_in_transaction());
            return;
        }
        match handle.run(UNDO_PART).and_then(|()| handle.run(KEEP_PART)) {
            // commits the savepoints of the other members, or hands the transaction over
            Ok(()) => drop(self.end()),
            // a savepoint that cannot be rolled back must not be committed: the connection is
            // closed, and the commit fails for the whole group
            Err(_) => self.handle = None,
        }
    }
}
