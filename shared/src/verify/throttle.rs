//! The throttle: the delay and the lock that follow from the failures in one bucket (account ×
//! phase × scope). Pure arithmetic: the store keeps the failures, and [`super::decision`] asks
//! before it compares digits.

use crate::config::ThrottleConfig;
use crate::system::clock::Timestamp;

/// Seconds for which a failure counts for the delay: 24 h.
pub const DELAY_WINDOW: u64 = 24 * 3600;
/// Seconds for which a failure counts for the lock, and for which an address stays familiar: 30
/// days.
pub const LOCK_WINDOW: u64 = 30 * 24 * 3600;

/// Seconds that a time may lie ahead and still count as written by this clock: corrections of a
/// clock are smaller.
pub const CLOCK_SLACK: u64 = 60;

/// Whether the first factor is known to have passed at the time of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The client is unauthenticated: replies reveal nothing about the account, and nothing locks.
    Before,
    /// The first factor has passed: replies name the reason, and the bucket can lock.
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleFailure {
    pub at: Timestamp,
    /// Cost of the failure: one for every three codes that the input was compared with.
    pub cost: u32,
}

/// The failures of one bucket as the store keeps them.
#[derive(Clone, Debug, Default)]
pub struct ThrottleBucket {
    /// Failures of the last 30 days in any order, none later than now.
    pub failures: Vec<ThrottleFailure>,
    /// Whether the bucket is locked. Only a recovery code, a one-time code or an administrator
    /// unlocks it.
    pub locked: bool,
}

/// Whether an input may be compared now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketState {
    Open,
    /// Not before `wait` seconds have passed.
    Delayed {
        wait: u64,
    },
    /// Not before the bucket is unlocked.
    Locked,
}

impl ThrottleBucket {
    /// Returns the state of the bucket at `now`.
    pub fn state(&self, throttle: &ThrottleConfig, now: Timestamp) -> BucketState {
        if self.locked {
            return BucketState::Locked;
        }
        let recent = || {
            self.failures
                .iter()
                .filter(|f| now.since(f.at) < DELAY_WINDOW)
        };
        let count: u64 = recent().map(|f| u64::from(f.cost)).sum();
        let Some(beyond) = count.checked_sub(u64::from(throttle.free.value())) else {
            return BucketState::Open;
        };
        let Some(last) = recent().map(|f| f.at).max() else {
            return BucketState::Open;
        };
        let longest = throttle.max_delay.seconds();
        // Doubling 40 times exceeds any max_delay; saturating keeps it there.
        let factor = 1u64 << beyond.min(40);
        let delay = throttle
            .first_delay
            .seconds()
            .saturating_mul(factor)
            .min(longest);
        match delay.saturating_sub(now.since(last)) {
            0 => BucketState::Open,
            wait => BucketState::Delayed { wait },
        }
    }

    /// Returns whether a further failure of `cost` locks the bucket.
    pub fn locks_with(&self, cost: u32, throttle: &ThrottleConfig) -> bool {
        let sum: u64 = self.failures.iter().map(|f| u64::from(f.cost)).sum();
        sum + u64::from(cost) >= u64::from(throttle.lock_after.value())
    }
}

/// Returns the cost of a wrong code that was compared with `compared` codes.
pub fn failure_cost(compared: usize) -> u32 {
    u32::try_from(compared.div_ceil(3))
        .unwrap_or(u32::MAX)
        .max(1)
}

/// The factor that was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongFactor {
    Password,
    Code,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn bucket(ages: &[u64]) -> ThrottleBucket {
        ThrottleBucket {
            failures: ages
                .iter()
                .map(|age| ThrottleFailure {
                    at: NOW.minus(*age),
                    cost: 1,
                })
                .collect(),
            locked: false,
        }
    }

    fn state_after(ages: &[u64]) -> BucketState {
        bucket(ages).state(&ThrottleConfig::default(), NOW)
    }

    #[test]
    fn the_sixth_wrong_code_is_delayed() {
        assert_eq!(state_after(&[0; 4]), BucketState::Open);
        assert_eq!(state_after(&[0; 5]), BucketState::Delayed { wait: 30 });
        assert_eq!(
            state_after(&[29, 29, 29, 29, 29]),
            BucketState::Delayed { wait: 1 }
        );
        assert_eq!(state_after(&[30, 30, 30, 30, 30]), BucketState::Open);
    }

    #[test]
    fn the_delay_doubles_up_to_the_maximum() {
        assert_eq!(state_after(&[0; 6]), BucketState::Delayed { wait: 60 });
        assert_eq!(state_after(&[0; 7]), BucketState::Delayed { wait: 120 });
        assert_eq!(state_after(&[0; 12]), BucketState::Delayed { wait: 3600 });
        assert_eq!(state_after(&[0; 99]), BucketState::Delayed { wait: 3600 });
    }

    #[test]
    fn failures_of_the_day_before_do_not_delay() {
        assert_eq!(state_after(&[DELAY_WINDOW; 50]), BucketState::Open);
        assert_eq!(state_after(&[DELAY_WINDOW, 0, 0, 0, 0]), BucketState::Open);
        assert_eq!(
            state_after(&[DELAY_WINDOW - 1, 0, 0, 0, 0]),
            BucketState::Delayed { wait: 30 }
        );
    }

    /// Free failures, first and longest delay; cost and age of one failure; the seconds left.
    #[test]
    fn the_configuration_sets_the_limits() {
        for (limits, cost, age, wait) in [
            ((1, 30, 3600), 1, 0, 30),
            ((1, 30, 3600), 3, 119, 1),
            ((1, 30, 3600), 3, 120, 0),
            ((10, 30, 3600), 9, 0, 0),
            ((10, 30, 3600), 10, 0, 30),
            ((5, 1, 60), 10, 0, 32),
            ((5, 1, 60), 11, 0, 60),
            ((5, 3600, 3600), 5, 0, 3600),
            ((5, 60, 86_400), u32::MAX, 3600, 82_800),
        ] {
            let (free, first, longest) = limits;
            let text =
                format!("free = {free}\nfirst_delay = \"{first}s\"\nmax_delay = \"{longest}s\"");
            let throttle: ThrottleConfig = toml::from_str(&text).unwrap();
            let bucket = ThrottleBucket {
                failures: vec![ThrottleFailure {
                    at: NOW.minus(age),
                    cost,
                }],
                locked: false,
            };
            let expected = if wait == 0 {
                BucketState::Open
            } else {
                BucketState::Delayed { wait }
            };
            assert_eq!(
                bucket.state(&throttle, NOW),
                expected,
                "{limits:?} {cost} {age}"
            );
        }
    }

    #[test]
    fn a_hundred_failures_in_thirty_days_lock() {
        let throttle = ThrottleConfig::default();
        assert!(!bucket(&[1_000_000; 98]).locks_with(1, &throttle));
        assert!(bucket(&[1_000_000; 99]).locks_with(1, &throttle));
        let locked = ThrottleBucket {
            locked: true,
            ..ThrottleBucket::default()
        };
        assert_eq!(locked.state(&throttle, NOW), BucketState::Locked);
    }

    #[test]
    fn wide_windows_and_many_authenticators_give_no_more_guesses() {
        assert_eq!(
            [
                failure_cost(0),
                failure_cost(3),
                failure_cost(4),
                failure_cost(6),
                failure_cost(39)
            ],
            [1, 1, 2, 2, 13]
        );
    }
}
