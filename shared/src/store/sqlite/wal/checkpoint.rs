//! Checkpoints. A write that finds the WAL long first copies the WAL's pages into the store, and so
//! restarts the WAL at its beginning. A checkpoint after a commit would not help if no connection
//! stays open between two logins: SQLite keeps the progress of a checkpoint in shared memory, so
//! that the next process starts without it and appends.
//!
//! MUST NOT make a write fail: a later write copies what cannot be copied now.

use crate::store::sqlite::locks::busy_handler;
use rusqlite::Connection;
use std::time::Instant;

/// Frames from which a write begins with a checkpoint. Few, since a process that finds no other one
/// reads all frames; many compared with the dozen that one login adds.
const LONG: i64 = 200;
/// Frames from which the WAL is restarted under the write lock: a series of writers leaves no other
/// moment.
const TOO_LONG: i64 = 400;
/// Frames from which writers wait for a short WAL. 768 frames are 3 MiB, so that concurrent writes
/// do not make 8 MiB of it.
const FULL: i64 = 768;
/// Length to which the WAL's file is truncated at a restart, in bytes. It is above that of [`LONG`]
/// frames: overwriting a file makes a commit cheaper than extending it.
pub(crate) const KEPT: i64 = 1024 * 1024;

/// Frames in the WAL, and how many of them are copied into the store.
struct Frames {
    all: i64,
    copied: i64,
}

/// Restarts the WAL if it is long and no transaction reads it any more.
///
/// Only a reading transaction that does not end keeps the WAL long. A running one ends after 30
/// seconds of work at most. One of a stopped process ends with the process, and until then the WAL
/// grows with each commit: waiting for it, or refusing writes, would let one stopped process block
/// all others.
pub(crate) fn checkpoint_if_long(connection: &Connection) {
    // outside of a transaction, where an error changes nothing
    let _ = restart_wal(connection);
}

fn restart_wal(connection: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        let found = run_checkpoint(connection, "NOOP")?;
        if found.all < LONG {
            return Ok(());
        }
        if !found.is_worth_waiting() {
            return run_checkpoint(connection, "PASSIVE").map(|_| ());
        }
        connection.busy_handler(Some(busy_handler::retry_briefly))?;
        let restarted = run_checkpoint(connection, "RESTART");
        connection.busy_handler(Some(busy_handler::retry_while_busy))?;
        restarted?;
        if found.all < FULL || began.elapsed() >= busy_handler::CHECKPOINT_PATIENCE {
            return Ok(());
        }
        busy_handler::sleep_random();
    }
}

impl Frames {
    /// Returns whether to wait for readers. If less than half of the frames are copied, an old
    /// transaction, such as one of a stopped process, keeps the rest, and no bounded wait helps.
    fn is_worth_waiting(&self) -> bool {
        self.all >= TOO_LONG && 2 * self.copied >= self.all
    }
}

fn run_checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<Frames> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
    statement.query_row([], |row| {
        Ok(Frames {
            all: row.get(1)?,
            copied: row.get(2)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that is stopped within a reading transaction blocks no other.
    #[test]
    fn a_read_that_does_not_end_is_not_waited_for() {
        let is_worth_waiting = |all, copied| Frames { all, copied }.is_worth_waiting();
        assert!(!is_worth_waiting(LONG, LONG));
        assert!(is_worth_waiting(TOO_LONG, TOO_LONG));
        assert!(is_worth_waiting(FULL, FULL / 2));
        // a reading transaction began when a checkpoint was due, and does not end
        for all in TOO_LONG..10 * FULL {
            assert!(!is_worth_waiting(all, LONG - 1));
        }
    }
}
