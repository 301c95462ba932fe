//! Wrong break-glass codes of the last minutes, over all users of this host. After too many, each
//! conversation has fewer prompts and takes longer. It bounds the lines in the log, and the work that an
//! unauthenticated client causes; guessing is hopeless without it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong codes that cost nothing, and for how long each counts.
const FREE: usize = 10;
const WINDOW: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct WrongCodes(Mutex<VecDeque<Instant>>);

impl WrongCodes {
    /// Counts a wrong code. Returns whether there are too many now.
    pub(super) fn add(&self) -> bool {
        self.add_at(Instant::now())
    }

    /// Returns whether there were too many wrong codes.
    pub(super) fn are_too_many(&self) -> bool {
        self.count_at(Instant::now()) > FREE
    }

    fn add_at(&self, now: Instant) -> bool {
        let is_many = self.count_at(now) >= FREE;
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.push_back(now);
        // no more is needed to know that there are too many
        while times.len() > FREE + 1 {
            times.pop_front();
        }
        is_many
    }

    fn count_at(&self, now: Instant) -> usize {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.retain(|time| now.saturating_duration_since(*time) < WINDOW);
        times.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ten_wrong_codes_the_eleventh_is_one_too_many_for_a_while() {
        let (wrong, now) = (WrongCodes::default(), Instant::now());
        for _ in 0..FREE {
            assert!(!wrong.add_at(now));
        }
        assert!(wrong.add_at(now));
        for _ in 0..1000 {
            assert!(wrong.add_at(now));
        }
        assert!(wrong.count_at(now) == FREE + 1);
        assert!(!wrong.add_at(now + WINDOW));
    }
}
