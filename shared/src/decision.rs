//! The decision: (account, attempt, now) → an accepted step or a named refusal. A pure function; no clock, no
//! store, no log.
//!
//! MUST accept a step at most once: only steps above the floor, and of equal codes the highest.
//! MUST NOT compare an answer while its row is delayed or locked.
//! MUST be the only place that makes an [`Accepted`]; whatever opens a door asks for one.

mod admission;
mod found;
mod invitation;
mod look_ahead;
mod time_window;

use crate::account::{Account, Authenticator, Enrolled, KeptOneTimeCode};
use crate::answer::Answer;
use crate::clock::Timestamp;
use crate::config::{Throttle, Totp};
use crate::guess::{self, Stage, Standing};
use crate::totp::{Moving, Step};
use crate::vault::{Fingerprint, OneTimeHash, RecoveryHash};
pub use admission::{Admission, NotAdmitted, decide_admission};
use found::Match;
pub use invitation::{Invitation, decide_invitation};

/// One try: what was typed, where in the login, and for a recovery code its hash.
pub struct Attempt<'a> {
    /// What was typed.
    pub answer: &'a Answer,
    /// The hash of a typed recovery code for this account.
    pub recovery_hash: Option<RecoveryHash>,
    /// The hash of a typed one-time code for this account.
    pub one_time_hash: Option<OneTimeHash>,
    /// Whether the first factor has passed.
    pub stage: Stage,
}

/// What an accepted answer spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// A time step of an authenticator: the new floor.
    Step(Fingerprint, Step),
    /// A recovery code.
    RecoveryCode(RecoveryHash),
    /// The account's one-time code.
    OneTimeCode,
}

/// Proof that this file accepted an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    spent: Spent,
}

impl Accepted {
    /// What must be marked as used before the door opens.
    pub fn spent(&self) -> Spent {
        self.spent
    }
}

/// Why an answer does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No code of the window, no recovery code.
    Wrong,
    /// A step at or below the floor, or a recovery code that has opened before.
    Used {
        /// Seconds until the next code is shown; 0 if it is shown already.
        wait: u64,
    },
    /// A code of a past step outside the window: the device's clock is behind.
    Behind {
        /// By how many steps.
        steps: u64,
        /// The same in seconds.
        seconds: u64,
    },
    /// A code of a future step outside the window. For the log only: a hint would be usable later.
    Ahead {
        /// By how many steps.
        steps: u64,
        /// The same in seconds.
        seconds: u64,
    },
    /// This host's clock stands before the last accepted step.
    ClockSetBack {
        /// By how many seconds at least.
        seconds: u64,
    },
    /// Too many wrong answers in this row.
    Delayed {
        /// Seconds left.
        wait: u64,
    },
    /// Too many wrong answers from this address.
    AddressDelayed {
        /// Seconds left.
        wait: u64,
    },
    /// The row is locked.
    Locked,
    /// The answer's shape fits no method of the account.
    Unfit,
    /// The account has no second factor.
    NotEnrolled,
    /// A one-time code whose life is over.
    CodeExpired,
    /// The sign-in took too long, or was ended meanwhile.
    Expired,
}

/// The outcome of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer opens, once it is marked as used.
    Accepted(Accepted),
    /// It does not.
    Refused(Refusal),
}

/// A verdict and what it costs.
#[derive(Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The verdict.
    pub verdict: Verdict,
    /// What the row is charged, if anything.
    pub row_cost: Option<u32>,
    /// Whether the address is charged one.
    pub charges_address: bool,
}

impl Ruling {
    fn free(refusal: Refusal) -> Ruling {
        Ruling { verdict: Verdict::Refused(refusal), row_cost: None, charges_address: false }
    }

    fn accepted(spent: Spent) -> Ruling {
        Ruling { verdict: Verdict::Accepted(Accepted { spent }), row_cost: None, charges_address: false }
    }

    /// Whether the answer costs nothing and opens nothing, so that nothing is written about it.
    pub fn is_free(&self) -> bool {
        let refused = matches!(self.verdict, Verdict::Refused(_));
        refused && self.row_cost.is_none() && !self.charges_address
    }
}

/// Decides about one answer.
pub fn decide(
    account: &Account,
    attempt: &Attempt<'_>,
    totp: &Totp,
    throttle: &Throttle,
    now: Timestamp,
) -> Ruling {
    if account.enrolled == Enrolled::No && attempt.stage == Stage::After {
        return Ruling::free(Refusal::NotEnrolled);
    }
    match attempt.answer {
        Answer::Unfit => Ruling::free(Refusal::Unfit),
        Answer::Recovery(_) => recovery(account, attempt.recovery_hash),
        Answer::OneTime(_) => one_time(account, attempt.one_time_hash, now),
        Answer::Digits(digits) => {
            let fits = match attempt.stage {
                // Before the first factor the length must not tell what the account has.
                Stage::Before => matches!(digits.len(), 6 | 8 | 12 | 16),
                Stage::After => account.authenticators.iter().any(|a| fits(a, digits)),
            };
            if !fits {
                return Ruling::free(Refusal::Unfit);
            }
            if let (Stage::Before, Some(wait)) = (attempt.stage, account.address_wait) {
                return Ruling::free(Refusal::AddressDelayed { wait });
            }
            match account.row.standing(throttle, now) {
                Standing::Locked => Ruling::free(Refusal::Locked),
                Standing::Delayed { wait } => Ruling::free(Refusal::Delayed { wait }),
                Standing::Open => compare_all(account, digits, attempt.stage, totp, now),
            }
        }
    }
}

/// A code without a row was wrong: it was compared also during delay and lock, and is charged to the address alone.
const WRONG_WITHOUT_ROW: Ruling =
    Ruling { verdict: Verdict::Refused(Refusal::Wrong), row_cost: None, charges_address: true };

/// A recovery code opens also during delay and lock.
fn recovery(account: &Account, hash: Option<RecoveryHash>) -> Ruling {
    if let Some(wait) = account.address_wait {
        return Ruling::free(Refusal::AddressDelayed { wait });
    }
    let found = hash.and_then(|hash| account.recovery_codes.iter().find(|kept| kept.hash == hash));
    match found {
        Some(kept) if account.enrolled == Enrolled::Yes && kept.used => {
            Ruling::free(Refusal::Used { wait: 0 })
        }
        Some(kept) if account.enrolled == Enrolled::Yes => Ruling::accepted(Spent::RecoveryCode(kept.hash)),
        _ => WRONG_WITHOUT_ROW,
    }
}

/// So does an administrator's one-time code, within its life.
fn one_time(account: &Account, hash: Option<OneTimeHash>, now: Timestamp) -> Ruling {
    if let Some(wait) = account.address_wait {
        return Ruling::free(Refusal::AddressDelayed { wait });
    }
    match account.one_time_code {
        Some(kept) if account.enrolled == Enrolled::Yes && hash == Some(kept.hash) => match kept {
            KeptOneTimeCode { used: true, .. } => Ruling::free(Refusal::Used { wait: 0 }),
            KeptOneTimeCode { expires, .. } if now >= expires => Ruling::free(Refusal::CodeExpired),
            _ => Ruling::accepted(Spent::OneTimeCode),
        },
        _ => WRONG_WITHOUT_ROW,
    }
}

/// Whether an authenticator makes codes of this length; two in a row bring a counter back in step.
fn fits(authenticator: &Authenticator, digits: &str) -> bool {
    let length = authenticator.parameters.digits;
    let in_step = matches!(authenticator.parameters.moving, Moving::Counter);
    digits.len() == length as usize || (in_step && digits.len() == look_ahead::pair(length))
}

/// Compares digits with every live authenticator, as one try. The best match of any of them counts.
fn compare_all(account: &Account, digits: &str, stage: Stage, totp: &Totp, now: Timestamp) -> Ruling {
    let mut compared = 0;
    let mut best = Match::None;
    for authenticator in &account.authenticators {
        let (found, count) = match authenticator.parameters.moving {
            Moving::Time { period } => time_window::compare(authenticator, period, digits, totp, now),
            Moving::Counter => look_ahead::compare(authenticator, digits),
        };
        compared += count;
        if found.rank() > best.rank() {
            best = found;
        }
    }
    let refusal = match best {
        Match::Live(fingerprint, step) if account.enrolled == Enrolled::Yes => {
            return Ruling::accepted(Spent::Step(fingerprint, step));
        }
        Match::Used { wait } => return Ruling::free(Refusal::Used { wait }),
        Match::ClockSetBack { seconds } => return Ruling::free(Refusal::ClockSetBack { seconds }),
        Match::Behind { steps, seconds } => Refusal::Behind { steps, seconds },
        Match::Ahead { steps, seconds } => Refusal::Ahead { steps, seconds },
        Match::Live(..) | Match::None => Refusal::Wrong,
    };
    Ruling {
        verdict: Verdict::Refused(refusal),
        row_cost: Some(guess::cost(compared)),
        charges_address: stage == Stage::Before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::KeptRecoveryCode;
    use crate::guess::{Failure, Row};
    use crate::secret::Secret;
    use crate::totp::{Algorithm, Parameters, code};
    use zeroize::Zeroizing;

    const NOW: Timestamp = Timestamp(1_800_000_015);
    const PERIOD: u64 = 30;
    const PARAMETERS: Parameters =
        Parameters { algorithm: Algorithm::Sha1, digits: 6, moving: Moving::Time { period: PERIOD } };
    const BY_COUNTER: Parameters = Parameters { moving: Moving::Counter, ..PARAMETERS };

    fn authenticator(seed: u8) -> Authenticator {
        Authenticator {
            secret: Secret::from_bytes(Zeroizing::new(vec![seed; 20])).unwrap(),
            parameters: PARAMETERS,
            fingerprint: Fingerprint([seed; 32]),
            floor: None,
        }
    }

    fn account() -> Account {
        Account {
            enrolled: Enrolled::Yes,
            authenticators: vec![authenticator(1)],
            recovery_codes: vec![
                KeptRecoveryCode { hash: RecoveryHash([1; 32]), used: false },
                KeptRecoveryCode { hash: RecoveryHash([2; 32]), used: true },
            ],
            one_time_code: None,
            row: Row::default(),
            address_wait: None,
        }
    }

    fn step(offset: i64) -> Step {
        Step((NOW.0 / PERIOD).checked_add_signed(offset).unwrap())
    }

    fn code_of(seed: u8, offset: i64) -> String {
        code(&authenticator(seed).secret, PARAMETERS, step(offset)).to_string()
    }

    fn ruling(account: &Account, typed: &str, stage: Stage, at: Timestamp) -> Ruling {
        let attempt = Attempt {
            answer: &Answer::read(typed.as_bytes()),
            recovery_hash: None,
            one_time_hash: None,
            stage,
        };
        decide(account, &attempt, &Totp::default(), &Throttle::default(), at)
    }

    fn verdict(account: &Account, typed: &str) -> Verdict {
        ruling(account, typed, Stage::After, NOW).verdict
    }

    fn with_recovery(account: &Account, hash: u8) -> Ruling {
        let attempt = Attempt {
            answer: &Answer::read(b"ABCDEFGH23"),
            recovery_hash: Some(RecoveryHash([hash; 32])),
            one_time_hash: None,
            stage: Stage::After,
        };
        decide(account, &attempt, &Totp::default(), &Throttle::default(), NOW)
    }

    fn accepted(seed: u8, offset: i64) -> Verdict {
        let spent = Spent::Step(Fingerprint([seed; 32]), step(offset));
        Verdict::Accepted(Accepted { spent })
    }

    fn refused(refusal: Refusal) -> Verdict {
        Verdict::Refused(refusal)
    }

    #[test]
    fn the_window_is_one_step_to_each_side_by_default() {
        for offset in -1..=1 {
            assert_eq!(verdict(&account(), &code_of(1, offset)), accepted(1, offset));
        }
        assert_eq!(verdict(&account(), &code_of(1, -2)), refused(Refusal::Behind { steps: 2, seconds: 60 }));
        assert_eq!(verdict(&account(), &code_of(1, 2)), refused(Refusal::Ahead { steps: 2, seconds: 60 }));
    }

    #[test]
    fn the_window_moves_at_the_second() {
        let (code, begin) = (code_of(1, 0), Timestamp(step(0).0 * PERIOD));
        for (at, passes) in [(-31, false), (-30, true), (0, true), (59, true), (60, false)] {
            let at = Timestamp(begin.0.checked_add_signed(at).unwrap());
            let ruling = ruling(&account(), &code, Stage::After, at);
            assert_eq!(matches!(ruling.verdict, Verdict::Accepted(_)), passes, "{at:?}");
        }
    }

    #[test]
    fn past_and_future_steps_are_configured_apart() {
        let totp: Totp = toml::from_str("past_steps = 3\nfuture_steps = 0").unwrap();
        for (offset, passes) in [(-4, false), (-3, true), (0, true), (1, false)] {
            let attempt = Attempt {
                answer: &Answer::read(code_of(1, offset).as_bytes()),
                recovery_hash: None,
                one_time_hash: None,
                stage: Stage::After,
            };
            let ruling = decide(&account(), &attempt, &totp, &Throttle::default(), NOW);
            assert_eq!(matches!(ruling.verdict, Verdict::Accepted(_)), passes, "{offset}");
        }
    }

    #[test]
    fn a_used_step_and_every_older_one_are_refused_free_of_charge() {
        let mut account = account();
        account.authenticators[0].floor = Some(step(0));
        for offset in [-3, -1, 0] {
            let ruling = ruling(&account, &code_of(1, offset), Stage::After, NOW);
            assert_eq!(ruling, Ruling::free(Refusal::Used { wait: 15 }), "{offset}");
        }
        assert_eq!(verdict(&account, &code_of(1, 1)), accepted(1, 1));
        account.authenticators[0].floor = Some(step(1));
        assert_eq!(verdict(&account, &code_of(1, 1)), refused(Refusal::Used { wait: 45 }));
    }

    #[test]
    fn one_used_code_never_spends_another_authenticators_step() {
        let mut account = account();
        account.authenticators.push(authenticator(2));
        account.authenticators[0].floor = Some(step(1));
        assert_eq!(verdict(&account, &code_of(2, 0)), accepted(2, 0));
    }

    /// An authenticator by counter whose last used code was that of counter 19.
    fn by_counter() -> Account {
        let token = Authenticator { parameters: BY_COUNTER, floor: Some(Step(19)), ..authenticator(3) };
        Account { authenticators: vec![token], ..account() }
    }

    fn counter_code(counter: u64) -> String {
        code(&authenticator(3).secret, BY_COUNTER, Step(counter)).to_string()
    }

    fn accepted_counter(counter: u64) -> Verdict {
        Verdict::Accepted(Accepted { spent: Spent::Step(Fingerprint([3; 32]), Step(counter)) })
    }

    #[test]
    fn a_counter_is_found_within_the_look_ahead_and_no_further() {
        for counter in [20, 21, 30] {
            assert_eq!(verdict(&by_counter(), &counter_code(counter)), accepted_counter(counter));
        }
        assert_eq!(verdict(&by_counter(), &counter_code(31)), refused(Refusal::Wrong));
        for counter in [10, 19] {
            let ruling = ruling(&by_counter(), &counter_code(counter), Stage::After, NOW);
            assert_eq!(ruling, Ruling::free(Refusal::Used { wait: 0 }), "{counter}");
        }
        assert_eq!(verdict(&by_counter(), &counter_code(9)), refused(Refusal::Wrong));
        let mut new = by_counter();
        new.authenticators[0].floor = None;
        assert_eq!(verdict(&new, &counter_code(0)), accepted_counter(0));
    }

    #[test]
    fn two_codes_in_a_row_bring_a_counter_back_in_step() {
        let pair = |first: u64, second: u64| format!("{} {}", counter_code(first), counter_code(second));
        for counter in [20, 500, 1019] {
            assert_eq!(verdict(&by_counter(), &pair(counter, counter + 1)), accepted_counter(counter + 1));
        }
        for (first, second) in [(500, 502), (501, 500), (18, 19), (19, 20), (1020, 1021)] {
            let ruling = ruling(&by_counter(), &pair(first, second), Stage::After, NOW);
            assert_eq!((ruling.verdict, ruling.row_cost), (refused(Refusal::Wrong), Some(1)), "{first}");
        }
        // and say nothing where all codes come by time
        assert_eq!(verdict(&account(), &pair(500, 501)), refused(Refusal::Unfit));
    }

    #[test]
    fn drift_beyond_ten_minutes_is_just_wrong() {
        assert_eq!(
            verdict(&account(), &code_of(1, -20)),
            refused(Refusal::Behind { steps: 20, seconds: 600 })
        );
        assert_eq!(verdict(&account(), &code_of(1, -21)), refused(Refusal::Wrong));
        assert_eq!(verdict(&account(), &code_of(1, 21)), refused(Refusal::Wrong));
    }

    #[test]
    fn a_clock_set_back_is_a_cause_of_its_own() {
        let mut account = account();
        account.authenticators[0].floor = Some(step(10));
        for offset in [-5, 0, 1, 10] {
            let ruling = ruling(&account, &code_of(1, offset), Stage::After, NOW);
            assert_eq!(ruling, Ruling::free(Refusal::ClockSetBack { seconds: 285 }), "{offset}");
        }
        assert_eq!(verdict(&account, &code_of(1, 11)), refused(Refusal::Ahead { steps: 11, seconds: 330 }));
        assert_eq!(verdict(&account, "000000"), refused(Refusal::Wrong));
    }

    #[test]
    fn nothing_is_compared_during_a_delay() {
        let mut account = account();
        account.row.failures = vec![Failure { at: NOW, cost: 1 }; 5];
        let ruling = ruling(&account, &code_of(1, 0), Stage::After, NOW);
        assert_eq!(ruling, Ruling::free(Refusal::Delayed { wait: 30 }));
    }

    #[test]
    fn a_recovery_code_opens_once_also_during_a_lock() {
        let mut account = account();
        account.row.locked = true;
        assert_eq!(verdict(&account, &code_of(1, 0)), refused(Refusal::Locked));
        let spent = Spent::RecoveryCode(RecoveryHash([1; 32]));
        assert_eq!(with_recovery(&account, 1).verdict, Verdict::Accepted(Accepted { spent }));
        assert_eq!(with_recovery(&account, 2), Ruling::free(Refusal::Used { wait: 0 }));
    }

    #[test]
    fn a_wrong_recovery_code_costs_the_address_alone() {
        let ruling = with_recovery(&account(), 9);
        assert_eq!((ruling.row_cost, ruling.charges_address), (None, true));
        let delayed = Account { address_wait: Some(7), ..account() };
        assert_eq!(with_recovery(&delayed, 1), Ruling::free(Refusal::AddressDelayed { wait: 7 }));
    }

    #[test]
    fn a_one_time_code_opens_once_within_its_life_also_during_a_lock() {
        let kept = KeptOneTimeCode { hash: OneTimeHash([1; 32]), expires: NOW.plus(10), used: false };
        let ruling = |kept: KeptOneTimeCode, typed: u8, enrolled: Enrolled, at: Timestamp| {
            let mut account = Account { one_time_code: Some(kept), enrolled, ..account() };
            account.row.locked = true;
            let attempt = Attempt {
                answer: &Answer::read(b"P-222222222222"),
                recovery_hash: None,
                one_time_hash: Some(OneTimeHash([typed; 32])),
                stage: Stage::Before,
            };
            decide(&account, &attempt, &Totp::default(), &Throttle::default(), at)
        };
        let accepted = Verdict::Accepted(Accepted { spent: Spent::OneTimeCode });
        assert_eq!(ruling(kept, 1, Enrolled::Yes, NOW.plus(9)).verdict, accepted);
        assert_eq!(ruling(kept, 1, Enrolled::Yes, NOW.plus(10)), Ruling::free(Refusal::CodeExpired));
        let used = KeptOneTimeCode { used: true, ..kept };
        assert_eq!(ruling(used, 1, Enrolled::Yes, NOW), Ruling::free(Refusal::Used { wait: 0 }));
        assert_eq!(ruling(kept, 2, Enrolled::Yes, NOW), WRONG_WITHOUT_ROW);
        assert_eq!(ruling(kept, 1, Enrolled::No, NOW), WRONG_WITHOUT_ROW);
    }

    #[test]
    fn wrong_codes_cost_by_what_they_were_compared_with() {
        let mut account = account();
        assert_eq!(ruling(&account, "000000", Stage::After, NOW).row_cost, Some(1));
        account.authenticators.push(authenticator(2));
        assert_eq!(ruling(&account, "000000", Stage::After, NOW).row_cost, Some(2));
    }

    #[test]
    fn what_fits_no_method_is_free() {
        for typed in ["", "12345", "12345678", "junk!"] {
            let ruling = ruling(&account(), typed, Stage::After, NOW);
            assert_eq!(ruling, Ruling::free(Refusal::Unfit), "{typed:?}");
        }
    }

    #[test]
    fn before_the_first_factor_a_decoy_costs_like_a_real_account_and_never_opens() {
        let decoy = Account { enrolled: Enrolled::No, ..account() };
        for typed in [code_of(1, 0), "000000".into(), "00000000".into()] {
            let (of_decoy, of_real) = (
                ruling(&decoy, &typed, Stage::Before, NOW),
                ruling(&account(), "000000", Stage::Before, NOW),
            );
            assert_eq!(of_decoy, of_real, "{typed}");
        }
        assert_eq!(ruling(&decoy, &code_of(1, 0), Stage::After, NOW), Ruling::free(Refusal::NotEnrolled));
        let attempt = Attempt {
            answer: &Answer::read(b"ABCDEFGH23"),
            recovery_hash: Some(RecoveryHash([1; 32])),
            one_time_hash: None,
            stage: Stage::Before,
        };
        let ruling = decide(&decoy, &attempt, &Totp::default(), &Throttle::default(), NOW);
        assert_eq!(ruling.verdict, refused(Refusal::Wrong));
    }

    #[test]
    fn steps_at_the_ends_of_time_do_not_overflow() {
        for at in [Timestamp(0), Timestamp(u64::MAX)] {
            assert!(matches!(ruling(&account(), "000000", Stage::After, at).verdict, Verdict::Refused(_)));
        }
    }
}
