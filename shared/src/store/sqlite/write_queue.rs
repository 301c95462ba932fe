//! Queue of the connections of this process that write to one store, and group commit. The order is
//! by class, then by arrival; a writer that others passed four times is next. An attempt that waits
//! when the transaction of another attempt begins continues that transaction: on its connection, in
//! a savepoint, with one commit for the group. A commit takes milliseconds on a disk, an attempt
//! tenths of one.
//!
//! MUST NOT return from any attempt before the commit, nor delay one for an attempt that arrived
//! after its transaction began.

use super::busy_handler;
use super::connection::{CommitError, CommitResult, StoreConnection};
use crate::system::admission::Class;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Maximum of attempts in one commit: their pages fit well below the limit of the WAL.
const MOST: usize = 32;
/// Time in which attempts may join a transaction: finished attempts wait for the rest.
const LONGEST: Duration = Duration::from_millis(20);
/// Number of later writers of a better class that may pass a waiting one: an endless series of
/// writes blocks no other writer.
const PASSED_OVER: u32 = 4;

/// Device and inode of a store's file.
type File = (u64, u64);

/// Queues of the stores that are open in this process.
static QUEUES: Mutex<Vec<(File, Weak<WriteQueue>)>> = Mutex::new(Vec::new());

#[derive(Default)]
pub(super) struct WriteQueue(Mutex<WriteQueueState>);

#[derive(Default)]
struct WriteQueueState {
    next: u64,
    /// Number of the writer that holds the permit.
    current: Option<u64>,
    waiting: Vec<WaitingWriter>,
    /// Open transaction that the current writer continues.
    handed_over: Option<(CommitGroup, StoreConnection)>,
    finished: Vec<FinishedGroup>,
}

struct WaitingWriter {
    number: u64,
    class: Class,
    may_join: bool,
    /// Number of later writers that were preferred.
    passed_over: u32,
    thread: Thread,
}

/// Attempts that share one transaction and its commit.
#[derive(Clone)]
struct CommitGroup {
    /// Number of the attempt that began the transaction, on its own connection.
    leader: u64,
    /// First number that arrived too late to join.
    until: u64,
    began: Instant,
    /// Threads of finished attempts that wait for the commit.
    members: Vec<Thread>,
}

impl CommitGroup {
    fn new(leader: u64) -> CommitGroup {
        CommitGroup {
            leader,
            until: 0,
            began: Instant::now(),
            members: Vec::new(),
        }
    }
}

/// Result of a commit that some members have not read yet.
struct FinishedGroup {
    leader: u64,
    result: CommitResult,
    /// Connection of the leader, until the leader takes it back.
    handle: Option<StoreConnection>,
    unread: usize,
}

/// Permit to write, released when it is dropped.
pub(super) struct WritePermit {
    queue: Arc<WriteQueue>,
    number: u64,
    may_share: bool,
    /// Commit group, if the transaction has one.
    group: Option<CommitGroup>,
    is_released: bool,
}

impl WriteQueueState {
    /// Returns the index of the next writer.
    fn next_index(&self) -> Option<usize> {
        let all = self.waiting.iter().enumerate();
        let order = |one: &WaitingWriter| (one.passed_over < PASSED_OVER, one.class, one.number);
        // of those that were passed too often, the first to arrive
        let order = |one: &WaitingWriter| match order(one) {
            (false, _, number) => (false, Class::Authenticated, number),
            in_turn => in_turn,
        };
        all.min_by_key(|(_, one)| order(one))
            .map(|(index, _)| index)
    }

    /// Gives the permit to the next writer, if `may` accepts it.
    fn start_next_if(&mut self, may: impl Fn(&WaitingWriter) -> bool) -> Option<Thread> {
        let index = self
            .next_index()
            .filter(|index| may(&self.waiting[*index]))?;
        let next = self.waiting.swap_remove(index);
        for other in &mut self.waiting {
            other.passed_over += u32::from(other.number < next.number);
        }
        self.current = Some(next.number);
        Some(next.thread)
    }

    /// Gives the permit to the next writer, which begins a transaction of its own.
    fn start_next(&mut self) -> Option<Thread> {
        self.current = None;
        self.start_next_if(|_| true)
    }
}

impl WriteQueue {
    /// Returns the queue of a store.
    pub(super) fn of_store(store: File) -> Arc<WriteQueue> {
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

    /// Waits for a permit. Returns `None` after [`busy_handler::PATIENCE`]. A permit that continues
    /// a transaction comes with the connection of that transaction.
    pub(super) fn acquire(
        self: &Arc<Self>,
        class: Class,
        shares: bool,
    ) -> Option<(WritePermit, Option<StoreConnection>)> {
        let began = Instant::now();
        let mut queue = self.lock();
        let number = queue.next;
        queue.next += 1;
        if queue.current.is_none() {
            queue.current = Some(number);
        } else {
            let thread = thread::current();
            queue.waiting.push(WaitingWriter {
                number,
                class,
                may_join: shares,
                passed_over: 0,
                thread,
            });
        }
        drop(queue);
        let is_at = |queue: &mut WriteQueueState| {
            (queue.current == Some(number)).then(|| queue.handed_over.take())
        };
        let found = self.wait(Some(began + busy_handler::PATIENCE), is_at);
        let handed_on = match found {
            Some(handed_on) => handed_on,
            None => {
                let mut queue = self.lock();
                queue.waiting.retain(|one| one.number != number);
                // the permit may have arrived after the time limit
                if queue.current != Some(number) {
                    return None;
                }
                queue.handed_over.take()
            }
        };
        busy_handler::set_queue_time(began.elapsed());
        let (shared, handle) = handed_on.unzip();
        Some((
            WritePermit {
                queue: Arc::clone(self),
                number,
                may_share: shares,
                group: shared,
                is_released: false,
            },
            handle,
        ))
    }

    /// Waits until `ready` returns a value, or until the time limit.
    fn wait<T>(
        &self,
        until: Option<Instant>,
        mut ready: impl FnMut(&mut WriteQueueState) -> Option<T>,
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

    fn lock(&self) -> MutexGuard<'_, WriteQueueState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WritePermit {
    /// Returns whether the permit continues a transaction that another attempt began.
    pub(super) fn has_joined(&self) -> bool {
        self.group
            .as_ref()
            .is_some_and(|shared| shared.leader != self.number)
    }

    /// Lets the attempts that wait now join this transaction, which has begun.
    pub(super) fn accept_joiners(&mut self) {
        if self.may_share {
            let until = self.queue.lock().next;
            self.group = Some(CommitGroup {
                until,
                ..CommitGroup::new(self.number)
            });
        }
    }

    /// Hands the transaction over to the next member, or commits it. Returns after the commit, with
    /// the connection if it is the caller's own.
    pub(super) fn hand_over_or_commit(
        mut self,
        handle: StoreConnection,
    ) -> (CommitResult, Option<StoreConnection>) {
        let mut shared = self
            .group
            .take()
            .unwrap_or_else(|| CommitGroup::new(self.number));
        let mut queue = self.queue.lock();
        let is_short = shared.members.len() < MOST - 1 && shared.began.elapsed() < LONGEST;
        let may_go_on = is_short && handle.is_in_transaction();
        let next = match may_go_on {
            true => queue.start_next_if(|one| one.may_join && one.number < shared.until),
            false => None,
        };
        if let Some(next) = next {
            let leader = shared.leader;
            shared.members.push(thread::current());
            queue.handed_over = Some((shared, handle));
            drop(queue);
            self.is_released = true;
            next.unpark();
            return self.wait_for_commit(leader);
        }
        drop(queue);
        self.group = Some(shared);
        let outcome = handle.commit();
        let handle = self.release(outcome.clone(), Some(handle));
        (outcome, handle)
    }

    /// Reports the result to the other members and releases the permit. Returns the connection if
    /// there are no other members.
    fn release(
        &mut self,
        outcome: CommitResult,
        handle: Option<StoreConnection>,
    ) -> Option<StoreConnection> {
        self.is_released = true;
        let CommitGroup {
            leader, members, ..
        } = self
            .group
            .take()
            .unwrap_or_else(|| CommitGroup::new(self.number));
        let mut queue = self.queue.lock();
        let next = queue.start_next();
        let is_alone = members.is_empty();
        let (ended, handle) = match is_alone {
            true => (None, handle),
            false => (
                Some(FinishedGroup {
                    leader,
                    result: outcome,
                    handle,
                    unread: members.len(),
                }),
                None,
            ),
        };
        queue.finished.extend(ended);
        drop(queue);
        next.iter().chain(&members).for_each(Thread::unpark);
        handle
    }

    fn wait_for_commit(&self, leader: u64) -> (CommitResult, Option<StoreConnection>) {
        let is_leader = leader == self.number;
        let told = self.queue.wait(None, |queue| {
            let index = queue
                .finished
                .iter()
                .position(|ended| ended.leader == leader)?;
            let ended = &mut queue.finished[index];
            ended.unread -= 1;
            let handle = if is_leader { ended.handle.take() } else { None };
            let told = (ended.result.clone(), handle);
            if ended.unread == 0 {
                queue.finished.swap_remove(index);
            }
            Some(told)
        });
        told.expect("there is no time limit")
    }
}

impl Drop for WritePermit {
    fn drop(&mut self) {
        busy_handler::reset_queue_time();
        if !self.is_released {
            self.release(Err(CommitError::aborted()), None);
        }
    }
}

#[cfg(test)]
mod tests;
