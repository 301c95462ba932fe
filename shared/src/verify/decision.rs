//! The decision: (account, attempt, now) → [`Accepted`] or a named [`Refusal`]. A pure function: no
//! clock, no store, no log.
//!
//! MUST accept a step at most once: only steps above the floor, and of equal codes the highest.
//! MUST NOT compare digits while their bucket is delayed or locked, or before the first factor
//! while the address is delayed.
//! MUST be the only file that makes an [`Accepted`]; whatever grants access takes one as its
//! argument.

use super::account::{
    AccountCredentials, LiveAuthenticator, StoredOneTimeCode, StoredRecoveryCode,
};
use super::matching::Match;
use super::throttle::{self, BucketState, Phase};
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::config::{ThrottleConfig, TotpConfig};
use crate::credential::input::Input;
use crate::credential::otp::totp::{OtpKind, Step};
use crate::crypto::vault::{MailedHash, OneTimeHash, RecoveryHash, SecretFingerprint};
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::app_password::{AcceptedAppPassword, AppPasswordRefusal, decide_app_password};
pub use super::grace_period::{WithinGrace, decide_grace_period};

/// One input of one login, with its keyed hashes.
pub struct Attempt<'a> {
    pub input: &'a Input,
    /// Hash of the input as a recovery code of this account.
    pub recovery_hash: Option<RecoveryHash>,
    /// Hash of the input as a one-time code of this account.
    pub one_time_hash: Option<OneTimeHash>,
    /// Hash of the input as a mailed code of this account.
    pub mailed_hash: Option<MailedHash>,
    /// Length of recovery codes in the configuration, in characters.
    pub configured_length: u32,
    pub phase: Phase,
}

/// What an accepted input consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumed {
    /// Time step or counter of an authenticator, which becomes its floor.
    Step(SecretFingerprint, Step),
    RecoveryCode(RecoveryHash),
    OneTimeCode,
    MailedCode,
}

/// Proof that [`decide`] accepted an input.
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    consumed: Consumed,
}

impl Accepted {
    /// Returns what MUST be marked as used in a committed transaction before access is granted.
    pub fn consumed(&self) -> Consumed {
        self.consumed
    }
}

/// Reason why an input is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    Wrong,
    /// A step at or below the floor, or a recovery code, one-time code or mailed code that was used
    /// before.
    Used {
        /// Seconds until the next code is shown; 0 if it is shown already.
        wait: u64,
    },
    /// A code of a past step outside the window: the clock of the device is behind.
    Behind {
        steps: u64,
        seconds: u64,
    },
    /// A code of a future step outside the window. It MUST appear in logs only: the code will be
    /// valid later, and a message would tell an attacker so.
    Ahead {
        steps: u64,
        seconds: u64,
    },
    /// This host's clock is earlier than the last accepted step.
    ClockSetBack {
        /// Difference in seconds, at least.
        seconds: u64,
    },
    /// Too many wrong inputs were counted in this bucket.
    Delayed {
        wait: u64,
    },
    /// Too many wrong inputs came from this address.
    AddressDelayed {
        wait: u64,
    },
    Locked,
    /// The shape of the input fits no credential of the account.
    #[serde(rename = "unfit")]
    Malformed,
    NotEnrolled,
    /// An expired one-time code or mailed code.
    CodeExpired,
    /// The login took too long, or was ended meanwhile.
    Expired,
}

/// Formats the cause for logs.
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
            Refusal::Malformed => f.write_str("malformed"),
            Refusal::NotEnrolled => f.write_str("not-enrolled"),
            Refusal::CodeExpired => f.write_str("code-expired"),
            Refusal::Expired => f.write_str("expired"),
        }
    }
}

/// The verification result of one input.
pub type VerificationResult = Result<Accepted, Refusal>;

/// A verification result and its cost.
#[derive(Debug, PartialEq, Eq)]
pub struct Decision {
    pub result: VerificationResult,
    /// Cost that is added to the bucket.
    pub bucket_cost: Option<u32>,
    /// Whether the input counts as one failure of its address.
    pub charges_address: bool,
}

impl Decision {
    fn refuse_free(refusal: Refusal) -> Decision {
        Decision {
            result: Err(refusal),
            bucket_cost: None,
            charges_address: false,
        }
    }

    fn accept(consumed: Consumed) -> Decision {
        Decision {
            result: Ok(Accepted { consumed }),
            bucket_cost: None,
            charges_address: false,
        }
    }

    /// Returns whether the input is refused without cost, so that nothing is written about it.
    pub fn is_free(&self) -> bool {
        let refused = self.result.is_err();
        refused && self.bucket_cost.is_none() && !self.charges_address
    }
}

/// Decides about one input.
pub fn decide(
    account: &AccountCredentials,
    attempt: &Attempt<'_>,
    totp: &TotpConfig,
    throttle: &ThrottleConfig,
    now: Timestamp,
) -> Decision {
    if account.enrolled == Enrolled::No && attempt.phase == Phase::After {
        return Decision::refuse_free(Refusal::NotEnrolled);
    }
    match attempt.input {
        Input::Malformed => Decision::refuse_free(Refusal::Malformed),
        Input::RecoveryCode(text) => decide_recovery_code(account, attempt, text),
        Input::OneTimeCode(_) => decide_one_time_code(account, attempt.one_time_hash, now),
        Input::Digits(digits) => {
            let fits = match attempt.phase {
                // Before the first factor the length MUST NOT show which authenticators the account
                // has.
                Phase::Before => matches!(digits.len(), 6 | 8 | 12 | 16),
                Phase::After => {
                    let by_mail = account.mail == MailStatus::On
                        && digits.len() == super::mailed_code::DIGITS;
                    by_mail
                        || account
                            .authenticators
                            .iter()
                            .any(|a| accepts_length(a, digits))
                }
            };
            if !fits {
                return Decision::refuse_free(Refusal::Malformed);
            }
            let address_wait = match attempt.phase {
                Phase::Before => account.address_wait,
                Phase::After => None,
            };
            if let Some(wait) = address_wait.max(account.host_wait) {
                return Decision::refuse_free(Refusal::AddressDelayed { wait });
            }
            match account.bucket.state(throttle, now) {
                BucketState::Locked => Decision::refuse_free(Refusal::Locked),
                BucketState::Delayed { wait } => Decision::refuse_free(Refusal::Delayed { wait }),
                BucketState::Open => compare_digits(account, attempt, digits, totp, now),
            }
        }
    }
}

/// Refuses a wrong recovery code or one-time code. Neither has a bucket: 47 random bits cannot be
/// guessed. It counts as a failure of its address, unless the address is delayed already.
fn refuse_wrong(account: &AccountCredentials) -> Decision {
    match account.address_wait {
        Some(wait) => Decision::refuse_free(Refusal::AddressDelayed { wait }),
        None => Decision {
            charges_address: true,
            ..Decision::refuse_free(Refusal::Wrong)
        },
    }
}

/// Compares a recovery code. Neither a delay nor a lock applies.
fn decide_recovery_code(
    account: &AccountCredentials,
    attempt: &Attempt<'_>,
    text: &str,
) -> Decision {
    let same = |stored: &&StoredRecoveryCode| attempt.recovery_hash == Some(stored.hash);
    let found = match account.enrolled {
        Enrolled::Yes => account.recovery_codes.iter().find(same),
        Enrolled::No => None,
    };
    let has_length = |length: u32| length as usize == text.len();
    // Before the first factor the length MUST NOT show which authenticators the account has.
    let fits = match attempt.phase {
        Phase::Before => has_length(attempt.configured_length),
        Phase::After => account
            .recovery_codes
            .iter()
            .any(|stored| has_length(stored.length)),
    };
    match found {
        Some(stored) if stored.used => Decision::refuse_free(Refusal::Used { wait: 0 }),
        Some(stored) => Decision::accept(Consumed::RecoveryCode(stored.hash)),
        None if fits => refuse_wrong(account),
        // a password that looks like a recovery code
        None => Decision::refuse_free(Refusal::Malformed),
    }
}

/// Compares an administrator's one-time code. Neither a delay nor a lock applies.
fn decide_one_time_code(
    account: &AccountCredentials,
    hash: Option<OneTimeHash>,
    now: Timestamp,
) -> Decision {
    match account.one_time_code {
        Some(stored) if account.enrolled == Enrolled::Yes && hash == Some(stored.hash) => {
            match stored {
                StoredOneTimeCode { used: true, .. } => {
                    Decision::refuse_free(Refusal::Used { wait: 0 })
                }
                stored if stored.is_expired(now) => Decision::refuse_free(Refusal::CodeExpired),
                _ => Decision::accept(Consumed::OneTimeCode),
            }
        }
        _ => refuse_wrong(account),
    }
}

/// Returns whether an authenticator makes codes of this length. Two consecutive codes resynchronise
/// a counter.
fn accepts_length(authenticator: &LiveAuthenticator, digits: &str) -> bool {
    let length = authenticator.parameters.digits;
    let in_step = matches!(authenticator.parameters.moving, OtpKind::Counter);
    digits.len() == length as usize
        || (in_step && digits.len() == super::counter_window::resync_digits(length))
}

/// Compares digits with every active authenticator and the mailed code, as one try. The best match
/// counts.
fn compare_digits(
    account: &AccountCredentials,
    attempt: &Attempt<'_>,
    digits: &str,
    totp: &TotpConfig,
    now: Timestamp,
) -> Decision {
    let compare = |authenticator: &LiveAuthenticator| match authenticator.parameters.moving {
        OtpKind::Time { period } => {
            super::time_window::compare_time_steps(authenticator, period, digits, totp, now)
        }
        OtpKind::Counter => super::counter_window::compare_counters(authenticator, digits),
    };
    let (mut best, mut compared) =
        super::mailed_code::compare_mailed_code(account, attempt.mailed_hash, digits, now);
    if let Some(decoy) = &account.decoy {
        let (_, count) = compare(decoy);
        // Before the first factor the cost MUST be that of an account with one authenticator.
        compared += if attempt.phase == Phase::Before {
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
            return Decision::accept(Consumed::Step(fingerprint, step));
        }
        Match::Mailed if account.enrolled == Enrolled::Yes => {
            return Decision::accept(Consumed::MailedCode);
        }
        Match::Expired => return Decision::refuse_free(Refusal::CodeExpired),
        Match::Used { wait } => return Decision::refuse_free(Refusal::Used { wait }),
        Match::ClockSetBack { seconds } => {
            return Decision::refuse_free(Refusal::ClockSetBack { seconds });
        }
        Match::Behind { steps, seconds } => Refusal::Behind { steps, seconds },
        Match::Ahead { steps, seconds } => Refusal::Ahead { steps, seconds },
        Match::Live(..) | Match::Mailed | Match::None => Refusal::Wrong,
    };
    Decision {
        result: Err(refusal),
        bucket_cost: Some(throttle::failure_cost(compared)),
        charges_address: attempt.phase == Phase::Before,
    }
}

#[cfg(test)]
mod tests;
