//! Waiting for one's turn at the store. SQLite's own wait grows to a tenth of a second, so that whoever came last and looks
//! often is served before whoever has waited long; here everyone looks equally often, at times that differ. Of one process
//! one connection looks at a time: the others of the same store stand in a queue, and each is woken when it is its turn.

use super::checkpoint;
use std::cell::Cell;
use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
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

/// Device and number of a store's file.
type File = (u64, u64);

/// The queues of the stores that are open in this process.
static QUEUES: Mutex<Vec<(File, Weak<Writers>)>> = Mutex::new(Vec::new());

/// The connections of this process that wait to write to one store.
#[derive(Default)]
pub(super) struct Writers {
    state: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    next: u64,
    /// The first one has its turn.
    numbers: VecDeque<u64>,
}

/// A turn to write, until this is dropped.
pub(super) struct Turn {
    writers: Arc<Writers>,
    number: u64,
}

impl Writers {
    /// Those of a store.
    pub(super) fn of(store: File) -> Arc<Writers> {
        let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|(_, queue)| queue.strong_count() > 0);
        let open = queues.iter().find(|(of, _)| *of == store).and_then(|(_, queue)| queue.upgrade());
        open.unwrap_or_else(|| {
            let new = Arc::default();
            queues.push((store, Arc::downgrade(&new)));
            new
        })
    }

    /// Waits for the turn of a connection; none if it does not come within [`PATIENCE`].
    pub(super) fn enter(self: &Arc<Self>) -> Option<Turn> {
        let began = Instant::now();
        let mut queue = self.lock();
        let number = queue.next;
        queue.next += 1;
        queue.numbers.push_back(number);
        let is_behind = |queue: &mut Queue| queue.numbers.front() != Some(&number);
        let waited = self.changed.wait_timeout_while(queue, PATIENCE, is_behind);
        let (queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(queue);
        let turn = Turn { writers: Arc::clone(self), number };
        QUEUED.set(began.elapsed());
        (!waited.timed_out()).then_some(turn)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        is_over();
        self.writers.lock().numbers.retain(|number| *number != self.number);
        self.writers.changed.notify_all();
    }
}

/// The transaction that was waited for has begun, or cannot.
pub(super) fn is_over() {
    QUEUED.set(Duration::ZERO);
}

/// Called by the engine for the `turn`th time while another process holds what it needs; whether it looks again. What was
/// waited in the queue counts.
pub(super) fn wait(turn: i32) -> bool {
    wait_for(PATIENCE.saturating_sub(QUEUED.get()), turn)
}

/// The same, in order to restart the WAL.
pub(super) fn wait_briefly(turn: i32) -> bool {
    wait_for(checkpoint::PATIENCE, turn)
}

fn wait_for(patience: Duration, turn: i32) -> bool {
    let now = Instant::now();
    let since = match SINCE.get() {
        Some(since) if turn > 0 => since,
        _ => now,
    };
    SINCE.set(Some(since));
    if now.duration_since(since) >= patience {
        return false;
    }
    pause();
    true
}

/// The time between two looks.
pub(super) fn pause() {
    // keyed anew each time, and so different in each process
    let random = RandomState::new().build_hasher().finish();
    std::thread::sleep(Duration::from_micros(500 + random % LONGEST));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn connections_of_one_store_write_in_the_order_in_which_they_came() {
        let writers = Writers::of((0, 1));
        assert!(Arc::ptr_eq(&writers, &Writers::of((0, 1))));
        let first = writers.enter().unwrap();
        let _other_store = Writers::of((0, 2)).enter().unwrap();
        let (send, order) = mpsc::channel();
        let waiting = |count| {
            while writers.lock().numbers.len() != count {
                thread::yield_now();
            }
        };
        let all: Vec<_> = (0..5)
            .map(|number| {
                let (writers, send) = (Writers::of((0, 1)), send.clone());
                let thread = thread::spawn(move || {
                    let _turn = writers.enter().unwrap();
                    send.send(number).unwrap();
                });
                waiting(number + 2);
                thread
            })
            .collect();
        drop(first);
        all.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_turn_that_does_not_come_in_time_is_given_up() {
        let writers = Writers::of((0, 3));
        let first = writers.enter().unwrap();
        thread::scope(|scope| scope.spawn(|| assert!(writers.enter().is_none())).join().unwrap());
        assert_eq!(writers.lock().numbers.len(), 1);
        drop(first);
        assert!(writers.lock().numbers.is_empty());
    }
}
