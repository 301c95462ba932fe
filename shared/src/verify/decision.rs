//! The decision: (account, attempt, now) → an accepted step or a named refusal. A pure function; no clock, no
//! store, no log.
//!
//! MUST accept a step at most once: only steps above the floor, and of equal codes the highest.
//! MUST NOT compare digits while their bucket is delayed or locked, or before the first factor while the address waits.
//! MUST be the only place that makes an [`Accepted`]; whatever opens a door asks for one.

use super::account::{
    AccountCredentials, LiveAuthenticator, StoredOneTimeCode, StoredRecoveryCode,
};
use super::matching::Match;
use super::throttle::{self, BucketState, Phase};
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::{ThrottleConfig, TotpConfig};
use crate::credential::input::Input;
use crate::credential::totp::{OtpKind, Step};
use crate::crypto::vault::{MailedHash, OneTimeHash, RecoveryHash, SecretFingerprint};
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};
/// The cause, as logs name it.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Wrong => f.write_str("wrong"),
            Refusal::Used { .. } => f.write_str("used"),
            Refusal::Behind { steps, .. } => write!(f, "behind-{steps}-steps"),
            Refusal::Ahead { steps, .. } => write!(f, "ahead-{steps}-steps"),
            Refusal::ClockSetBack { seconds } => write!(f, "clock-set-back-{seconds}s"),
            Refusal::Delayed { wait } => write!(f, "delayed-{wait}s"),
            Refusal::AddressDelayed { wait } => write!(f, "address-delayed-{wait}s"),
            Refusal::Locked => f.write_str("locked"),
            Refusal::Unfit => f.write_str("malformed"),
            Refusal::NotEnrolled => f.write_str("not-enrolled"),
            Refusal::CodeExpired => f.write_str("code-expired"),
            Refusal::Expired => f.write_str("expired"),
        }
    }
}

#[cfg(test)]
mod tests;

pub use super::app_password::{AcceptedAppPassword, AppPasswordRefusal, decide_admission};
pub use super::grace_period::{WithinGrace, decide_grace};
pub use super::one_time_code::{Invitation, decide_invitation};

/// One try: what was typed, where in the login, and its hash where codes are kept as such.
pub struct Attempt<'a> {
    /// What was typed.
    pub answer: &'a Input,
    /// The hash of a typed recovery code for this account.
    pub recovery_hash: Option<RecoveryHash>,
    /// The hash of a typed one-time code for this account.
    pub one_time_hash: Option<OneTimeHash>,
    /// The hash of typed digits for this account, as a mailed code.
    pub mailed_hash: Option<MailedHash>,
    /// Characters of the recovery codes that the configuration makes.
    pub usual_length: u32,
    /// Whether the first factor has passed.
    pub stage: Phase,
}

/// What an accepted answer spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumed {
    /// A time step of an authenticator: the new floor.
    Step(SecretFingerprint, Step),
    /// A recovery code.
    RecoveryCode(RecoveryHash),
    /// The account's one-time code.
    OneTimeCode,
    /// The newest mailed code.
    MailedCode,
}

/// Proof that this file accepted an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    spent: Consumed,
}

impl Accepted {
    /// What must be marked as used before the door opens.
    pub fn spent(&self) -> Consumed {
        self.spent
    }
}

/// Why an answer does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// A one-time or mailed code whose life is over.
    CodeExpired,
    /// The sign-in took too long, or was ended meanwhile.
    Expired,
}

/// Whether one input is accepted, and why not.
pub type VerificationResult = Result<Accepted, Refusal>;

/// A verdict and what it costs.
#[derive(Debug, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: VerificationResult,
    /// What the row is charged, if anything.
    pub row_cost: Option<u32>,
    /// Whether the address is charged one.
    pub charges_address: bool,
}

impl Decision {
    fn free(refusal: Refusal) -> Decision {
        Decision {
            verdict: Err(refusal),
            row_cost: None,
            charges_address: false,
        }
    }

    fn accepted(spent: Consumed) -> Decision {
        Decision {
            verdict: Ok(Accepted { spent }),
            row_cost: None,
            charges_address: false,
        }
    }

    /// Whether the answer costs nothing and opens nothing, so that nothing is written about it.
    pub fn is_free(&self) -> bool {
        let refused = self.verdict.is_err();
        refused && self.row_cost.is_none() && !self.charges_address
    }
}

/// Decides about one answer.
pub fn decide(
    account: &AccountCredentials,
    attempt: &Attempt<'_>,
    totp: &TotpConfig,
    throttle: &ThrottleConfig,
    now: Timestamp,
) -> Decision {
    if account.enrolled == Enrolled::No && attempt.stage == Phase::After {
        return Decision::free(Refusal::NotEnrolled);
    }
    match attempt.answer {
        Input::Unfit => Decision::free(Refusal::Unfit),
        Input::Recovery(text) => recovery(account, attempt, text),
        Input::OneTime(_) => one_time(account, attempt.one_time_hash, now),
        Input::Digits(digits) => {
            let fits = match attempt.stage {
                // Before the first factor the length must not tell what the account has.
                Phase::Before => matches!(digits.len(), 6 | 8 | 12 | 16),
                Phase::After => {
                    let by_mail = account.mail == MailStatus::On
                        && digits.len() == super::mailed_code::DIGITS;
                    by_mail || account.authenticators.iter().any(|a| fits(a, digits))
                }
            };
            if !fits {
                return Decision::free(Refusal::Unfit);
            }
            if let (Phase::Before, Some(wait)) = (attempt.stage, account.address_wait) {
                return Decision::free(Refusal::AddressDelayed { wait });
            }
            match account.row.standing(throttle, now) {
                BucketState::Locked => Decision::free(Refusal::Locked),
                BucketState::Delayed { wait } => Decision::free(Refusal::Delayed { wait }),
                BucketState::Open => compare_all(account, attempt, digits, totp, now),
            }
        }
    }
}

/// A wrong recovery or one-time code. It has no bucket: nobody guesses 47 bits. It is counted for its address, unless
/// that waits already.
fn wrong_without_bucket(account: &AccountCredentials) -> Decision {
    match account.address_wait {
        Some(wait) => Decision::free(Refusal::AddressDelayed { wait }),
        None => {
            let verdict = Err(Refusal::Wrong);
            Decision {
                verdict,
                row_cost: None,
                charges_address: true,
            }
        }
    }
}

/// Compares a recovery code, before anything delays or locks.
fn recovery(account: &AccountCredentials, attempt: &Attempt<'_>, text: &str) -> Decision {
    let same = |kept: &&StoredRecoveryCode| attempt.recovery_hash == Some(kept.hash);
    let found = match account.enrolled {
        Enrolled::Yes => account.recovery_codes.iter().find(same),
        Enrolled::No => None,
    };
    let has_length = |length: u32| length as usize == text.len();
    // Before the first factor the length must not tell what the account has.
    let fits = match attempt.stage {
        Phase::Before => has_length(attempt.usual_length),
        Phase::After => account
            .recovery_codes
            .iter()
            .any(|kept| has_length(kept.length)),
    };
    match found {
        Some(kept) if kept.used => Decision::free(Refusal::Used { wait: 0 }),
        Some(kept) => Decision::accepted(Consumed::RecoveryCode(kept.hash)),
        None if fits => wrong_without_bucket(account),
        // a password that only looks like one
        None => Decision::free(Refusal::Unfit),
    }
}

/// Compares an administrator's one-time code, before anything delays or locks.
fn one_time(account: &AccountCredentials, hash: Option<OneTimeHash>, now: Timestamp) -> Decision {
    match account.one_time_code {
        Some(kept) if account.enrolled == Enrolled::Yes && hash == Some(kept.hash) => match kept {
            StoredOneTimeCode { used: true, .. } => Decision::free(Refusal::Used { wait: 0 }),
            kept if kept.is_over(now) => Decision::free(Refusal::CodeExpired),
            _ => Decision::accepted(Consumed::OneTimeCode),
        },
        _ => wrong_without_bucket(account),
    }
}

/// Whether an authenticator makes codes of this length; two in a row bring a counter back in step.
fn fits(authenticator: &LiveAuthenticator, digits: &str) -> bool {
    let length = authenticator.parameters.digits;
    let in_step = matches!(authenticator.parameters.moving, OtpKind::Counter);
    digits.len() == length as usize || (in_step && digits.len() == super::clock_drift::pair(length))
}

/// Compares digits with every live authenticator and the mailed code, as one try. The best match of any counts.
fn compare_all(
    account: &AccountCredentials,
    attempt: &Attempt<'_>,
    digits: &str,
    totp: &TotpConfig,
    now: Timestamp,
) -> Decision {
    let compare = |authenticator: &LiveAuthenticator| match authenticator.parameters.moving {
        OtpKind::Time { period } => {
            super::time_window::compare(authenticator, period, digits, totp, now)
        }
        OtpKind::Counter => super::clock_drift::compare(authenticator, digits),
    };
    let (mut best, mut compared) =
        super::mailed_code::compare(account, attempt.mailed_hash, digits, now);
    if let Some(decoy) = &account.decoy {
        let (_, count) = compare(decoy);
        // To whoever has not passed the first factor it costs what an authenticator would.
        compared += if attempt.stage == Phase::Before {
            count
        } else {
            0
        };
    }
    for authenticator in &account.authenticators {
        let (found, count) = compare(authenticator);
        compared += count;
        if found.rank() > best.rank() {
            best = found;
        }
    }
    let refusal = match best {
        Match::Live(fingerprint, step) if account.enrolled == Enrolled::Yes => {
            return Decision::accepted(Consumed::Step(fingerprint, step));
        }
        Match::Mailed if account.enrolled == Enrolled::Yes => {
            return Decision::accepted(Consumed::MailedCode);
        }
        Match::Expired => return Decision::free(Refusal::CodeExpired),
        Match::Used { wait } => return Decision::free(Refusal::Used { wait }),
        Match::ClockSetBack { seconds } => {
            return Decision::free(Refusal::ClockSetBack { seconds });
        }
        Match::Behind { steps, seconds } => Refusal::Behind { steps, seconds },
        Match::Ahead { steps, seconds } => Refusal::Ahead { steps, seconds },
        Match::Live(..) | Match::Mailed | Match::None => Refusal::Wrong,
    };
    Decision {
        verdict: Err(refusal),
        row_cost: Some(throttle::cost(compared)),
        charges_address: attempt.stage == Phase::Before,
    }
}
