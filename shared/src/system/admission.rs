//! Admission to scarce resources: workers, connections, look-ups. Permits are counted by key (an
//! address, a user, an account), reserved by class, and granted in a queue that is fair between
//! keys. This is the only such queue.
//!
//! Uses `std` only: [`AdmissionRequest`] is a future for any runtime, and [`AdmissionRequest::wait`]
//! blocks a thread.
//!
//! MUST NOT wake a waiter while the state is locked: it may finish at once and release its permit.

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

/// Level of authentication of a request, best first. Each class has its own permits. A free shared
/// permit goes to the best class that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdmissionClass {
    /// A valid session, token or trusted browser, or a service that the configuration names.
    Authenticated,
    /// A request from a familiar address.
    Familiar,
    /// Any other request.
    Unauthenticated,
}

/// Limits of one class.
#[derive(Clone, Copy, Debug)]
pub struct ClassLimits {
    /// Permits that only this class may use.
    pub own: usize,
    /// Maximum of permits per key.
    pub per_key: usize,
    /// Maximum of waiting requests per key.
    pub waiting_per_key: usize,
    /// Maximum of waiting requests.
    pub waiting: usize,
}

/// Limits of an [`Admission`].
#[derive(Clone, Copy, Debug)]
pub struct AdmissionLimits {
    /// Permits that every class may use once its own are in use.
    pub shared: usize,
    pub authenticated: ClassLimits,
    pub familiar: ClassLimits,
    pub unauthenticated: ClassLimits,
}

impl AdmissionLimits {
    /// Returns the number of all permits.
    pub fn capacity(&self) -> usize {
        self.shared + self.authenticated.own + self.familiar.own + self.unauthenticated.own
    }
}

/// Reason of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionRefusal {
    /// The key uses its maximum.
    KeyLimit,
    /// All permits are in use.
    Capacity,
}

impl fmt::Display for AdmissionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdmissionRefusal::KeyLimit => "too many requests of the same origin at once",
            AdmissionRefusal::Capacity => "too many requests at once",
        })
    }
}

impl std::error::Error for AdmissionRefusal {}

/// Permits and the queue for them. Clones share both.
pub struct Admission<K>(Arc<Mutex<QueueState<K>>>);

impl<K> Clone for Admission<K> {
    fn clone(&self) -> Admission<K> {
        Admission(Arc::clone(&self.0))
    }
}

impl<K: Clone + Eq + Hash> Admission<K> {
    pub fn new(limits: AdmissionLimits) -> Admission<K> {
        Admission(Arc::new(Mutex::new(QueueState::new(limits))))
    }

    /// Takes a permit, or starts to wait for one. If the queue is full, a key without a waiting
    /// request displaces the newest request of the key with the most waiting requests.
    pub fn acquire(
        &self,
        class: AdmissionClass,
        key: K,
    ) -> Result<AdmissionRequest<K>, AdmissionRefusal> {
        let mut woken = Vec::new();
        let entered = self.state().acquire(class, &key, &mut woken);
        wake(woken);
        let number = entered?;
        Ok(AdmissionRequest {
            admission: self.clone(),
            class,
            key: Some(key),
            number,
        })
    }

    /// Takes a permit, if one is free now.
    pub fn try_acquire(
        &self,
        class: AdmissionClass,
        key: K,
    ) -> Result<AdmissionPermit<K>, AdmissionRefusal> {
        self.state().try_acquire(class, &key)?;
        Ok(AdmissionPermit {
            admission: self.clone(),
            class,
            key,
        })
    }

    pub fn in_use(&self) -> usize {
        self.state().in_use()
    }

    pub fn waiting(&self) -> usize {
        self.state().waiting()
    }

    /// Locks the state. No change can panic halfway, so that a poisoned lock holds a valid state.
    fn state(&self) -> MutexGuard<'_, QueueState<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, class: AdmissionClass, key: &K) {
        let mut woken = Vec::new();
        self.state().release(class, key, &mut woken);
        wake(woken);
    }
}

fn wake(woken: Vec<Waker>) {
    woken.into_iter().for_each(Waker::wake);
}

/// A permit, released when it is dropped.
pub struct AdmissionPermit<K: Clone + Eq + Hash> {
    admission: Admission<K>,
    class: AdmissionClass,
    key: K,
}

impl<K: Clone + Eq + Hash> Drop for AdmissionPermit<K> {
    fn drop(&mut self) {
        self.admission.release(self.class, &self.key);
    }
}

/// A request for a permit. A request that is dropped no longer waits.
#[must_use]
pub struct AdmissionRequest<K: Clone + Eq + Hash> {
    admission: Admission<K>,
    class: AdmissionClass,
    /// `None` once the request is decided.
    key: Option<K>,
    number: u64,
}

/// No field is pinned.
impl<K: Clone + Eq + Hash> Unpin for AdmissionRequest<K> {}

impl<K: Clone + Eq + Hash> Future for AdmissionRequest<K> {
    type Output = Result<AdmissionPermit<K>, AdmissionRefusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self
            .admission
            .state()
            .poll_request(self.number, context.waker());
        let Some(answer) = answer else {
            return Poll::Pending;
        };
        let Some(key) = self.key.take() else {
            return Poll::Ready(Err(AdmissionRefusal::KeyLimit));
        };
        let (admission, class) = (self.admission.clone(), self.class);
        Poll::Ready(answer.map(|()| AdmissionPermit {
            admission,
            class,
            key,
        }))
    }
}

impl<K: Clone + Eq + Hash> AdmissionRequest<K> {
    /// Blocks the thread until a permit is granted, or until `within` has passed.
    pub fn wait(self, within: Duration) -> Result<AdmissionPermit<K>, AdmissionRefusal> {
        let over = Instant::now() + within;
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut this = pin!(self);
        loop {
            if let Poll::Ready(answer) = this.as_mut().poll(&mut Context::from_waker(&waker)) {
                return answer;
            }
            let left = over.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(AdmissionRefusal::Capacity);
            }
            std::thread::park_timeout(left);
        }
    }
}

impl<K: Clone + Eq + Hash> Drop for AdmissionRequest<K> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut woken = Vec::new();
        self.admission
            .state()
            .remove_request(self.class, &key, self.number, &mut woken);
        wake(woken);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
