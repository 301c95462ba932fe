//! Whether a code that opened a while ago, at the same door and from the same address, spares the next one.

use super::account::AccountCredentials;
use super::throttle::BucketState;
use crate::account::second_factor::Enrolled;
use crate::config::{GracePeriod, ThrottleConfig};
use crate::system::clock::Timestamp;

/// What grace says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithinGrace {
    /// No code is asked.
    Yes,
    /// One is.
    No,
}

/// Decides by when a code opened there last. MUST be asked only of whoever has passed the first factor.
///
/// One in the future was written by a clock that ran ahead, and spares nothing. Neither does any while answers from
/// there would not be looked at: whoever guesses does not come in by an older code.
pub fn decide_grace(
    account: &AccountCredentials,
    last_code: Option<Timestamp>,
    grace: GracePeriod,
    throttle: &ThrottleConfig,
    now: Timestamp,
) -> WithinGrace {
    let in_time = last_code.is_some_and(|at| at <= now && now.since(at) < grace.seconds());
    let is_open =
        account.address_wait.is_none() && account.row.standing(throttle, now) == BucketState::Open;
    match account.enrolled {
        Enrolled::Yes if in_time && is_open => WithinGrace::Yes,
        Enrolled::Yes | Enrolled::No => WithinGrace::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::second_factor::MailStatus;
    use crate::verify::throttle::{Bucket, ThrottleFailure};

    const NOW: Timestamp = Timestamp(1_800_000_015);
    const HOUR: GracePeriod = GracePeriod::new(3600);

    fn account() -> AccountCredentials {
        AccountCredentials {
            enrolled: Enrolled::Yes,
            authenticators: Vec::new(),
            decoy: None,
            mail: MailStatus::Off,
            mailed_code: None,
            recovery_codes: Vec::new(),
            one_time_code: None,
            row: Bucket::default(),
            address_wait: None,
        }
    }

    fn spared(account: &AccountCredentials, last: Option<Timestamp>, grace: GracePeriod) -> bool {
        decide_grace(account, last, grace, &ThrottleConfig::default(), NOW) == WithinGrace::Yes
    }

    #[test]
    fn a_code_spares_the_next_for_so_long_and_no_longer() {
        for (last, grace, expected) in [
            (Some(NOW), HOUR, true),
            (Some(NOW.minus(3599)), HOUR, true),
            (Some(NOW.minus(3600)), HOUR, false),
            (Some(NOW.plus(1)), HOUR, false),
            (None, HOUR, false),
            (Some(NOW), GracePeriod::new(0), false),
            (Some(NOW.minus(3600)), GracePeriod::new(3601), true),
        ] {
            assert_eq!(
                spared(&account(), last, grace),
                expected,
                "{last:?} {grace:?}"
            );
        }
    }

    #[test]
    fn where_answers_are_not_looked_at_and_without_a_second_factor_it_spares_nothing() {
        let wrong = |count: usize| vec![ThrottleFailure { at: NOW, cost: 1 }; count];
        assert!(spared(
            &AccountCredentials {
                row: Bucket {
                    failures: wrong(4),
                    locked: false
                },
                ..account()
            },
            Some(NOW),
            HOUR
        ));
        for account in [
            AccountCredentials {
                row: Bucket {
                    failures: wrong(6),
                    locked: false,
                },
                ..account()
            },
            AccountCredentials {
                row: Bucket {
                    failures: Vec::new(),
                    locked: true,
                },
                ..account()
            },
            AccountCredentials {
                address_wait: Some(1),
                ..account()
            },
            AccountCredentials {
                enrolled: Enrolled::No,
                ..account()
            },
        ] {
            assert!(!spared(&account, Some(NOW), HOUR));
        }
    }
}
