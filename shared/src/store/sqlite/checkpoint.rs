//! Checkpoints: the WAL's pages are copied into the store before a write that finds the WAL long, so that this write
//! restarts it from its beginning. Where nothing stays open between two logins, a checkpoint after a commit is no use: SQLite
//! keeps how far it came in memory that the processes share, the next process begins without it, and appends.
//!
//! MUST NOT fail a write: what cannot be copied now is copied by a later one.

use super::write_lock;
use rusqlite::Connection;
use std::time::{Duration, Instant};

/// Frames in the WAL from which a write begins with a checkpoint: few, since each process that finds no other one
/// reads all of them, and many compared with the dozen that one login adds.
const LONG: i64 = 200;
/// Frames from which the WAL is restarted under the write lock: writers that follow each other closely leave no other
/// moment to do it.
const TOO_LONG: i64 = 400;
/// Frames from which writers wait until the WAL is short again: 3 MiB, so that the ones that are under way do not make
/// it 8 MiB.
const FULL: i64 = 768;
/// What the WAL's file is cut to when it is restarted, in bytes. Above what [`LONG`] frames take: a file that keeps its
/// length is overwritten, which costs a commit less than making it grow.
pub(super) const KEPT: i64 = 1024 * 1024;
/// How long others are waited for in order to restart the WAL; twice that, where it is full.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// Frames in the WAL, and how many of them are copied into the store.
struct Frames {
    all: i64,
    copied: i64,
}

/// Restarts the WAL with the write that follows, if it is long and no transaction still reads it.
///
/// What can keep it long is a transaction that reads and does not end. One ends after 30 seconds of work at most; one
/// whose process is stopped ends with the process, and until then the WAL grows with each commit: to wait for it, or to
/// refuse others, would let it hold everybody up.
pub(super) fn checkpoint_if_long(connection: &Connection) {
    // outside of a transaction, where an error leaves everything as it was
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
        connection.busy_handler(Some(write_lock::retry_briefly))?;
        let restarted = run_checkpoint(connection, "RESTART");
        connection.busy_handler(Some(write_lock::retry_while_busy))?;
        restarted?;
        if found.all < FULL || began.elapsed() >= PATIENCE {
            return Ok(());
        }
        write_lock::sleep_random();
    }
}

impl Frames {
    /// Whether others are waited for. They are not where less than half is copied: then an old transaction that reads
    /// holds the rest back, such as a stopped process's, and no wait that is bounded helps.
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

    /// Who is stopped within a transaction that reads holds nobody up.
    #[test]
    fn a_read_that_does_not_end_is_not_waited_for() {
        let is_worth_waiting = |all, copied| Frames { all, copied }.is_worth_waiting();
        assert!(!is_worth_waiting(LONG, LONG));
        assert!(is_worth_waiting(TOO_LONG, TOO_LONG));
        assert!(is_worth_waiting(FULL, FULL / 2));
        // a read began where a checkpoint is due, and goes on
        for all in TOO_LONG..10 * FULL {
            assert!(!is_worth_waiting(all, LONG - 1));
        }
    }
}
