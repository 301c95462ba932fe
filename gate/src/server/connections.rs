//! The connection limit: how many connections may be open, and which are closed when there are
//! more, when they are idle, and when the gate stops.
//!
//! A check takes no lock here, sets no timer and reads no clock: one task looks after the idle
//! connections of all.

use crate::http::memory_limit::{ConnectionMemory, RequestMemory, ReservedMemory};
use crate::observe::log;
use hyper::body::Body;
use hyper::{Request, Version};
use hyper_util::server::graceful::GracefulConnection;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use postern_shared::system::network::address::Address;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Limit on open connections.
const MAX_CONNECTIONS: usize = 4096;
/// Descriptors kept free for all else: stores, listeners, requests to the password helper, files.
const OTHER_DESCRIPTORS: usize = 256;
/// Divisor of the limit: the share that is closed at once when it is reached, so that finding the
/// oldest is worth its cost.
const CLOSED_SHARE: usize = 64;
/// Divisor of the limit: the share that one address may hold, unless it is a proxy's.
const ADDRESS_SHARE: usize = 8;
/// Pause between two searches for idle connections.
const IDLE_SEARCH: Duration = Duration::from_secs(1);

pub(crate) struct Connections {
    limit: usize,
    permits: Arc<Semaphore>,
    open: Mutex<ConnectionTable>,
    memory: Arc<RequestMemory>,
    next_number: AtomicU64,
    started: Instant,
    is_full_logged: AtomicBool,
}

/// Open connections, and their number per address.
#[derive(Default)]
struct ConnectionTable {
    activities: HashMap<u64, Arc<ConnectionActivity>>,
    addresses: HashMap<String, usize>,
}

/// State of one connection.
struct ConnectionActivity {
    /// Address of a browser, none of a proxy.
    address: Option<String>,
    /// Time of the accept, of the last request, or of its reply if it had to wait for one; in
    /// nanoseconds since the gate started.
    last_request: AtomicU64,
    /// Number of requests that wait for their reply. A check never waits.
    open_requests: AtomicU32,
    /// Whether HTTP/2 is in use, which finds out by itself whether the peer is still there.
    is_http2: AtomicBool,
    /// One of the values of [`ConnectionEnd`].
    end: AtomicU8,
    /// The task that serves the connection.
    task: Mutex<Option<Waker>>,
    /// Number of replies that are not sent yet, and that were sent.
    unsent: AtomicU32,
    sent: AtomicU64,
    is_watched: AtomicBool,
    memory: ConnectionMemory,
}

/// Whether and how a connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConnectionEnd {
    None = 0,
    /// After the open requests.
    Drain = 1,
    Now = 2,
}

impl Connections {
    /// Takes as many connections as the limit on descriptors allows. The last descriptors are for
    /// the store: without it no user could sign in.
    pub(crate) fn with_descriptor_limit() -> Arc<Connections> {
        let wanted = MAX_CONNECTIONS + OTHER_DESCRIPTORS;
        let descriptors =
            getrlimit(Resource::RLIMIT_NOFILE).map_or(OTHER_DESCRIPTORS as u64, |(soft, hard)| {
                let raised = hard.min(wanted as u64).max(soft);
                // The soft limit suffices to continue.
                setrlimit(Resource::RLIMIT_NOFILE, raised, hard).map_or(soft, |()| raised)
            });
        let limit = usize::try_from(descriptors)
            .unwrap_or(wanted)
            .saturating_sub(OTHER_DESCRIPTORS)
            .clamp(16, MAX_CONNECTIONS);
        if limit < MAX_CONNECTIONS {
            log::write_message(format_args!(
                "accepts {limit} connections at once instead of {MAX_CONNECTIONS}, because the limit on open files is {descriptors}; set LimitNOFILE={wanted} or more in its unit"
            ));
        }
        Arc::new(Connections::with_limit(limit))
    }

    fn with_limit(limit: usize) -> Connections {
        Connections {
            limit,
            permits: Arc::new(Semaphore::new(limit)),
            open: Mutex::default(),
            memory: Arc::default(),
            next_number: AtomicU64::new(0),
            started: Instant::now(),
            is_full_logged: AtomicBool::new(false),
        }
    }

    /// Admits a connection. `from` is the address of a browser, none for a proxy.
    ///
    /// At the limit, the connections that have been idle longest are closed, and those that wait
    /// for a reply last. Idle connections therefore keep no other out, and a new connection stays
    /// until thousands of newer ones arrive. An address beyond its share closes its own oldest
    /// connection.
    pub(crate) async fn admit(
        self: &Arc<Connections>,
        from: Option<Address>,
    ) -> std::io::Result<ConnectionPermit> {
        let from = from.map(Address::key);
        if let Some(from) = &from {
            self.close_oldest_of(from);
        }
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.close_oldest();
                // The semaphore is never closed.
                Arc::clone(&self.permits)
                    .acquire_owned()
                    .await
                    .map_err(std::io::Error::other)?
            }
        };
        if self.permits.available_permits() > self.limit / 4 {
            self.is_full_logged.store(false, Ordering::Relaxed);
        }
        let activity = Arc::new(ConnectionActivity {
            address: from.clone(),
            last_request: AtomicU64::new(self.nanoseconds(Instant::now())),
            open_requests: AtomicU32::new(0),
            is_http2: AtomicBool::new(false),
            end: AtomicU8::new(ConnectionEnd::None as u8),
            task: Mutex::default(),
            unsent: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            is_watched: AtomicBool::new(false),
            memory: ConnectionMemory::default(),
        });
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let mut open = self.lock_open();
        open.activities.insert(number, Arc::clone(&activity));
        if let Some(from) = from {
            *open.addresses.entry(from).or_default() += 1;
        }
        drop(open);
        Ok(ConnectionPermit {
            connections: Arc::clone(self),
            number,
            activity,
            _permit: permit,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.limit.saturating_sub(self.permits.available_permits())
    }

    fn close_oldest(&self) {
        let mut open = self.lock_open();
        let mut oldest: Vec<_> = open
            .activities
            .iter()
            .map(|(number, connection)| (connection.closing_order(), *number))
            .collect();
        let count = oldest.len() / CLOSED_SHARE;
        // Where every connection is about to close, none is left to select.
        if count < oldest.len() {
            oldest.select_nth_unstable(count);
            for (_, number) in &oldest[..=count] {
                if let Some(connection) = open.activities.remove(number) {
                    connection.end(ConnectionEnd::Now);
                }
            }
        }
        if !self.is_full_logged.swap(true, Ordering::Relaxed) {
            log::write_message(format_args!(
                "all {} connections are in use; each new one now closes those that have been idle longest; ss -tx shows who opens so many",
                self.limit
            ));
        }
    }

    /// Closes the oldest connection of an address that has used up its share.
    fn close_oldest_of(&self, from: &str) {
        let mut open = self.lock_open();
        if open
            .addresses
            .get(from)
            .is_none_or(|count| *count < self.limit / ADDRESS_SHARE)
        {
            return;
        }
        let own = open
            .activities
            .iter()
            .filter(|(_, connection)| connection.address.as_deref() == Some(from));
        let oldest = own
            .min_by_key(|(_, connection)| connection.closing_order())
            .map(|(number, _)| *number);
        if let Some(connection) = oldest.and_then(|number| open.activities.remove(&number)) {
            connection.end(ConnectionEnd::Now);
        }
    }

    /// Closes connections that have no request for `patience`, as long as the gate runs.
    pub(crate) async fn close_idle(&self, patience: Duration) {
        loop {
            tokio::time::sleep(IDLE_SEARCH).await;
            self.close_idle_since(Instant::now(), patience);
        }
    }

    fn close_idle_since(&self, now: Instant, patience: Duration) {
        let patience = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        let idle_since = self.nanoseconds(now).saturating_sub(patience);
        for connection in self.lock_open().activities.values() {
            if connection.is_idle_since(idle_since) {
                connection.end(ConnectionEnd::Now);
            }
        }
    }

    /// Ends every connection, since the gate stops: those that wait for a reply after it, all others
    /// at once. Waits until the last one is closed.
    pub(crate) async fn drain(&self) {
        for connection in self.lock_open().activities.values() {
            connection.end(match connection.open_requests.load(Ordering::Acquire) {
                0 => ConnectionEnd::Now,
                _ => ConnectionEnd::Drain,
            });
        }
        let all = u32::try_from(self.limit).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _ = self.permits.acquire_many(all).await;
    }

    /// Each change is one insertion or removal: a panic cannot leave it inconsistent.
    fn lock_open(&self) -> MutexGuard<'_, ConnectionTable> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl ConnectionActivity {
    /// Order in which connections are closed: those that wait for a reply last, then by their last
    /// request.
    fn closing_order(&self) -> (bool, u64) {
        (
            self.open_requests.load(Ordering::Acquire) > 0,
            self.last_request.load(Ordering::Relaxed),
        )
    }

    /// Whether neither a request nor a reply is under way, and none was since a time in nanoseconds
    /// since the gate started. hyper's own timeout would set a timer for each request.
    fn is_idle_since(&self, time: u64) -> bool {
        !self.is_http2.load(Ordering::Relaxed)
            && self.open_requests.load(Ordering::Acquire) == 0
            && self.unsent.load(Ordering::Acquire) == 0
            && self.last_request.load(Ordering::Relaxed) <= time
    }

    /// Makes the connection end. An end is never taken back.
    fn end(&self, end: ConnectionEnd) {
        self.end.fetch_max(end as u8, Ordering::AcqRel);
        if let Some(task) = self.lock_task().as_ref() {
            task.wake_by_ref();
        }
    }

    /// A panic cannot leave it inconsistent.
    fn lock_task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Admission of one connection, until it is dropped.
pub(crate) struct ConnectionPermit {
    connections: Arc<Connections>,
    number: u64,
    activity: Arc<ConnectionActivity>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionPermit {
    /// Records the arrival of a request.
    pub(crate) fn record_request(&self, now: Instant, version: Version) {
        let now = self.connections.nanoseconds(now);
        self.activity.last_request.store(now, Ordering::Relaxed);
        if version == Version::HTTP_2 {
            self.activity.is_http2.store(true, Ordering::Relaxed);
        }
    }

    /// Marks a request that waits for its reply as open until the returned value is dropped.
    pub(crate) fn begin_request(&self) -> ActiveRequest {
        self.activity.open_requests.fetch_add(1, Ordering::AcqRel);
        ActiveRequest {
            connections: Arc::clone(&self.connections),
            activity: Arc::clone(&self.activity),
        }
    }

    /// Reserves the memory of a request, if its limits allow it. `address` is that of a browser.
    pub(crate) fn reserve_memory<B: Body>(
        &self,
        address: Option<Address>,
        request: &Request<B>,
    ) -> Option<ReservedMemory> {
        self.connections
            .memory
            .reserve(&self.activity.memory, address, request)
    }

    /// Marks a reply as unsent until the returned value is dropped, with the reply or with the
    /// connection. A connection whose peer reads nothing for `patience` must close.
    pub(crate) fn begin_reply(&self, patience: Duration) -> UnsentReply {
        let activity = &self.activity;
        activity.unsent.fetch_add(1, Ordering::AcqRel);
        if !activity.is_watched.swap(true, Ordering::AcqRel) {
            let watched = Arc::downgrade(activity);
            tokio::spawn(async move {
                let mut sent = None;
                loop {
                    tokio::time::sleep(patience).await;
                    let Some(activity) = watched.upgrade() else {
                        return;
                    };
                    if activity.unsent.load(Ordering::Acquire) == 0 {
                        activity.is_watched.store(false, Ordering::Release);
                        return;
                    }
                    let now = activity.sent.load(Ordering::Acquire);
                    if sent.replace(now) == Some(now) {
                        return activity.end(ConnectionEnd::Now);
                    }
                }
            });
        }
        UnsentReply(Arc::clone(activity))
    }

    /// Waits until the connection must close at once: at the limit, when it is idle, or when the gate
    /// stops.
    pub(crate) async fn closed(&self) {
        poll_fn(|context| {
            self.wake_at_end(context);
            match self.must_close() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Serves the connection until it ends, by itself or by an order. A reply that is ready is sent
    /// first.
    pub(crate) async fn serve<C: GracefulConnection>(&self, connection: C) {
        let (mut connection, mut is_draining) = (pin!(connection), false);
        let mut task: Option<Waker> = None;
        poll_fn(|context| {
            // A task is seldom woken by another waker than before.
            if !task
                .as_ref()
                .is_some_and(|task| task.will_wake(context.waker()))
            {
                self.wake_at_end(context);
                task = Some(context.waker().clone());
            }
            if !is_draining && self.must_drain() {
                is_draining = true;
                connection.as_mut().graceful_shutdown();
            }
            match connection.as_mut().poll(context) {
                Poll::Pending if !self.must_close() => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    fn wake_at_end(&self, context: &Context<'_>) {
        *self.activity.lock_task() = Some(context.waker().clone());
    }

    fn must_close(&self) -> bool {
        self.activity.end.load(Ordering::Acquire) == ConnectionEnd::Now as u8
    }

    fn must_drain(&self) -> bool {
        self.activity.end.load(Ordering::Acquire) == ConnectionEnd::Drain as u8
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.connections.lock_open();
        open.activities.remove(&self.number);
        let Some(from) = &self.activity.address else {
            return;
        };
        match open.addresses.get_mut(from) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.addresses.remove(from)),
        }
    }
}

pub(crate) struct UnsentReply(Arc<ConnectionActivity>);

impl Drop for UnsentReply {
    fn drop(&mut self) {
        self.0.sent.fetch_add(1, Ordering::AcqRel);
        self.0.unsent.fetch_sub(1, Ordering::AcqRel);
    }
}

pub(crate) struct ActiveRequest {
    connections: Arc<Connections>,
    activity: Arc<ConnectionActivity>,
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        // The time to the next request begins with the reply.
        let now = self.connections.nanoseconds(Instant::now());
        self.activity.last_request.store(now, Ordering::Relaxed);
        self.activity.open_requests.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
