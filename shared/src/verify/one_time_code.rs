//! The decision about the one-time code that allows a first enrollment by a user without root. The
//! code is consumed when the enrollment becomes active: an enrollment that is interrupted leaves it
//! valid.

use super::account::{AccountCredentials, StoredOneTimeCode};
use super::decision::{Attempt, Refusal};
use crate::account::second_factor::Enrolled;
use crate::crypto::vault::OneTimeHash;
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// Permission to begin a first enrollment, and the code that it consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedEnrollmentCode([u8; 32]);

impl AcceptedEnrollmentCode {
    /// Returns the hash of the one-time code.
    pub(crate) fn hash(self) -> OneTimeHash {
        OneTimeHash(self.0)
    }
}

/// Decides about one input. A right code is accepted while the address is delayed; a wrong one is
/// not counted then.
pub fn decide_enrollment_code(
    account: &AccountCredentials,
    attempt: &Attempt<'_>,
    now: Timestamp,
) -> Result<AcceptedEnrollmentCode, Refusal> {
    match (
        account.enrolled,
        account.one_time_code,
        attempt.one_time_hash,
    ) {
        (Enrolled::No, Some(stored), Some(hash)) if stored.hash == hash => match stored {
            StoredOneTimeCode { used: true, .. } => Err(Refusal::Used { wait: 0 }),
            stored if stored.is_expired(now) => Err(Refusal::CodeExpired),
            _ => Ok(AcceptedEnrollmentCode(hash.0)),
        },
        (Enrolled::No, _, Some(_)) => match account.address_wait {
            Some(wait) => Err(Refusal::AddressDelayed { wait }),
            None => Err(Refusal::Wrong),
        },
        (Enrolled::No, _, None) | (Enrolled::Yes, ..) => Err(Refusal::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::input::Input;
    use crate::verify::throttle::Phase;

    const NOW: Timestamp = Timestamp(1_800_000_015);

    fn decide_with(
        enrolled: Enrolled,
        stored: Option<StoredOneTimeCode>,
        hash: u8,
    ) -> Result<AcceptedEnrollmentCode, Refusal> {
        let account = AccountCredentials {
            enrolled,
            one_time_code: stored,
            ..AccountCredentials::without_credentials()
        };
        let attempt = Attempt {
            input: &Input::parse(b"P-2222-2222-2222"),
            recovery_hash: None,
            one_time_hash: Some(OneTimeHash([hash; 32])),
            mailed_hash: None,
            configured_length: 10,
            phase: Phase::After,
        };
        decide_enrollment_code(&account, &attempt, NOW)
    }

    #[test]
    fn only_a_valid_code_of_an_account_without_a_second_factor_permits_enrollment() {
        use Enrolled::{No, Yes};
        let hash = OneTimeHash([1; 32]);
        let stored = |issued, expires, used| {
            Some(StoredOneTimeCode {
                hash,
                issued,
                expires,
                used,
            })
        };
        let valid = stored(NOW, NOW.plus(1), false);
        let expired = stored(NOW, NOW, false);
        let ahead = stored(NOW.plus(1), NOW.plus(9), false);
        let used = stored(NOW, NOW.plus(1), true);
        for (enrolled, stored, input, expected) in [
            (No, valid, 1, Ok(hash)),
            (No, valid, 2, Err(Refusal::Wrong)),
            (No, None, 1, Err(Refusal::Wrong)),
            (Yes, valid, 1, Err(Refusal::Malformed)),
            (No, expired, 1, Err(Refusal::CodeExpired)),
            (No, ahead, 1, Err(Refusal::CodeExpired)),
            (No, used, 1, Err(Refusal::Used { wait: 0 })),
        ] {
            let decided = decide_with(enrolled, stored, input).map(AcceptedEnrollmentCode::hash);
            assert_eq!(decided, expected, "{stored:?}");
        }
    }
}
