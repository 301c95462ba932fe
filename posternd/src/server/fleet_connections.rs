//! The open connections of each host of a fleet, which end when the host is revoked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(super) struct FleetConnections(Mutex<RegisteredConnections>);

#[derive(Default)]
struct RegisteredConnections {
    next: u64,
    open: BTreeMap<u64, (i64, TcpStream)>,
}

/// A registered connection, until this is dropped.
pub(super) struct RegisteredConnection<'a> {
    all: &'a FleetConnections,
    key: u64,
}

impl FleetConnections {
    /// Registers a connection of the host with this number.
    pub(super) fn register(&self, host: i64, socket: TcpStream) -> RegisteredConnection<'_> {
        let mut state = self.state();
        let key = state.next;
        state.next += 1;
        state.open.insert(key, (host, socket));
        RegisteredConnection { all: self, key }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().open.is_empty()
    }

    /// Ends the connections of all hosts but these. Returns the hosts whose connections it ended.
    pub(super) fn end_all_but(&self, joined: &BTreeSet<i64>) -> BTreeSet<i64> {
        let mut ended = BTreeSet::new();
        self.state().open.retain(|_, (host, socket)| {
            let stays = joined.contains(host);
            if !stays {
                // the peer may have closed it
                let _ = socket.shutdown(Shutdown::Both);
                ended.insert(*host);
            }
            stays
        });
        ended
    }

    fn state(&self) -> MutexGuard<'_, RegisteredConnections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RegisteredConnection<'_> {
    fn drop(&mut self) {
        self.all.state().open.remove(&self.key);
    }
}
