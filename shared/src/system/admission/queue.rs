//! State of an [`Admission`](super::Admission): permits in use, and the order of waiting requests.
//!
//! Invariant after each change: no class has a free permit that one of its waiting keys may use.

use super::{AdmissionClass, AdmissionLimits, AdmissionRefusal, ClassLimits};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::task::Waker;

/// Number of waiting keys up to which the order is strictly by arrival.
const MANY_KEYS: usize = 64;

const CLASSES: [AdmissionClass; 3] = [
    AdmissionClass::Authenticated,
    AdmissionClass::Familiar,
    AdmissionClass::Unauthenticated,
];

pub(super) struct QueueState<K> {
    limits: AdmissionLimits,
    classes: [FairQueue<K>; 3],
    requests: HashMap<u64, QueuedRequest>,
    next: u64,
}

/// Queue of one class.
struct FairQueue<K> {
    running: usize,
    waiting: usize,
    keys: HashMap<K, Share>,
    /// Waiting keys below their maximum that had no turn yet, each once, with the number at which
    /// they became ready.
    new: VecDeque<(u64, K)>,
    /// Waiting keys below their maximum that had a turn before.
    others: VecDeque<(u64, K)>,
    /// Number of turns so far.
    turns: u64,
    readied: u64,
}

/// Requests of one key.
#[derive(Default)]
struct Share {
    running: usize,
    /// Numbers of waiting requests, oldest first.
    waiting: VecDeque<u64>,
    is_ready: bool,
}

enum QueuedRequest {
    Waits(Option<Waker>),
    Admitted,
    Displaced,
}

impl<K: Clone + Eq + Hash> QueueState<K> {
    pub(super) fn new(limits: AdmissionLimits) -> QueueState<K> {
        let queue = || FairQueue {
            running: 0,
            waiting: 0,
            keys: HashMap::new(),
            new: VecDeque::new(),
            others: VecDeque::new(),
            turns: 0,
            readied: 0,
        };
        QueueState {
            limits,
            classes: [queue(), queue(), queue()],
            requests: HashMap::new(),
            next: 0,
        }
    }

    pub(super) fn in_use(&self) -> usize {
        self.classes.iter().map(|queue| queue.running).sum()
    }

    pub(super) fn waiting(&self) -> usize {
        self.classes.iter().map(|queue| queue.waiting).sum()
    }

    #[cfg(test)]
    pub(super) fn requests(&self) -> usize {
        self.requests.len()
    }

    /// Takes a permit without waiting.
    pub(super) fn try_acquire(
        &mut self,
        class: AdmissionClass,
        key: &K,
    ) -> Result<(), AdmissionRefusal> {
        let most = self.limits.class_limits(class).per_key;
        let queue = &self.classes[class as usize];
        if queue
            .keys
            .get(key)
            .is_some_and(|share| share.running >= most)
        {
            return Err(AdmissionRefusal::KeyLimit);
        }
        if !self.has_room(class) {
            return Err(AdmissionRefusal::Capacity);
        }
        let queue = &mut self.classes[class as usize];
        queue.running += 1;
        queue.keys.entry(key.clone()).or_default().running += 1;
        Ok(())
    }

    /// Takes a permit or waits. Returns the number of the request.
    pub(super) fn acquire(
        &mut self,
        class: AdmissionClass,
        key: &K,
        woken: &mut Vec<Waker>,
    ) -> Result<u64, AdmissionRefusal> {
        let number = self.next;
        self.next += 1;
        if self.try_acquire(class, key).is_ok() {
            self.requests.insert(number, QueuedRequest::Admitted);
            return Ok(number);
        }
        let limits = *self.limits.class_limits(class);
        let queue = &mut self.classes[class as usize];
        let waits = queue.keys.get(key).map_or(0, |share| share.waiting.len());
        if waits >= limits.waiting_per_key {
            return Err(AdmissionRefusal::KeyLimit);
        }
        if queue.waiting >= limits.waiting {
            let displaced = queue
                .displace(waits + 1)
                .ok_or(AdmissionRefusal::Capacity)?;
            let before = self.requests.insert(displaced, QueuedRequest::Displaced);
            woken.extend(before.and_then(QueuedRequest::waker));
        }
        queue.waiting += 1;
        let share = queue.keys.entry(key.clone()).or_default();
        let is_new = share.running == 0 && share.waiting.is_empty();
        share.waiting.push_back(number);
        queue.make_ready(key, is_new, &limits);
        self.requests.insert(number, QueuedRequest::Waits(None));
        Ok(number)
    }

    /// Returns the decision about a request, if there is one.
    pub(super) fn poll_request(
        &mut self,
        number: u64,
        waker: &Waker,
    ) -> Option<Result<(), AdmissionRefusal>> {
        let answer = match self.requests.get_mut(&number) {
            Some(QueuedRequest::Waits(kept)) => {
                match kept {
                    Some(kept) => kept.clone_from(waker),
                    None => *kept = Some(waker.clone()),
                }
                return None;
            }
            Some(QueuedRequest::Admitted) => Ok(()),
            Some(QueuedRequest::Displaced) | None => Err(AdmissionRefusal::KeyLimit),
        };
        self.requests.remove(&number);
        Some(answer)
    }

    /// Removes a request that was dropped.
    pub(super) fn remove_request(
        &mut self,
        class: AdmissionClass,
        key: &K,
        number: u64,
        woken: &mut Vec<Waker>,
    ) {
        match self.requests.remove(&number) {
            Some(QueuedRequest::Waits(_)) => self.classes[class as usize].remove(key, number),
            Some(QueuedRequest::Admitted) => self.release(class, key, woken),
            Some(QueuedRequest::Displaced) | None => {}
        }
    }

    /// Releases a permit, and grants free permits to the next requests.
    pub(super) fn release(&mut self, class: AdmissionClass, key: &K, woken: &mut Vec<Waker>) {
        let limits = *self.limits.class_limits(class);
        let queue = &mut self.classes[class as usize];
        queue.running = queue.running.saturating_sub(1);
        if let Some(share) = queue.keys.get_mut(key) {
            share.running = share.running.saturating_sub(1);
        }
        queue.make_ready(key, false, &limits);
        queue.drop_empty(key);
        for class in CLASSES {
            while self.has_room(class) {
                let limits = *self.limits.class_limits(class);
                let Some(number) = self.classes[class as usize].next(&limits) else {
                    break;
                };
                let before = self.requests.insert(number, QueuedRequest::Admitted);
                woken.extend(before.and_then(QueuedRequest::waker));
            }
        }
    }

    /// Returns whether a class may use one more permit, its own or a shared one.
    fn has_room(&self, class: AdmissionClass) -> bool {
        let beyond_own = |class: AdmissionClass| {
            self.classes[class as usize]
                .running
                .saturating_sub(self.limits.class_limits(class).own)
        };
        self.classes[class as usize].running < self.limits.class_limits(class).own
            || CLASSES.into_iter().map(beyond_own).sum::<usize>() < self.limits.shared
    }
}

impl<K: Clone + Eq + Hash> FairQueue<K> {
    /// Appends a key that waits and is below its maximum to the line of ready keys.
    fn make_ready(&mut self, key: &K, is_new: bool, limits: &ClassLimits) {
        let Some(share) = self.keys.get_mut(key) else {
            return;
        };
        if !share.is_ready && !share.waiting.is_empty() && share.running < limits.per_key {
            share.is_ready = true;
            self.readied += 1;
            let line = if is_new {
                &mut self.new
            } else {
                &mut self.others
            };
            line.push_back((self.readied, key.clone()));
        }
    }

    /// Takes the next request: that of the key that has waited longest. If very many keys wait,
    /// every second turn goes to the newest key, so that a flood of keys does not make every new
    /// request wait behind all of them.
    fn next(&mut self, limits: &ClassLimits) -> Option<u64> {
        self.turns += 1;
        let of_newest = self.new.len() > MANY_KEYS && self.turns % 2 == 0;
        let first = |line: &VecDeque<(u64, K)>| line.front().map_or(u64::MAX, |(since, _)| *since);
        let (_, key) = if of_newest {
            self.new.pop_back()
        } else if first(&self.new) < first(&self.others) {
            self.new.pop_front()
        } else {
            self.others.pop_front()
        }?;
        let share = self.keys.get_mut(&key)?;
        share.is_ready = false;
        let number = share.waiting.pop_front()?;
        share.running += 1;
        self.running += 1;
        self.waiting -= 1;
        self.make_ready(&key, false, limits);
        Some(number)
    }

    /// Removes the newest request of the key with the most waiting requests, if those are more than
    /// `more_than`.
    fn displace(&mut self, more_than: usize) -> Option<u64> {
        let (key, share) = self
            .keys
            .iter()
            .max_by_key(|(_, share)| share.waiting.len())?;
        let newest = *share
            .waiting
            .back()
            .filter(|_| share.waiting.len() > more_than)?;
        let key = key.clone();
        self.remove(&key, newest);
        Some(newest)
    }

    fn remove(&mut self, key: &K, number: u64) {
        let Some(share) = self.keys.get_mut(key) else {
            return;
        };
        let before = share.waiting.len();
        share.waiting.retain(|waits| *waits != number);
        self.waiting -= before - share.waiting.len();
        if share.is_ready && share.waiting.is_empty() {
            share.is_ready = false;
            self.new.retain(|(_, ready)| ready != key);
            self.others.retain(|(_, ready)| ready != key);
        }
        self.drop_empty(key);
    }

    /// Removes a key without requests.
    fn drop_empty(&mut self, key: &K) {
        if let Entry::Occupied(entry) = self.keys.entry(key.clone()) {
            if entry.get().running == 0 && entry.get().waiting.is_empty() {
                entry.remove();
            }
        }
    }
}

impl QueuedRequest {
    fn waker(self) -> Option<Waker> {
        match self {
            QueuedRequest::Waits(waker) => waker,
            QueuedRequest::Admitted | QueuedRequest::Displaced => None,
        }
    }
}

impl AdmissionLimits {
    fn class_limits(&self, class: AdmissionClass) -> &ClassLimits {
        match class {
            AdmissionClass::Authenticated => &self.authenticated,
            AdmissionClass::Familiar => &self.familiar,
            AdmissionClass::Unauthenticated => &self.unauthenticated,
        }
    }
}
