//! Draining: the daemon accepts no connection; conversations have a while to end; then those that
//! wait for input end, and those that are being verified still send their result.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub static CONNECTIONS: OpenConnections = OpenConnections::new();

pub struct OpenConnections {
    state: Mutex<DrainState>,
    ended: Condvar,
}

struct DrainState {
    draining: bool,
    next: u64,
    open: BTreeMap<u64, EndInput>,
}

/// Shuts a connection down for reading.
type EndInput = Box<dyn Fn() + Send>;

/// An open connection, until this is dropped.
#[must_use]
pub struct OpenConnection<'a> {
    all: &'a OpenConnections,
    number: u64,
}

impl OpenConnections {
    pub const fn new() -> OpenConnections {
        OpenConnections {
            state: Mutex::new(DrainState {
                draining: false,
                next: 0,
                open: BTreeMap::new(),
            }),
            ended: Condvar::new(),
        }
    }

    /// Counts a connection as open.
    pub fn enter(&self, stream: &Arc<UnixStream>) -> OpenConnection<'_> {
        let stream = Arc::clone(stream);
        self.enter_with(move || {
            // the peer may have closed the connection
            let _ = stream.shutdown(Shutdown::Read);
        })
    }

    /// Counts a connection as open; `end_input` shuts it down for reading.
    pub fn enter_with(&self, end_input: impl Fn() + Send + 'static) -> OpenConnection<'_> {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.open.insert(number, Box::new(end_input));
        OpenConnection { all: self, number }
    }

    /// Ends every accepting thread before its next connection.
    pub fn begin_drain(&self) {
        self.state().draining = true;
    }

    /// Returns whether no connection is to be accepted any more.
    pub fn is_draining(&self) -> bool {
        self.state().draining
    }

    /// Waits until all connections have ended, at most `within`. Returns how many are left.
    pub fn wait(&self, within: Duration) -> usize {
        let waited = self
            .ended
            .wait_timeout_while(self.state(), within, |state| !state.open.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.open.len()
    }

    /// Shuts every connection down for reading: a conversation that waits for input ends.
    /// Instructions are still sent.
    pub fn end_input(&self) {
        for end_input in self.state().open.values() {
            end_input();
        }
    }

    fn state(&self) -> MutexGuard<'_, DrainState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for OpenConnections {
    fn default() -> OpenConnections {
        OpenConnections::new()
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.all.state().open.remove(&self.number);
        self.all.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::thread;

    #[test]
    fn one_that_waits_for_a_person_ends_and_one_that_is_verified_still_answers() {
        let connections = OpenConnections::new();
        let (mut waits, mut person) = UnixStream::pair().unwrap();
        let (verifies, mut host) = UnixStream::pair().unwrap();
        let verifies = Arc::new(verifies);
        thread::scope(|scope| {
            let verifying = connections.enter(&verifies);
            let waiting = connections.enter(&Arc::new(waits.try_clone().unwrap()));
            scope.spawn(move || {
                assert_eq!(waits.read(&mut [0]).unwrap(), 0, "no input comes");
                drop(waiting);
            });
            assert_eq!(connections.wait(Duration::ZERO), 2);
            connections.end_input();
            while connections.wait(Duration::from_millis(10)) > 1 {}
            (&*verifies).write_all(b"result").unwrap();
            drop(verifying);
            assert_eq!(connections.wait(Duration::from_secs(30)), 0);
        });
        drop(verifies);
        let mut result = String::new();
        host.read_to_string(&mut result).unwrap();
        assert_eq!(result, "result");
        assert_eq!(person.read(&mut [0]).unwrap(), 0);
    }
}
