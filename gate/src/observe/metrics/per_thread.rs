//! Numbers that every check increases. Each thread has a place of its own: two processors that write
//! to the same line of memory would wait for each other.

use prometheus_client::metrics::counter::Atomic;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Number of places. Threads beyond it share them, which is right, but slower.
const PLACES: usize = 8;

thread_local! {
    static OWN_PLACE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % PLACES
    };
}

#[derive(Debug, Default)]
pub(super) struct PerThread<T>([MemoryLine<T>; PLACES]);

/// A value that shares no line of memory with another one.
#[derive(Debug, Default)]
#[repr(align(64))]
struct MemoryLine<T>(T);

impl<T> PerThread<T> {
    /// Returns the place of the current thread.
    pub(super) fn own(&self) -> &T {
        &self.0[OWN_PLACE.with(|place| *place)].0
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|line| &line.0)
    }
}

/// The number of a counter of the library. What an addition returns is of no use: it is the number of
/// one place before it.
impl Atomic<u64> for PerThread<AtomicU64> {
    fn inc(&self) -> u64 {
        self.inc_by(1)
    }

    fn inc_by(&self, more: u64) -> u64 {
        self.own().fetch_add(more, Ordering::Relaxed)
    }

    fn get(&self) -> u64 {
        let numbers = self.all().map(|number| number.load(Ordering::Relaxed));
        numbers.fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_all_threads_are_added() {
        let number = PerThread::<AtomicU64>::default();
        std::thread::scope(|scope| {
            for _ in 0..3 * PLACES {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        number.inc();
                    }
                });
            }
        });
        assert_eq!(number.get(), 3 * 1000 * PLACES as u64);
    }
}
