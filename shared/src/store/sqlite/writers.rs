//! The connections of this process that write to one store stand in a queue: whoever has proven most first, those of one
//! class in the order in which they came, and whoever was passed over some times. Attempts that waited already when another's transaction began go on with that
//! one, on its connection, each within a savepoint of its own, and share its commit: a disk makes a commit durable in
//! milliseconds, an attempt takes tenths of one.
//!
//! MUST NOT let anybody answer before the commit, nor have anybody wait for those who came after its transaction began.

use super::handle::{Failure, Handle, Outcome};
use super::turn;
use crate::admission::Class;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Attempts that share one commit at most: so many pages fit well below the limit of the WAL.
const MOST: usize = 32;
/// How long a transaction is gone on with: whoever has done their part waits for the others'.
const LONGEST: Duration = Duration::from_millis(20);
/// How often others who have proven more may write before someone who came earlier: whoever writes without end keeps
/// nobody from it.
const PASSED_OVER: u32 = 4;

/// Device and number of a store's file.
type File = (u64, u64);

/// The queues of the stores that are open in this process.
static QUEUES: Mutex<Vec<(File, Weak<Writers>)>> = Mutex::new(Vec::new());

/// Those who write to one store.
#[derive(Default)]
pub(super) struct Writers(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    next: u64,
    /// Whose turn it is.
    at: Option<u64>,
    waiting: Vec<Waiting>,
    /// The transaction with which whoever has the turn goes on.
    handed_on: Option<(Shared, Handle)>,
    ended: Vec<Ended>,
}

struct Waiting {
    number: u64,
    class: Class,
    shares: bool,
    /// How often someone who came later was preferred.
    passed_over: u32,
    thread: Thread,
}

/// A transaction that holds the work of others too.
#[derive(Clone)]
struct Shared {
    /// Who began it, on its own connection.
    leader: u64,
    /// The first number that came too late for it.
    until: u64,
    began: Instant,
    /// Those who have done their part, and wait for the commit.
    members: Vec<Thread>,
}

impl Shared {
    fn alone(leader: u64) -> Shared {
        Shared { leader, until: 0, began: Instant::now(), members: Vec::new() }
    }
}

/// What came of a commit of which not all of its members know yet.
struct Ended {
    leader: u64,
    outcome: Outcome,
    /// The leader's connection, until that takes it back.
    handle: Option<Handle>,
    untold: usize,
}

/// A turn to write, until this is dropped.
pub(super) struct Turn {
    writers: Arc<Writers>,
    number: u64,
    shares: bool,
    /// The transaction that it goes on with, or that others go on with.
    shared: Option<Shared>,
    is_over: bool,
}

impl Queue {
    /// Who is next, if anybody waits.
    fn next(&self) -> Option<usize> {
        let all = self.waiting.iter().enumerate();
        let order = |one: &Waiting| (one.passed_over < PASSED_OVER, one.class, one.number);
        // of those who were passed over too often the first
        let order = |one: &Waiting| match order(one) {
            (false, _, number) => (false, Class::Proven, number),
            in_turn => in_turn,
        };
        all.min_by_key(|(_, one)| order(one)).map(|(index, _)| index)
    }

    /// Gives the turn to the next one, if that one fulfils this.
    fn pass_on(&mut self, may: impl Fn(&Waiting) -> bool) -> Option<Thread> {
        let index = self.next().filter(|index| may(&self.waiting[*index]))?;
        let next = self.waiting.swap_remove(index);
        for other in &mut self.waiting {
            other.passed_over += u32::from(other.number < next.number);
        }
        self.at = Some(next.number);
        Some(next.thread)
    }

    /// The same, whoever it is: that one begins a transaction of its own.
    fn pass_on_to_any(&mut self) -> Option<Thread> {
        self.at = None;
        self.pass_on(|_| true)
    }
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

    /// Waits for a turn; none if it does not come within [`turn::PATIENCE`]. Where another's transaction is to be gone on
    /// with, its connection comes with it.
    pub(super) fn enter(self: &Arc<Self>, class: Class, shares: bool) -> Option<(Turn, Option<Handle>)> {
        let began = Instant::now();
        let mut queue = self.lock();
        let number = queue.next;
        queue.next += 1;
        if queue.at.is_none() {
            queue.at = Some(number);
        } else {
            let thread = thread::current();
            queue.waiting.push(Waiting { number, class, shares, passed_over: 0, thread });
        }
        drop(queue);
        let is_at = |queue: &mut Queue| (queue.at == Some(number)).then(|| queue.handed_on.take());
        let found = self.wait(Some(began + turn::PATIENCE), is_at);
        let handed_on = match found {
            Some(handed_on) => handed_on,
            None => {
                let mut queue = self.lock();
                queue.waiting.retain(|one| one.number != number);
                // it may have come at the last moment
                if queue.at != Some(number) {
                    return None;
                }
                queue.handed_on.take()
            }
        };
        turn::has_queued(began.elapsed());
        let (shared, handle) = handed_on.unzip();
        Some((Turn { writers: Arc::clone(self), number, shares, shared, is_over: false }, handle))
    }

    /// Waits until something is there, or time is over.
    fn wait<T>(&self, until: Option<Instant>, mut ready: impl FnMut(&mut Queue) -> Option<T>) -> Option<T> {
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

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Whether it goes on with another's transaction.
    pub(super) fn has_joined(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.leader != self.number)
    }

    /// Its own transaction has begun: of those who share, whoever waits by now goes on with it.
    pub(super) fn has_begun(&mut self) {
        if self.shares {
            let until = self.writers.lock().next;
            self.shared = Some(Shared { until, ..Shared::alone(self.number) });
        }
    }

    /// Its part is done, and the transaction goes on or is committed. Returns when it is committed, with the connection
    /// where that is its own.
    pub(super) fn end(mut self, handle: Handle) -> (Outcome, Option<Handle>) {
        let mut shared = self.shared.take().unwrap_or_else(|| Shared::alone(self.number));
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

    /// Tells those who share the transaction what came of it, and lets the next one begin; the connection, where nobody
    /// else's.
    fn finish(&mut self, outcome: Outcome, handle: Option<Handle>) -> Option<Handle> {
        self.is_over = true;
        let Shared { leader, members, .. } = self.shared.take().unwrap_or_else(|| Shared::alone(self.number));
        let mut queue = self.writers.lock();
        let next = queue.pass_on_to_any();
        let is_alone = members.is_empty();
        let (ended, handle) = match is_alone {
            true => (None, handle),
            false => (Some(Ended { leader, outcome, handle, untold: members.len() }), None),
        };
        queue.ended.extend(ended);
        drop(queue);
        next.iter().chain(&members).for_each(Thread::unpark);
        handle
    }

    fn wait_for_commit(&self, leader: u64) -> (Outcome, Option<Handle>) {
        let is_leader = leader == self.number;
        let told = self.writers.wait(None, |queue| {
            let index = queue.ended.iter().position(|ended| ended.leader == leader)?;
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

impl Drop for Turn {
    fn drop(&mut self) {
        turn::is_over();
        if !self.is_over {
            self.finish(Err(Failure::lost()), None);
        }
    }
}

#[cfg(test)]
mod tests;
