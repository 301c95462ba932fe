//! A transaction that is under way: one of this connection's own, or a part of one that attempts share.

use super::handle::{Handle, Outcome};
use super::stops::StopsBlocked;
use super::writers::Turn;
use rusqlite::Connection;

/// The part of an attempt in a transaction that others began.
const PART: &str = "SAVEPOINT attempt";
const KEEP_PART: &str = "RELEASE attempt";
const UNDO_PART: &str = "ROLLBACK TO attempt";

/// A transaction, until it is committed or dropped. Dropped in this order: until then locks are held, others of this process
/// wait for their turn to write, and the terminal does not stop this thread.
pub(super) struct Running<'a> {
    /// Its connection; none once it has ended.
    handle: Option<Handle>,
    /// Where a connection of its own goes afterwards.
    home: &'a mut Option<Handle>,
    /// None of one that reads.
    turn: Option<Turn>,
    _blocked: StopsBlocked,
}

impl<'a> Running<'a> {
    /// On the connection that is at home, where nothing has begun yet.
    pub(super) fn at_home(
        home: &'a mut Option<Handle>,
        turn: Option<Turn>,
        _blocked: StopsBlocked,
    ) -> Running<'a> {
        Running { handle: home.take(), home, turn, _blocked }
    }

    /// On the connection of those whose transaction this one goes on with.
    pub(super) fn joined(
        handle: Handle,
        home: &'a mut Option<Handle>,
        turn: Turn,
        _blocked: StopsBlocked,
    ) -> rusqlite::Result<Running<'a>> {
        let running = Running { handle: Some(handle), home, turn: Some(turn), _blocked };
        running.handle().run(PART)?;
        Ok(running)
    }

    pub(super) fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("a transaction has a connection until it ends")
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.handle().connection
    }

    /// Its own transaction has begun, and attempts that wait by now may share it.
    pub(super) fn has_begun(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.has_begun();
        }
    }

    /// Makes it durable; where it is shared, with the others.
    pub(super) fn commit(mut self) -> Outcome {
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
        self.turn.as_ref().is_some_and(Turn::has_joined)
    }

    /// Ends what is under way, however it came to this.
    fn end(&mut self) -> Outcome {
        let Some(handle) = self.handle.take() else { return Ok(()) };
        let (outcome, handle) = match self.turn.take() {
            Some(turn) => turn.end(handle),
            None => (handle.commit(), Some(handle)),
        };
        if handle.is_some() {
            *self.home = handle;
        }
        outcome
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Some(handle) = &self.handle else { return };
        if !self.has_joined() {
            handle.roll_back();
            // a connection that cannot leave its transaction is closed, which does
            *self.home = self.handle.take().filter(|handle| !handle.is_under_way());
            return;
        }
        match handle.run(UNDO_PART).and_then(|()| handle.run(KEEP_PART)) {
            // what the others did is committed; they are told what came of it
            Ok(()) => drop(self.end()),
            // rather nobody's part than half of this one: the connection is closed, and they are told that
            Err(_) => self.handle = None,
        }
    }
}
