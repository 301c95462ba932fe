//! Admission to something of which there is little: workers, connections, questions to the host. Places are counted by
//! key (an address, a user, an account), kept for whoever has proven more, and waited for in a queue that is fair
//! between keys. The one type for all of them.
//!
//! Pure `std`: [`Waiting`] is a future for any runtime, and [`Waiting::wait`] blocks a thread instead.
//! MUST NOT wake anybody while the state is locked: what is woken may end at once and give its place back.

mod queue;
#[cfg(test)]
mod tests;

use queue::QueueState;
use std::fmt;
use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// What a request has proven, most first. Each class has places of its own; of the shared ones, a free place goes to
/// the class that has proven most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A valid session, token or trusted browser; a service that the configuration names.
    Authenticated,
    /// A familiar address.
    Familiar,
    /// Everyone else.
    Unauthenticated,
}

/// The limits of one class.
#[derive(Clone, Copy, Debug)]
pub struct ClassLimits {
    /// Places that no other class takes.
    pub own: usize,
    /// Places that one key takes at most.
    pub per_key: usize,
    /// Requests of one key that wait at most.
    pub waiting_per_key: usize,
    /// Requests that wait at most.
    pub waiting: usize,
}

/// The limits of an [`Admission`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Places that every class takes, once its own are taken.
    pub shared: usize,
    /// Of [`Class::Proven`].
    pub authenticated: ClassLimits,
    /// Of [`Class::Known`].
    pub familiar: ClassLimits,
    /// Of [`Class::Stranger`].
    pub unauthenticated: ClassLimits,
}

impl Limits {
    /// All places together.
    pub fn capacity(&self) -> usize {
        self.shared + self.authenticated.own + self.familiar.own + self.unauthenticated.own
    }
}

/// Why somebody is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// The key has its share already.
    Own,
    /// Everything is taken, by others too.
    All,
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Busy::Own => "too many requests of the same origin at once",
            Busy::All => "too many requests at once",
        })
    }
}

impl std::error::Error for Busy {}

/// Places, and who waits for one. Clones share them.
pub struct Admission<K>(Arc<Mutex<QueueState<K>>>);

impl<K> Clone for Admission<K> {
    fn clone(&self) -> Admission<K> {
        Admission(Arc::clone(&self.0))
    }
}

impl<K: Clone + Eq + Hash> Admission<K> {
    /// Nobody is admitted yet.
    pub fn new(limits: Limits) -> Admission<K> {
        Admission(Arc::new(Mutex::new(QueueState::new(limits))))
    }

    /// Takes a place, or begins to wait for one. A key that waits nowhere yet displaces the newest request of the key
    /// that waits most often, where the queue is full.
    pub fn acquire(&self, class: Class, key: K) -> Result<WaitingThread<K>, Busy> {
        let mut woken = Vec::new();
        let entered = self.state().acquire(class, &key, &mut woken);
        wake(woken);
        let number = entered?;
        Ok(WaitingThread {
            admission: self.clone(),
            class,
            key: Some(key),
            number,
        })
    }

    /// Takes a place, if there is one now.
    pub fn try_acquire(&self, class: Class, key: K) -> Result<AdmissionPermit<K>, Busy> {
        self.state().try_acquire(class, &key)?;
        Ok(AdmissionPermit {
            admission: self.clone(),
            class,
            key,
        })
    }

    /// Places that are taken.
    pub fn in_use(&self) -> usize {
        self.state().in_use()
    }

    /// Requests that wait for one.
    pub fn waiting(&self) -> usize {
        self.state().waiting()
    }

    /// Each change leaves a whole state: a panic cannot leave it half done.
    fn state(&self) -> MutexGuard<'_, QueueState<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, class: Class, key: &K) {
        let mut woken = Vec::new();
        self.state().release(class, key, &mut woken);
        wake(woken);
    }
}

fn wake(woken: Vec<Waker>) {
    woken.into_iter().for_each(Waker::wake);
}

/// A place; it is free again when this is dropped.
pub struct AdmissionPermit<K: Clone + Eq + Hash> {
    admission: Admission<K>,
    class: Class,
    key: K,
}

impl<K: Clone + Eq + Hash> Drop for AdmissionPermit<K> {
    fn drop(&mut self) {
        self.admission.release(self.class, &self.key);
    }
}

/// A request for a place. Dropped before it is ready, it no longer waits.
#[must_use]
pub struct WaitingThread<K: Clone + Eq + Hash> {
    admission: Admission<K>,
    class: Class,
    /// None once it is answered.
    key: Option<K>,
    number: u64,
}

/// Nothing in it is pinned.
impl<K: Clone + Eq + Hash> Unpin for WaitingThread<K> {}

impl<K: Clone + Eq + Hash> Future for WaitingThread<K> {
    type Output = Result<AdmissionPermit<K>, Busy>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self
            .admission
            .state()
            .poll_request(self.number, context.waker());
        let Some(answer) = answer else {
            return Poll::Pending;
        };
        let Some(key) = self.key.take() else {
            return Poll::Ready(Err(Busy::Own));
        };
        let (admission, class) = (self.admission.clone(), self.class);
        Poll::Ready(answer.map(|()| AdmissionPermit {
            admission,
            class,
            key,
        }))
    }
}

impl<K: Clone + Eq + Hash> WaitingThread<K> {
    /// Blocks the thread until there is a place, or until so much time has passed.
    pub fn wait(self, within: Duration) -> Result<AdmissionPermit<K>, Busy> {
        let over = Instant::now() + within;
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut this = pin!(self);
        loop {
            if let Poll::Ready(answer) = this.as_mut().poll(&mut Context::from_waker(&waker)) {
                return answer;
            }
            let left = over.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Busy::All);
            }
            std::thread::park_timeout(left);
        }
    }
}

impl<K: Clone + Eq + Hash> Drop for WaitingThread<K> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut woken = Vec::new();
        self.admission
            .state()
            .forget(self.class, &key, self.number, &mut woken);
        wake(woken);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
