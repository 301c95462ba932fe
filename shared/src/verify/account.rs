//! An account as the decision sees it: its authenticators with opened secrets, its other codes as
//! keyed hashes, and the throttle's bucket. Values only: nothing here reads the store or compares
//! an input.

use super::throttle::ThrottleBucket;
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{OtpParameters, Step};
use crate::credential::recovery_code::RecoveryCode;
use crate::crypto::vault::{MailedHash, OneTimeHash, RecoveryHash, SecretFingerprint, Vault};
use crate::system::clock::Timestamp;

/// An active authenticator with its secret opened.
pub struct LiveAuthenticator {
    pub secret: Secret,
    pub parameters: OtpParameters,
    /// Fingerprint under which the store keeps the floor.
    pub fingerprint: SecretFingerprint,
    /// The last accepted time step or counter. This step and every lower one are used.
    pub floor: Option<Step>,
    /// Used steps that may lie above the floor. They were accepted while this host's clock ran
    /// ahead, before root lowered the floor.
    pub used_above: Vec<Step>,
}

/// A recovery code as the store keeps it.
pub struct StoredRecoveryCode {
    pub hash: RecoveryHash,
    /// Characters of the code. They distinguish a wrong code from a text of another length.
    pub length: u32,
    pub used: bool,
}

impl StoredRecoveryCode {
    /// Hashes a new set of codes for an account.
    pub fn hash_all(
        codes: &[RecoveryCode],
        account: i64,
        vault: &Vault,
    ) -> Vec<StoredRecoveryCode> {
        let hashed = |code: &RecoveryCode| StoredRecoveryCode {
            hash: vault.recovery_hash(account, code.plain()),
            length: u32::try_from(code.plain().len()).unwrap_or(u32::MAX),
            used: false,
        };
        codes.iter().map(hashed).collect()
    }
}

/// An administrator's one-time code as the store keeps it.
#[derive(Clone, Copy, Debug)]
pub struct StoredOneTimeCode {
    pub hash: OneTimeHash,
    pub issued: Timestamp,
    pub expires: Timestamp,
    pub used: bool,
}

impl StoredOneTimeCode {
    /// Returns whether the code has expired. A clock that was set back MUST NOT extend its
    /// lifetime, so a code that was issued in the future has expired too.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires || now < self.issued
    }
}

/// The newest mailed code as the store keeps it.
#[derive(Clone, Copy, Debug)]
pub struct StoredMailedCode {
    pub hash: MailedHash,
    pub sent: Timestamp,
    pub expires: Timestamp,
    pub used: bool,
    /// Wrong confirmations of a new e-mail address while this was the code for it.
    pub wrong_confirmations: u32,
}

impl StoredMailedCode {
    /// Returns whether the code has expired. A clock that was set back MUST NOT extend its
    /// lifetime, so a code that was issued in the future has expired too.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires || now < self.sent
    }

    /// Returns the seconds until another code may be requested; 0 if at once. A clock that was set
    /// back MUST NOT extend that time either.
    pub fn cooldown_left(&self, cooldown: u64, now: Timestamp) -> u64 {
        match now < self.sent {
            true => 0,
            false => cooldown.saturating_sub(now.since(self.sent)),
        }
    }
}

/// All that the decision about one input needs to know of an account.
pub struct AccountCredentials {
    pub enrolled: Enrolled,
    pub authenticators: Vec<LiveAuthenticator>,
    /// Secret that belongs to no authenticator, where the account has none. The input is compared
    /// with it, so that the time of a comparison does not show whether the account exists, and
    /// never matches.
    pub decoy: Option<LiveAuthenticator>,
    /// Whether mailed codes are accepted.
    pub mail: MailStatus,
    /// The newest mailed code, also if it is used or expired.
    pub mailed_code: Option<StoredMailedCode>,
    /// All recovery codes, including the used ones.
    pub recovery_codes: Vec<StoredRecoveryCode>,
    /// The newest one-time code, also if it is used.
    pub one_time_code: Option<StoredOneTimeCode>,
    /// Bucket of the attempt's phase and throttle scope.
    pub bucket: ThrottleBucket,
    /// Seconds until the attempt's address may try again. `None` if it may try now, if there is no
    /// address, or if the scope is exempt (a trusted browser, a familiar address).
    pub address_wait: Option<u64>,
    /// Seconds until the host of a fleet that asks may try again, if it has to wait.
    pub host_wait: Option<u64>,
}

#[cfg(test)]
impl AccountCredentials {
    /// An enrolled account without any credential.
    pub(super) fn without_credentials() -> AccountCredentials {
        AccountCredentials {
            enrolled: Enrolled::Yes,
            authenticators: Vec::new(),
            decoy: None,
            mail: MailStatus::Off,
            mailed_code: None,
            recovery_codes: Vec::new(),
            one_time_code: None,
            bucket: ThrottleBucket::default(),
            address_wait: None,
            host_wait: None,
        }
    }
}
