//! An open transaction: one on the connection of this store, or a part of a transaction that attempts share.

use super::handle::{CommitResult, StoreConnection};
use super::stop_signals::StopsBlocked;
use super::write_queue::WritePermit;
use rusqlite::Connection;

/// The part of an attempt in a transaction that others began.
const PART: &str = "SAVEPOINT attempt";
const KEEP_PART: &str = "RELEASE attempt";
const UNDO_PART: &str = "ROLLBACK TO attempt";

/// A transaction, until it is committed or dropped. The fields are dropped in this order: first the locks of the store are
/// released, then the turn of this process's writers, then the stop signals of the terminal are delivered.
pub(super) struct OpenTransaction<'a> {
    /// Its connection; `None` after its end.
    handle: Option<StoreConnection>,
    /// Where its own connection is kept between transactions.
    idle: &'a mut Option<StoreConnection>,
    /// `None` for a transaction that only reads.
    permit: Option<WritePermit>,
    _blocked: StopsBlocked,
}

impl<'a> OpenTransaction<'a> {
    /// On the connection that is at home, where nothing has begun yet.
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

    /// Continues a shared transaction, on its connection.
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

    /// Opens its own transaction, which has begun, to the attempts that wait now.
    pub(super) fn accept_joiners(&mut self) {
        if let Some(turn) = &mut self.permit {
            turn.accept_joiners();
        }
    }

    /// Makes it durable; where it is shared, with the others.
    pub(super) fn commit(mut self) -> CommitResult {
        let is_kept = match self.has_joined() {
            true => self.handle().run(KEEP_PART),
            false => Ok(()),
        };
        match is_kept {
            // undone when this is dropped
            Err(error) => Err(error.into()),
            Ok(()) => self.end(),
        }
    }

    fn has_joined(&self) -> bool {
        self.permit.as_ref().is_some_and(WritePermit::has_joined)
    }

    /// Ends what is under way, however it came to this.
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
            // closing the connection rolls back what the statement did not
            *self.idle = self
                .handle
                .take()
                .filter(|handle| !handle.is_in_transaction());
            return;
        }
        match handle.run(UNDO_PART).and_then(|()| handle.run(KEEP_PART)) {
            // commits the parts of the other members, or hands the transaction on
            Ok(()) => drop(self.end()),
            // a part that cannot be undone must not be committed: the connection is closed, and the commit fails for all
            Err(_) => self.handle = None,
        }
    }
}
