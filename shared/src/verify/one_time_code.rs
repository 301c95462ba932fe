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
    use crate::account::second_factor::MailStatus;
    use crate::credential::input::Input;
    use crate::verify::throttle::{Phase, ThrottleBucket};

    const NOW: Timestamp = Timestamp(1_800_000_015);

    fn decide_with(
        enrolled: Enrolled,
        stored: Option<StoredOneTimeCode>,
        hash: u8,
    ) -> Result<AcceptedEnrollmentCode, Refusal> {
        let account = AccountCredentials {
            enrolled,
            authenticators: Vec::new(),
            decoy: None,
            mail: MailStatus::Off,
            mailed_code: None,
            recovery_codes: Vec::new(),
            one_time_code: stored,
            bucket: ThrottleBucket::default(),
            address_wait: None,
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
        let hash = OneTimeHash([1; 32]);
        let valid = StoredOneTimeCode {
            hash,
            issued: NOW,
            expires: NOW.plus(1),
            used: false,
        };
        assert_eq!(
            decide_with(Enrolled::No, Some(valid), 1).map(AcceptedEnrollmentCode::hash),
            Ok(valid.hash)
        );
        assert_eq!(
            decide_with(Enrolled::No, Some(valid), 2),
            Err(Refusal::Wrong)
        );
        assert_eq!(decide_with(Enrolled::No, None, 1), Err(Refusal::Wrong));
        assert_eq!(
            decide_with(Enrolled::Yes, Some(valid), 1),
            Err(Refusal::Malformed)
        );
        let expired = StoredOneTimeCode {
            expires: NOW,
            ..valid
        };
        assert_eq!(
            decide_with(Enrolled::No, Some(expired), 1),
            Err(Refusal::CodeExpired)
        );
        let ahead = StoredOneTimeCode {
            issued: NOW.plus(1),
            expires: NOW.plus(9),
            ..valid
        };
        assert_eq!(
            decide_with(Enrolled::No, Some(ahead), 1),
            Err(Refusal::CodeExpired)
        );
        let used = StoredOneTimeCode {
            used: true,
            ..valid
        };
        assert_eq!(
            decide_with(Enrolled::No, Some(used), 1),
            Err(Refusal::Used { wait: 0 })
        );
    }
}
