//! Limits the memory that open requests hold: header fields, bodies, and replies that are not sent
//! yet. There is a limit for each connection, for each address, and in total. Proxies, which send
//! requests of many clients, have limits apart from those of browsers that connect directly.
//!
//! Checks are answered at once and hold nothing. A request that exceeds a limit is refused before
//! anything waits for it.

use super::body::MAX_BODY;
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::{HeaderMap, Request};
use postern_shared::system::network::address::Address;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// Limits for all proxies together, and for one connection of a proxy, in bytes.
const PROXIES_LIMIT: usize = 128 * 1024 * 1024;
const PROXY_CONNECTION_LIMIT: usize = 4 * 1024 * 1024;
/// Limits for all browsers together, for one address, and for one connection, in bytes.
const BROWSERS_LIMIT: usize = 64 * 1024 * 1024;
const ADDRESS_LIMIT: usize = 4 * 1024 * 1024;
const BROWSER_CONNECTION_LIMIT: usize = 512 * 1024;
/// Limit on header fields of one request, as in HTTP/1. A field of a few bytes takes more than a
/// hundred in memory.
const MAX_FIELDS: usize = 100;
const FIELD_BYTES: usize = 160;
const REQUEST_BYTES: usize = 2048;

/// Memory that all requests hold.
#[derive(Default)]
pub(crate) struct RequestMemory {
    proxied: AtomicUsize,
    direct: Mutex<BrowserMemory>,
}

#[derive(Default)]
struct BrowserMemory {
    total: usize,
    addresses: HashMap<String, usize>,
}

/// Memory that one connection holds.
#[derive(Clone, Default)]
pub(crate) struct ConnectionMemory(Arc<AtomicUsize>);

/// Memory that one request holds, until this value is dropped.
pub(crate) struct ReservedMemory {
    memory: Arc<RequestMemory>,
    connection: ConnectionMemory,
    /// Set for a browser, none for a proxy.
    address: Option<String>,
    bytes: usize,
}

pub(crate) fn has_few_fields(headers: &HeaderMap) -> bool {
    headers.len() <= MAX_FIELDS
}

impl RequestMemory {
    /// Reserves the most that a request can hold, if its limits allow it. `address` is that of a
    /// browser, none for a trusted proxy.
    pub(crate) fn reserve<B: Body>(
        self: &Arc<RequestMemory>,
        connection: &ConnectionMemory,
        address: Option<Address>,
        request: &Request<B>,
    ) -> Option<ReservedMemory> {
        let field_bytes =
            |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
                name.as_str().len() + value.len() + FIELD_BYTES
            };
        let fields: usize = request.headers().iter().map(field_bytes).sum();
        let body = if request.body().is_end_stream() {
            0
        } else {
            MAX_BODY
        };
        let bytes = REQUEST_BYTES + fields + body;
        self.reserve_bytes(connection, address.map(Address::key), bytes)
    }

    fn reserve_bytes(
        self: &Arc<RequestMemory>,
        connection: &ConnectionMemory,
        address: Option<String>,
        bytes: usize,
    ) -> Option<ReservedMemory> {
        let connection_limit = if address.is_some() {
            BROWSER_CONNECTION_LIMIT
        } else {
            PROXY_CONNECTION_LIMIT
        };
        add_within(&connection.0, bytes, connection_limit)?;
        let in_total = match &address {
            None => add_within(&self.proxied, bytes, PROXIES_LIMIT),
            Some(address) => self.lock_direct().reserve(address, bytes),
        };
        if in_total.is_none() {
            connection.0.fetch_sub(bytes, Ordering::AcqRel);
            return None;
        }
        Some(ReservedMemory {
            memory: Arc::clone(self),
            connection: connection.clone(),
            address,
            bytes,
        })
    }

    /// Each change is a few numbers, which a panic cannot leave inconsistent.
    fn lock_direct(&self) -> MutexGuard<'_, BrowserMemory> {
        self.direct.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds `bytes`, unless the sum exceeds `most`.
fn add_within(held: &AtomicUsize, bytes: usize, limit: usize) -> Option<()> {
    let more = |before: usize| before.checked_add(bytes).filter(|after| *after <= limit);
    held.fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
        .ok()
        .map(|_| ())
}

impl BrowserMemory {
    fn reserve(&mut self, address: &str, bytes: usize) -> Option<()> {
        let of_address = self.addresses.get(address).copied().unwrap_or(0);
        if self.total + bytes > BROWSERS_LIMIT || of_address + bytes > ADDRESS_LIMIT {
            return None;
        }
        self.total += bytes;
        self.addresses
            .insert(address.to_owned(), of_address + bytes);
        Some(())
    }

    fn release(&mut self, address: &str, bytes: usize) {
        self.total = self.total.saturating_sub(bytes);
        match self.addresses.get_mut(address) {
            Some(held) if *held > bytes => *held -= bytes,
            _ => drop(self.addresses.remove(address)),
        }
    }
}

impl Drop for ReservedMemory {
    fn drop(&mut self) {
        self.connection.0.fetch_sub(self.bytes, Ordering::AcqRel);
        match &self.address {
            None => drop(self.memory.proxied.fetch_sub(self.bytes, Ordering::AcqRel)),
            Some(address) => self.memory.lock_direct().release(address, self.bytes),
        }
    }
}

/// Body of a reply, with the memory that its request holds until the body is sent.
pub(crate) struct HeldBody<G> {
    body: Full<Bytes>,
    /// In a box, since a check holds nothing and its reply is moved several times.
    _held: Option<Box<(ReservedMemory, G)>>,
}

impl<G> HeldBody<G> {
    pub(crate) fn new(body: Full<Bytes>, held: Option<(ReservedMemory, G)>) -> HeldBody<G> {
        HeldBody {
            body,
            _held: held.map(Box::new),
        }
    }
}

impl<G: Unpin> Body for HeldBody<G> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserve_all(
        memory: &Arc<RequestMemory>,
        addresses: &[Option<String>],
        connections: usize,
    ) -> usize {
        let (mut held, mut bytes) = (Vec::new(), 0);
        for address in addresses {
            for _ in 0..connections {
                let connection = ConnectionMemory::default();
                while let Some(one) = memory.reserve_bytes(&connection, address.clone(), 64 * 1024)
                {
                    bytes += one.bytes;
                    held.push(one);
                }
            }
        }
        bytes
    }

    #[test]
    fn memory_is_limited_per_connection_per_address_and_in_total() {
        let memory = Arc::new(RequestMemory::default());
        let of = |numbers: std::ops::Range<usize>| {
            numbers.map(|n| Some(format!("a{n}"))).collect::<Vec<_>>()
        };
        assert_eq!(reserve_all(&memory, &of(0..1), 1), BROWSER_CONNECTION_LIMIT);
        assert_eq!(reserve_all(&memory, &of(0..1), 100), ADDRESS_LIMIT);
        assert_eq!(reserve_all(&memory, &of(0..100), 100), BROWSERS_LIMIT);
        assert_eq!(reserve_all(&memory, &[None], 1), PROXY_CONNECTION_LIMIT);
        assert_eq!(reserve_all(&memory, &[None], 100), PROXIES_LIMIT);
    }

    #[test]
    fn browsers_do_not_use_up_the_limit_of_proxies_and_all_memory_is_released() {
        let memory = Arc::new(RequestMemory::default());
        let connections: Vec<_> = (0..1000).map(|_| ConnectionMemory::default()).collect();
        let held: Vec<_> = connections
            .iter()
            .enumerate()
            .filter_map(|(n, connection)| {
                memory.reserve_bytes(connection, Some(format!("a{n}")), BROWSER_CONNECTION_LIMIT)
            })
            .collect();
        assert_eq!(held.len(), BROWSERS_LIMIT / BROWSER_CONNECTION_LIMIT);
        let proxy = ConnectionMemory::default();
        assert!(
            memory
                .reserve_bytes(&proxy, None, PROXY_CONNECTION_LIMIT)
                .is_some()
        );
        drop(held);
        assert_eq!(memory.lock_direct().total, 0);
        assert!(
            memory.lock_direct().addresses.is_empty()
                && connections[0].0.load(Ordering::Relaxed) == 0
        );
        assert_eq!(
            (
                memory.proxied.load(Ordering::Relaxed),
                proxy.0.load(Ordering::Relaxed)
            ),
            (0, 0)
        );
    }
}
