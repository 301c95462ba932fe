//! Waiting for one's turn at the store. SQLite's own wait grows to a tenth of a second, so that whoever came last and looks
//! often is served before whoever has waited long; here everyone looks equally often, at times that differ. Of one process
//! one connection looks at a time.

use super::checkpoint;
use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

/// How long another process's write is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The longest time between two looks, in microseconds.
const LONGEST: u64 = 8_000;

thread_local! {
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// How long this thread has waited in the queue for the write that it begins.
    static QUEUED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// So long was waited in the queue of this process.
pub(super) fn set_queue_time(waited: Duration) {
    QUEUED.set(waited);
}

/// The transaction that was waited for has begun, or cannot.
pub(super) fn reset_queue_time() {
    QUEUED.set(Duration::ZERO);
}

/// Called by the engine for the `turn`th time while another process holds what it needs; whether it looks again. What was
/// waited in the queue counts.
pub(super) fn retry_while_busy(turn: i32) -> bool {
    retry_within(PATIENCE.saturating_sub(QUEUED.get()), turn)
}

/// The same, in order to restart the WAL.
pub(super) fn retry_briefly(turn: i32) -> bool {
    retry_within(checkpoint::PATIENCE, turn)
}

fn retry_within(patience: Duration, turn: i32) -> bool {
    let now = Instant::now();
    let since = match SINCE.get() {
        Some(since) if turn > 0 => since,
        _ => now,
    };
    SINCE.set(Some(since));
    if now.duration_since(since) >= patience {
        return false;
    }
    sleep_random();
    true
}

/// The time between two looks.
pub(super) fn sleep_random() {
    // keyed anew each time, and so different in each process
    let random = RandomState::new().build_hasher().finish();
    std::thread::sleep(Duration::from_micros(500 + random % LONGEST));
}
