//! Queue of the connections of this process that write to one store, and group commit. The order is by class, then by
//! arrival; a writer that others passed four times is next. An attempt that waited already when the transaction of another
//! began continues that transaction: on its connection, in a savepoint of its own, with one commit for all. A commit takes
//! milliseconds on a disk, an attempt tenths of one.
//!
//! MUST NOT return from any attempt before the commit, nor delay one for an attempt that arrived after its transaction began.

use super::handle::{Handle, HandleFailure, HandleResult};
use super::write_lock;
use crate::system::admission::Class;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Maximum of attempts in one commit: their pages fit well below the limit of the WAL.
const MOST: usize = 32;
/// Time in which attempts may join a transaction: those that are done wait for the rest.
const LONGEST: Duration = Duration::from_millis(20);
/// Number of later writers of a better class that may pass a waiting one: an endless series of writes blocks no other
/// writer.
const PASSED_OVER: u32 = 4;

/// Device and number of a store's file.
type File = (u64, u64);

/// The queues of the stores that are open in this process.
static QUEUES: Mutex<Vec<(File, Weak<WriteQueue>)>> = Mutex::new(Vec::new());

/// Writers to one store.
#[derive(Default)]
pub(super) struct WriteQueue(Mutex<WaitingWriters>);

#[derive(Default)]
struct WaitingWriters {
    next: u64,
    /// Number of the writer that has the turn.
    at: Option<u64>,
    waiting: Vec<WaitingWriter>,
    /// Open transaction that the writer with the turn continues.
    handed_on: Option<(QueueHandle, Handle)>,
    ended: Vec<WriterEnded>,
}

struct WaitingWriter {
    number: u64,
    class: Class,
    shares: bool,
    /// Number of later writers that were preferred.
    passed_over: u32,
    thread: Thread,
}

/// A transaction with the work of several attempts.
#[derive(Clone)]
struct QueueHandle {
    /// Number of the attempt that began it, on its own connection.
    leader: u64,
    /// First number that arrived too late to join.
    until: u64,
    began: Instant,
    /// Threads that are done and wait for the commit.
    members: Vec<Thread>,
}

impl QueueHandle {
    fn alone(leader: u64) -> QueueHandle {
        QueueHandle {
            leader,
            until: 0,
            began: Instant::now(),
            members: Vec::new(),
        }
    }
}

/// Outcome of a commit that some members have not read yet.
struct WriterEnded {
    leader: u64,
    outcome: HandleResult,
    /// Connection of the leader, until the leader takes it back.
    handle: Option<Handle>,
    untold: usize,
}

/// A turn to write, until this is dropped.
pub(super) struct WriteTurn {
    writers: Arc<WriteQueue>,
    number: u64,
    shares: bool,
    /// The transaction that it shares, if it shares one.
    shared: Option<QueueHandle>,
    is_over: bool,
}

impl WaitingWriters {
    /// Index of the next writer.
    fn next(&self) -> Option<usize> {
        let all = self.waiting.iter().enumerate();
        let order = |one: &WaitingWriter| (one.passed_over < PASSED_OVER, one.class, one.number);
        // of those that were passed too often, the first to arrive
        let order = |one: &WaitingWriter| match order(one) {
            (false, _, number) => (false, Class::Proven, number),
            in_turn => in_turn,
        };
        all.min_by_key(|(_, one)| order(one))
            .map(|(index, _)| index)
    }

    /// Gives the turn to the next writer, if `may` accepts it.
    fn pass_on(&mut self, may: impl Fn(&WaitingWriter) -> bool) -> Option<Thread> {
        let index = self.next().filter(|index| may(&self.waiting[*index]))?;
        let next = self.waiting.swap_remove(index);
        for other in &mut self.waiting {
            other.passed_over += u32::from(other.number < next.number);
        }
        self.at = Some(next.number);
        Some(next.thread)
    }

    /// Gives the turn to the next writer, which begins a transaction of its own.
    fn pass_on_to_any(&mut self) -> Option<Thread> {
        self.at = None;
        self.pass_on(|_| true)
    }
}

impl WriteQueue {
    /// Returns the queue of a store.
    pub(super) fn of(store: File) -> Arc<WriteQueue> {
        let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|(_, queue)| queue.strong_count() > 0);
        let open = queues
            .iter()
            .find(|(of, _)| *of == store)
            .and_then(|(_, queue)| queue.upgrade());
        open.unwrap_or_else(|| {
            let new = Arc::default();
            queues.push((store, Arc::downgrade(&new)));
            new
        })
    }

    /// Waits for a turn; returns `None` after [`write_lock::PATIENCE`]. A turn that continues a shared transaction comes with the
    /// connection of that.
    pub(super) fn enter(
        self: &Arc<Self>,
        class: Class,
        shares: bool,
    ) -> Option<(WriteTurn, Option<Handle>)> {
        let began = Instant::now();
        let mut queue = self.lock();
        let number = queue.next;
        queue.next += 1;
        if queue.at.is_none() {
            queue.at = Some(number);
        } else {
            let thread = thread::current();
            queue.waiting.push(WaitingWriter {
                number,
                class,
                shares,
                passed_over: 0,
                thread,
            });
        }
        drop(queue);
        let is_at =
            |queue: &mut WaitingWriters| (queue.at == Some(number)).then(|| queue.handed_on.take());
        let found = self.wait(Some(began + write_lock::PATIENCE), is_at);
        let handed_on = match found {
            Some(handed_on) => handed_on,
            None => {
                let mut queue = self.lock();
                queue.waiting.retain(|one| one.number != number);
                // the turn may have arrived after the time limit
                if queue.at != Some(number) {
                    return None;
                }
                queue.handed_on.take()
            }
        };
        write_lock::has_queued(began.elapsed());
        let (shared, handle) = handed_on.unzip();
        Some((
            WriteTurn {
                writers: Arc::clone(self),
                number,
                shares,
                shared,
                is_over: false,
            },
            handle,
        ))
    }

    /// Waits until `ready` returns a value, or until the time limit.
    fn wait<T>(
        &self,
        until: Option<Instant>,
        mut ready: impl FnMut(&mut WaitingWriters) -> Option<T>,
    ) -> Option<T> {
        loop {
            if let Some(found) = ready(&mut self.lock()) {
                return Some(found);
            }
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return None,
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingWriters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteTurn {
    /// Returns whether it continues a transaction that another attempt began.
    pub(super) fn has_joined(&self) -> bool {
        self.shared
            .as_ref()
            .is_some_and(|shared| shared.leader != self.number)
    }

    /// Opens its own transaction, which has begun, to the attempts that wait now.
    pub(super) fn has_begun(&mut self) {
        if self.shares {
            let until = self.writers.lock().next;
            self.shared = Some(QueueHandle {
                until,
                ..QueueHandle::alone(self.number)
            });
        }
    }

    /// Ends its part: hands the transaction on, or commits it. Returns after the commit, with the connection if that is its
    /// own.
    pub(super) fn end(mut self, handle: Handle) -> (HandleResult, Option<Handle>) {
        let mut shared = self
            .shared
            .take()
            .unwrap_or_else(|| QueueHandle::alone(self.number));
        let mut queue = self.writers.lock();
        let is_short = shared.members.len() < MOST - 1 && shared.began.elapsed() < LONGEST;
        let may_go_on = is_short && handle.is_under_way();
        let next = match may_go_on {
            true => queue.pass_on(|one| one.shares && one.number < shared.until),
            false => None,
        };
        if let Some(next) = next {
            let leader = shared.leader;
            shared.members.push(thread::current());
            queue.handed_on = Some((shared, handle));
            drop(queue);
            self.is_over = true;
            next.unpark();
            return self.wait_for_commit(leader);
        }
        drop(queue);
        self.shared = Some(shared);
        let outcome = handle.commit();
        let handle = self.finish(outcome.clone(), Some(handle));
        (outcome, handle)
    }

    /// Reports the outcome to the other members and passes the turn on. Returns the connection if there are no other members.
    fn finish(&mut self, outcome: HandleResult, handle: Option<Handle>) -> Option<Handle> {
        self.is_over = true;
        let QueueHandle {
            leader, members, ..
        } = self
            .shared
            .take()
            .unwrap_or_else(|| QueueHandle::alone(self.number));
        let mut queue = self.writers.lock();
        let next = queue.pass_on_to_any();
        let is_alone = members.is_empty();
        let (ended, handle) = match is_alone {
            true => (None, handle),
            false => (
                Some(WriterEnded {
                    leader,
                    outcome,
                    handle,
                    untold: members.len(),
                }),
                None,
            ),
        };
        queue.ended.extend(ended);
        drop(queue);
        next.iter().chain(&members).for_each(Thread::unpark);
        handle
    }

    fn wait_for_commit(&self, leader: u64) -> (HandleResult, Option<Handle>) {
        let is_leader = leader == self.number;
        let told = self.writers.wait(None, |queue| {
            let index = queue
                .ended
                .iter()
                .position(|ended| ended.leader == leader)?;
            let ended = &mut queue.ended[index];
            ended.untold -= 1;
            let handle = if is_leader { ended.handle.take() } else { None };
            let told = (ended.outcome.clone(), handle);
            if ended.untold == 0 {
                queue.ended.swap_remove(index);
            }
            Some(told)
        });
        told.expect("there is no time limit")
    }
}

impl Drop for WriteTurn {
    fn drop(&mut self) {
        write_lock::is_over();
        if !self.is_over {
            self.finish(Err(HandleFailure::lost()), None);
        }
    }
}

#[cfg(test)]
mod tests;
