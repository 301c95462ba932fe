//! The memory that requests hold while they are under way: the fields of their headers, their bodies, and answers that
//! are not sent yet. It is bounded for each connection, for each address, and in all; those of proxies, who speak for
//! many, apart from those of browsers of their own accord.
//!
//! Checks are answered at once and hold nothing. What does not fit is refused before anything waits for it.

use super::body::MAX_BODY;
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::{HeaderMap, Request};
use shared::network::address::Address;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// Of all proxies together, and of one connection of theirs.
const PROXIED: usize = 128 * 1024 * 1024;
const OF_PROXIED: usize = 4 * 1024 * 1024;
/// Of all browsers together, of one address, and of one connection.
const DIRECT: usize = 64 * 1024 * 1024;
const OF_ADDRESS: usize = 4 * 1024 * 1024;
const OF_DIRECT: usize = 512 * 1024;
/// Fields of one request: HTTP/1 ends there, too. A field of a few bytes costs more than a hundred.
const FIELDS: usize = 100;
const OF_FIELD: usize = 160;
const OF_REQUEST: usize = 2048;

/// What is held in all.
#[derive(Default)]
pub(crate) struct Memory {
    proxied: AtomicUsize,
    direct: Mutex<Direct>,
}

#[derive(Default)]
struct Direct {
    all: usize,
    addresses: HashMap<String, usize>,
}

/// What one connection holds.
#[derive(Clone, Default)]
pub(crate) struct OfConnection(Arc<AtomicUsize>);

/// What one request holds, until this is dropped.
pub(crate) struct Held {
    memory: Arc<Memory>,
    connection: OfConnection,
    /// Of a browser; none of a proxy.
    address: Option<String>,
    bytes: usize,
}

/// Whether a request has no more fields than are taken.
pub(crate) fn has_few_fields(headers: &HeaderMap) -> bool {
    headers.len() <= FIELDS
}

impl Memory {
    /// Takes what a request holds at most, if there is so much. The address is that of a browser; a proxy that has
    /// proven itself has none.
    pub(crate) fn take<B: Body>(
        self: &Arc<Memory>,
        connection: &OfConnection,
        address: Option<Address>,
        request: &Request<B>,
    ) -> Option<Held> {
        let of_field =
            |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
                name.as_str().len() + value.len() + OF_FIELD
            };
        let fields: usize = request.headers().iter().map(of_field).sum();
        let body = if request.body().is_end_stream() {
            0
        } else {
            MAX_BODY
        };
        let bytes = OF_REQUEST + fields + body;
        self.take_bytes(connection, address.map(Address::key), bytes)
    }

    fn take_bytes(
        self: &Arc<Memory>,
        connection: &OfConnection,
        address: Option<String>,
        bytes: usize,
    ) -> Option<Held> {
        let of_one = if address.is_some() {
            OF_DIRECT
        } else {
            OF_PROXIED
        };
        grown(&connection.0, bytes, of_one)?;
        let in_all = match &address {
            None => grown(&self.proxied, bytes, PROXIED),
            Some(address) => self.direct().take(address, bytes),
        };
        if in_all.is_none() {
            connection.0.fetch_sub(bytes, Ordering::AcqRel);
            return None;
        }
        Some(Held {
            memory: Arc::clone(self),
            connection: connection.clone(),
            address,
            bytes,
        })
    }

    /// Each change is a few numbers, none of which a panic leaves behind.
    fn direct(&self) -> MutexGuard<'_, Direct> {
        self.direct.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds, if it stays within a most.
fn grown(held: &AtomicUsize, bytes: usize, most: usize) -> Option<()> {
    let more = |before: usize| before.checked_add(bytes).filter(|after| *after <= most);
    held.fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
        .ok()
        .map(|_| ())
}

impl Direct {
    fn take(&mut self, address: &str, bytes: usize) -> Option<()> {
        let of_address = self.addresses.get(address).copied().unwrap_or(0);
        if self.all + bytes > DIRECT || of_address + bytes > OF_ADDRESS {
            return None;
        }
        self.all += bytes;
        self.addresses
            .insert(address.to_owned(), of_address + bytes);
        Some(())
    }

    fn give_back(&mut self, address: &str, bytes: usize) {
        self.all = self.all.saturating_sub(bytes);
        match self.addresses.get_mut(address) {
            Some(held) if *held > bytes => *held -= bytes,
            _ => drop(self.addresses.remove(address)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.connection.0.fetch_sub(self.bytes, Ordering::AcqRel);
        match &self.address {
            None => drop(self.memory.proxied.fetch_sub(self.bytes, Ordering::AcqRel)),
            Some(address) => self.memory.direct().give_back(address, self.bytes),
        }
    }
}

/// An answer's body, and what its request holds until it is sent.
pub(crate) struct HeldBody<G> {
    body: Full<Bytes>,
    _held: Option<(Held, G)>,
}

impl<G> HeldBody<G> {
    pub(crate) fn new(body: Full<Bytes>, held: Option<(Held, G)>) -> HeldBody<G> {
        HeldBody { body, _held: held }
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

    fn all_of(memory: &Arc<Memory>, addresses: &[Option<String>], connections: usize) -> usize {
        let (mut held, mut bytes) = (Vec::new(), 0);
        for address in addresses {
            for _ in 0..connections {
                let connection = OfConnection::default();
                while let Some(one) = memory.take_bytes(&connection, address.clone(), 64 * 1024) {
                    bytes += one.bytes;
                    held.push(one);
                }
            }
        }
        bytes
    }

    #[test]
    fn one_connection_one_address_and_all_of_them_hold_so_much() {
        let memory = Arc::new(Memory::default());
        let of = |numbers: std::ops::Range<usize>| {
            numbers.map(|n| Some(format!("a{n}"))).collect::<Vec<_>>()
        };
        assert_eq!(all_of(&memory, &of(0..1), 1), OF_DIRECT);
        assert_eq!(all_of(&memory, &of(0..1), 100), OF_ADDRESS);
        assert_eq!(all_of(&memory, &of(0..100), 100), DIRECT);
        assert_eq!(all_of(&memory, &[None], 1), OF_PROXIED);
        assert_eq!(all_of(&memory, &[None], 100), PROXIED);
    }

    #[test]
    fn browsers_leave_what_proxies_hold_and_nothing_stays_behind() {
        let memory = Arc::new(Memory::default());
        let connections: Vec<_> = (0..1000).map(|_| OfConnection::default()).collect();
        let held: Vec<_> = connections
            .iter()
            .enumerate()
            .filter_map(|(n, connection)| {
                memory.take_bytes(connection, Some(format!("a{n}")), OF_DIRECT)
            })
            .collect();
        assert_eq!(held.len(), DIRECT / OF_DIRECT);
        let proxy = OfConnection::default();
        assert!(memory.take_bytes(&proxy, None, OF_PROXIED).is_some());
        drop(held);
        assert_eq!(memory.direct().all, 0);
        assert!(
            memory.direct().addresses.is_empty() && connections[0].0.load(Ordering::Relaxed) == 0
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
