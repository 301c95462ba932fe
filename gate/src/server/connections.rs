//! The connection limit: how many connections may be open, and which are closed when there are
//! more, when they are idle, and when the gate stops.

use crate::http::memory_limit::{ConnectionMemory, RequestMemory, ReservedMemory};
use crate::observe::log;
use hyper::Request;
use hyper::body::Body;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use postern_shared::network::address::Address;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Limit on open connections.
const MAX_CONNECTIONS: usize = 4096;
/// Descriptors kept free for all else: stores, listeners, requests to the password helper, files.
const OTHER_DESCRIPTORS: usize = 256;
/// Divisor of the limit: the share that is closed at once when it is reached, so that finding the
/// oldest is worth its cost.
const CLOSED_SHARE: usize = 64;
/// Divisor of the limit: the share that one address may hold, unless it is a proxy's.
const ADDRESS_SHARE: usize = 8;

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
    /// Time of the last request or of the accept, in nanoseconds since the gate started.
    last_request: AtomicU64,
    /// Number of requests without a reply.
    open_requests: AtomicU32,
    /// Notified when the connection must close.
    must_close: Notify,
    /// Number of replies that are not sent yet, and that were sent.
    unsent: AtomicU32,
    sent: AtomicU64,
    is_watched: AtomicBool,
    memory: ConnectionMemory,
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
        let accepted = self.nanoseconds();
        let activity = Arc::new(ConnectionActivity {
            address: from.clone(),
            last_request: AtomicU64::new(accepted),
            open_requests: AtomicU32::new(0),
            must_close: Notify::new(),
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
            accepted,
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
                    connection.must_close.notify_one();
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
            connection.must_close.notify_one();
        }
    }

    /// Closes every connection without an open request, since the gate stops.
    pub(crate) fn close_idle(&self) {
        for connection in self.lock_open().activities.values() {
            if connection.open_requests.load(Ordering::Acquire) == 0 {
                connection.must_close.notify_one();
            }
        }
    }

    /// Each change is one insertion or removal: a panic cannot leave it inconsistent.
    fn lock_open(&self) -> MutexGuard<'_, ConnectionTable> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nanoseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
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
}

/// Admission of one connection, until it is dropped.
pub(crate) struct ConnectionPermit {
    connections: Arc<Connections>,
    number: u64,
    accepted: u64,
    activity: Arc<ConnectionActivity>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionPermit {
    /// Marks a request as open until the returned value is dropped.
    pub(crate) fn begin_request(&self) -> ActiveRequest {
        self.activity
            .last_request
            .store(self.connections.nanoseconds(), Ordering::Relaxed);
        self.activity.open_requests.fetch_add(1, Ordering::AcqRel);
        ActiveRequest(Arc::clone(&self.activity))
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
                        return activity.must_close.notify_one();
                    }
                }
            });
        }
        UnsentReply(Arc::clone(activity))
    }

    /// Waits until the connection must close: at the limit, when the gate stops, or after
    /// `patience` without a first request. hyper's own timer starts with the first byte only.
    pub(crate) async fn wait_until_closed(&self, patience: Duration) {
        let closing = self.activity.must_close.notified();
        if let Ok(()) = tokio::time::timeout(patience, closing).await {
            return;
        }
        if self.activity.last_request.load(Ordering::Relaxed) != self.accepted {
            self.activity.must_close.notified().await;
        }
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

pub(crate) struct ActiveRequest(Arc<ConnectionActivity>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.open_requests.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
