//! The decision about the grace period: a code that was accepted at the same service and from the
//! same address a short time ago makes another one unnecessary. A pure function of values.

use super::account::AccountCredentials;
use super::throttle::BucketState;
use crate::account::second_factor::Enrolled;
use crate::config::{GracePeriod, ThrottleConfig};
use crate::system::clock::Timestamp;

/// Whether a login lies within the grace period of an earlier code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithinGrace {
    Yes,
    No,
}

/// Decides by the time of the last accepted code. MUST be asked only after the first factor has
/// passed.
///
/// A time in the future was written while the clock ran ahead, and does not count. While the bucket
/// or the address is delayed or locked, an earlier code does not count either: an attacker who
/// guesses codes from the address MUST NOT get in by the owner's last code.
pub fn decide_grace_period(
    account: &AccountCredentials,
    last_code: Option<Timestamp>,
    grace: GracePeriod,
    throttle: &ThrottleConfig,
    now: Timestamp,
) -> WithinGrace {
    let in_time = last_code.is_some_and(|at| at <= now && now.since(at) < grace.seconds());
    let is_open =
        account.address_wait.is_none() && account.bucket.state(throttle, now) == BucketState::Open;
    match account.enrolled {
        Enrolled::Yes if in_time && is_open => WithinGrace::Yes,
        Enrolled::Yes | Enrolled::No => WithinGrace::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::throttle::{ThrottleBucket, ThrottleFailure};

    const NOW: Timestamp = Timestamp(1_800_000_015);
    const HOUR: GracePeriod = GracePeriod::new(3600);

    fn account() -> AccountCredentials {
        AccountCredentials::without_credentials()
    }

    fn is_within(
        account: &AccountCredentials,
        last: Option<Timestamp>,
        grace: GracePeriod,
    ) -> bool {
        decide_grace_period(account, last, grace, &ThrottleConfig::default(), NOW)
            == WithinGrace::Yes
    }

    #[test]
    fn an_accepted_code_counts_until_the_grace_period_ends() {
        for (last, grace, expected) in [
            (Some(NOW), HOUR, true),
            (Some(NOW.minus(3599)), HOUR, true),
            (Some(NOW.minus(3600)), HOUR, false),
            (Some(NOW.plus(1)), HOUR, false),
            (None, HOUR, false),
            (Some(NOW), GracePeriod::new(0), false),
            (Some(NOW.minus(3600)), GracePeriod::new(3601), true),
        ] {
            let found = is_within(&account(), last, grace);
            assert_eq!(found, expected, "{last:?} {grace:?}");
        }
    }

    #[test]
    fn while_delayed_or_locked_and_without_a_second_factor_there_is_no_grace_period() {
        let with_bucket = |failures: usize, locked| {
            let failures = vec![ThrottleFailure { at: NOW, cost: 1 }; failures];
            AccountCredentials {
                bucket: ThrottleBucket { failures, locked },
                ..account()
            }
        };
        assert!(is_within(&with_bucket(4, false), Some(NOW), HOUR));
        let (mut address_delayed, mut unenrolled) = (account(), account());
        address_delayed.address_wait = Some(1);
        unenrolled.enrolled = Enrolled::No;
        for account in [
            with_bucket(6, false),
            with_bucket(0, true),
            address_delayed,
            unenrolled,
        ] {
            assert!(!is_within(&account, Some(NOW), HOUR));
        }
    }
}
