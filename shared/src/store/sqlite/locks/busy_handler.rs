//! Busy handler of SQLite: waiting for another process that holds a lock. SQLite's own handler
//! sleeps up to a tenth of a second, so that a late process with short sleeps gets the lock before
//! one that has waited long. Here all processes sleep equally long on average, at random. Only one
//! connection per process waits in this way (`write_queue.rs`).

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

/// Time limit of the wait for another process's write.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Time limit of the wait for other processes at a restart of the WAL; twice as long if the WAL is
/// full.
pub(crate) const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(500);
/// Longest sleep between two attempts, in microseconds.
const LONGEST_SLEEP: u64 = 8_000;

thread_local! {
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Time that this thread has waited in the write queue for the transaction that it begins.
    static QUEUED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

pub(crate) fn set_queue_time(waited: Duration) {
    QUEUED.set(waited);
}

/// Ends the accounting of a wait: the transaction has begun, or cannot begin.
pub(crate) fn reset_queue_time() {
    QUEUED.set(Duration::ZERO);
}

/// Sleeps, and returns whether SQLite tries again. SQLite calls it for the `attempt`th time while
/// another process holds a lock. The wait in the write queue counts.
pub(crate) fn retry_while_busy(attempt: i32) -> bool {
    retry_within(PATIENCE.saturating_sub(QUEUED.get()), attempt)
}

/// Like [`retry_while_busy`], with the time limit for a restart of the WAL.
pub(crate) fn retry_briefly(attempt: i32) -> bool {
    retry_within(CHECKPOINT_PATIENCE, attempt)
}

fn retry_within(patience: Duration, attempt: i32) -> bool {
    let now = Instant::now();
    let since = match SINCE.get() {
        Some(since) if attempt > 0 => since,
        _ => now,
    };
    SINCE.set(Some(since));
    if now.duration_since(since) >= patience {
        return false;
    }
    sleep_random();
    true
}

pub(crate) fn sleep_random() {
    // a new random key each time, and so a different one in each process
    let random = RandomState::new().build_hasher().finish();
    std::thread::sleep(Duration::from_micros(500 + random % LONGEST_SLEEP));
}
