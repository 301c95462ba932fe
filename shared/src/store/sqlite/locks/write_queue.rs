//! Queue of the connections of this process that write to one store, and group commit. The order is
//! by class, then by arrival; a writer that others passed four times is next. An attempt that waits
//! when the transaction of another attempt begins continues that transaction: on its connection, in
//! a savepoint, with one commit for the group. A commit takes milliseconds on a disk, an attempt
//! tenths of one.
//!
//! MUST NOT return from any attempt before the commit, nor delay one for an attempt that arrived
//! after its transaction began.

use super::busy_handler;
use crate::store::sqlite::connection::{self, CommitResult, StoreConnection};
use crate::system::admission::AdmissionClass;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Maximum of attempts in one commit: their pages fit well below the limit of the WAL.
const MAX_MEMBERS: usize = 32;
/// Time in which attempts may join a transaction: finished attempts wait for the rest.
const JOIN_TIME: Duration = Duration::from_millis(20);
/// Number of later writers of a better class that may pass a waiting one: an endless series of
/// writes blocks no other writer.
const MAX_PASSED_OVER: u32 = 4;

/// Device and inode of a store's file.
type FileId = (u64, u64);

/// Queues of the stores that are open in this process.
static QUEUES: Mutex<Vec<(FileId, Weak<WriteQueue>)>> = Mutex::new(Vec::new());

#[derive(Default)]
pub(crate) struct WriteQueue(Mutex<WriteQueueState>);

#[derive(Default)]
struct WriteQueueState {
    next_number: u64,
    /// Number of the writer that holds the permit.
    current: Option<u64>,
    waiting: Vec<WaitingWriter>,
    /// Open transaction that the current writer continues.
    handed_over: Option<(CommitGroup, StoreConnection)>,
    finished: Vec<FinishedGroup>,
}

struct WaitingWriter {
    number: u64,
    class: AdmissionClass,
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
    connection: Option<StoreConnection>,
    unread: usize,
}

/// Permit to write, released when it is dropped.
pub(crate) struct WritePermit {
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
        let order = |writer: &WaitingWriter| match writer.passed_over < MAX_PASSED_OVER {
            true => (true, writer.class, writer.number),
            // of those that were passed too often, the first to arrive
            false => (false, AdmissionClass::Authenticated, writer.number),
        };
        all.min_by_key(|(_, writer)| order(writer))
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
    pub(crate) fn of_store(store: FileId) -> Arc<WriteQueue> {
        let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|(_, queue)| queue.strong_count() > 0);
        let found = queues
            .iter()
            .find(|(of, _)| *of == store)
            .and_then(|(_, queue)| queue.upgrade());
        found.unwrap_or_else(|| {
            let new = Arc::default();
            queues.push((store, Arc::downgrade(&new)));
            new
        })
    }

    /// Waits for a permit. Returns `None` after [`busy_handler::PATIENCE`]. A permit that continues
    /// a transaction comes with the connection of that transaction.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        class: AdmissionClass,
        may_share: bool,
    ) -> Option<(WritePermit, Option<StoreConnection>)> {
        let began = Instant::now();
        let mut queue = self.lock();
        let number = queue.next_number;
        queue.next_number += 1;
        if queue.current.is_none() {
            queue.current = Some(number);
        } else {
            let thread = thread::current();
            queue.waiting.push(WaitingWriter {
                number,
                class,
                may_join: may_share,
                passed_over: 0,
                thread,
            });
        }
        drop(queue);
        let has_permit = |queue: &mut WriteQueueState| {
            (queue.current == Some(number)).then(|| queue.handed_over.take())
        };
        let found = self.wait(Some(began + busy_handler::PATIENCE), has_permit);
        let handed_over = match found {
            Some(handed_over) => handed_over,
            None => {
                let mut queue = self.lock();
                queue.waiting.retain(|writer| writer.number != number);
                // the permit may have arrived after the time limit
                if queue.current != Some(number) {
                    return None;
                }
                queue.handed_over.take()
            }
        };
        busy_handler::set_queue_time(began.elapsed());
        let (group, connection) = handed_over.unzip();
        Some((
            WritePermit {
                queue: Arc::clone(self),
                number,
                may_share,
                group,
                is_released: false,
            },
            connection,
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
    pub(crate) fn has_joined(&self) -> bool {
        self.group
            .as_ref()
            .is_some_and(|group| group.leader != self.number)
    }

    /// Lets the attempts that wait now join this transaction, which has begun.
    pub(crate) fn accept_joiners(&mut self) {
        if self.may_share {
            let until = self.queue.lock().next_number;
            self.group = Some(CommitGroup {
                until,
                ..CommitGroup::new(self.number)
            });
        }
    }

    /// Takes the commit group, which the attempt forms alone if nothing was shared.
    fn take_group(&mut self) -> CommitGroup {
        let group = self.group.take();
        group.unwrap_or_else(|| CommitGroup::new(self.number))
    }

    /// Hands the transaction over to the next member, or commits it. Returns after the commit, with
    /// the connection if it is the caller's own.
    pub(crate) fn hand_over_or_commit(
        mut self,
        connection: StoreConnection,
    ) -> (CommitResult, Option<StoreConnection>) {
        let mut group = self.take_group();
        let mut queue = self.queue.lock();
        let may_grow = group.members.len() < MAX_MEMBERS - 1 && group.began.elapsed() < JOIN_TIME;
        let may_hand_over = may_grow && connection.is_in_transaction();
        let may_follow = |writer: &WaitingWriter| {
            may_hand_over && writer.may_join && writer.number < group.until
        };
        if let Some(next) = queue.start_next_if(may_follow) {
            let leader = group.leader;
            group.members.push(thread::current());
            queue.handed_over = Some((group, connection));
            drop(queue);
            self.is_released = true;
            next.unpark();
            return self.wait_for_commit(leader);
        }
        drop(queue);
        self.group = Some(group);
        let result = connection.commit();
        let connection = self.release(result.clone(), Some(connection));
        (result, connection)
    }

    /// Reports the result to the other members and releases the permit. Returns the connection if
    /// there are no other members.
    fn release(
        &mut self,
        result: CommitResult,
        connection: Option<StoreConnection>,
    ) -> Option<StoreConnection> {
        self.is_released = true;
        let CommitGroup {
            leader, members, ..
        } = self.take_group();
        let mut queue = self.queue.lock();
        let next = queue.start_next();
        let own = match members.is_empty() {
            true => connection,
            false => {
                queue.finished.push(FinishedGroup {
                    leader,
                    result,
                    connection,
                    unread: members.len(),
                });
                None
            }
        };
        drop(queue);
        next.iter().chain(&members).for_each(Thread::unpark);
        own
    }

    fn wait_for_commit(&self, leader: u64) -> (CommitResult, Option<StoreConnection>) {
        let is_leader = leader == self.number;
        let found = self.queue.wait(None, |queue| {
            let index = queue
                .finished
                .iter()
                .position(|finished| finished.leader == leader)?;
            let finished = &mut queue.finished[index];
            finished.unread -= 1;
            let own = finished.connection.take_if(|_| is_leader);
            let found = (finished.result.clone(), own);
            if finished.unread == 0 {
                queue.finished.swap_remove(index);
            }
            Some(found)
        });
        found.expect("there is no time limit")
    }
}

impl Drop for WritePermit {
    fn drop(&mut self) {
        busy_handler::reset_queue_time();
        if !self.is_released {
            self.release(connection::aborted(), None);
        }
    }
}

#[cfg(test)]
mod tests;
