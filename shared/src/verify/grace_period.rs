//! Whether a code that opened a while ago, at the same door and from the same address, spares the next one.

use super::account::Account;
use super::throttle::Standing;
use crate::account::second_factor::Enrolled;
use crate::config::{Grace, Throttle};
use crate::system::clock::Timestamp;

/// What grace says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spared {
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
    account: &Account,
    last_code: Option<Timestamp>,
    grace: Grace,
    throttle: &Throttle,
    now: Timestamp,
) -> Spared {
    let in_time = last_code.is_some_and(|at| at <= now && now.since(at) < grace.seconds());
    let is_open =
        account.address_wait.is_none() && account.row.standing(throttle, now) == Standing::Open;
    match account.enrolled {
        Enrolled::Yes if in_time && is_open => Spared::Yes,
        Enrolled::Yes | Enrolled::No => Spared::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::second_factor::Mail;
    use crate::verify::throttle::{Failure, Row};

    const NOW: Timestamp = Timestamp(1_800_000_015);
    const HOUR: Grace = Grace::of(3600);

    fn account() -> Account {
        Account {
            enrolled: Enrolled::Yes,
            authenticators: Vec::new(),
            decoy: None,
            mail: Mail::Off,
            mailed_code: None,
            recovery_codes: Vec::new(),
            one_time_code: None,
            row: Row::default(),
            address_wait: None,
        }
    }

    fn spared(account: &Account, last: Option<Timestamp>, grace: Grace) -> bool {
        decide_grace(account, last, grace, &Throttle::default(), NOW) == Spared::Yes
    }

    #[test]
    fn a_code_spares_the_next_for_so_long_and_no_longer() {
        for (last, grace, expected) in [
            (Some(NOW), HOUR, true),
            (Some(NOW.minus(3599)), HOUR, true),
            (Some(NOW.minus(3600)), HOUR, false),
            (Some(NOW.plus(1)), HOUR, false),
            (None, HOUR, false),
            (Some(NOW), Grace::of(0), false),
            (Some(NOW.minus(3600)), Grace::of(3601), true),
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
        let wrong = |count: usize| vec![Failure { at: NOW, cost: 1 }; count];
        assert!(spared(
            &Account {
                row: Row {
                    failures: wrong(4),
                    locked: false
                },
                ..account()
            },
            Some(NOW),
            HOUR
        ));
        for account in [
            Account {
                row: Row {
                    failures: wrong(6),
                    locked: false,
                },
                ..account()
            },
            Account {
                row: Row {
                    failures: Vec::new(),
                    locked: true,
                },
                ..account()
            },
            Account {
                address_wait: Some(1),
                ..account()
            },
            Account {
                enrolled: Enrolled::No,
                ..account()
            },
        ] {
            assert!(!spared(&account, Some(NOW), HOUR));
        }
    }
}
