//! An account as the decision sees it: its live authenticators, its recovery codes, and how its guesses stand.

use super::throttle::Bucket;
use crate::account::second_factor::{Enrolled, MailStatus};
use crate::credential::recovery_code::RecoveryCode;
use crate::credential::secret::Secret;
use crate::credential::totp::{OtpParameters, Step};
use crate::crypto::vault::{MailedHash, OneTimeHash, RecoveryHash, SecretFingerprint, Vault};
use crate::system::clock::Timestamp;

/// One live authenticator with its secret opened.
pub struct LiveAuthenticator {
    /// The shared secret.
    pub secret: Secret,
    /// Algorithm, digits and period.
    pub parameters: OtpParameters,
    /// Under which its floor is kept.
    pub fingerprint: SecretFingerprint,
    /// The last accepted step: it and every older one are used.
    pub floor: Option<Step>,
    /// Used steps, also above the floor: accepted under a clock that ran ahead, before root lowered the floor.
    pub used_above: Vec<Step>,
}

/// One recovery code, as the store keeps it.
pub struct StoredRecoveryCode {
    /// Keyed hash of the code, bound to the account.
    pub hash: RecoveryHash,
    /// Characters of the code, so that a text of another length is told from a wrong code.
    pub length: u32,
    /// Whether it has opened once.
    pub used: bool,
}

impl StoredRecoveryCode {
    /// What is kept of a new set of codes.
    pub fn hash_all(
        codes: &[RecoveryCode],
        account: i64,
        vault: &Vault,
    ) -> Vec<StoredRecoveryCode> {
        let kept = |code: &RecoveryCode| StoredRecoveryCode {
            hash: vault.recovery_hash(account, code.plain()),
            length: u32::try_from(code.plain().len()).unwrap_or(u32::MAX),
            used: false,
        };
        codes.iter().map(kept).collect()
    }
}

/// An administrator's one-time code, as the store keeps it.
#[derive(Clone, Copy, Debug)]
pub struct StoredOneTimeCode {
    /// Keyed hash of the code, bound to the account.
    pub hash: OneTimeHash,
    /// When it was issued.
    pub issued: Timestamp,
    /// When its life ends.
    pub expires: Timestamp,
    /// Whether it has opened.
    pub used: bool,
}

impl StoredOneTimeCode {
    /// Whether its life is over. A clock that was set back must not lengthen it.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires || now < self.issued
    }
}

/// The newest code that was mailed to sign in with, as the store keeps it.
#[derive(Clone, Copy, Debug)]
pub struct StoredMailedCode {
    /// Keyed hash of the code, bound to the account and to what it is for.
    pub hash: MailedHash,
    /// When it was made.
    pub sent: Timestamp,
    /// When its life ends.
    pub expires: Timestamp,
    /// Whether it has opened.
    pub used: bool,
    /// How often a new address was confirmed wrongly while this was the code for it.
    pub wrong_confirmations: u32,
}

impl StoredMailedCode {
    /// Whether its life is over. A clock that was set back must not lengthen it.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires || now < self.sent
    }

    /// Seconds until another may be asked for; 0 if at once. A clock that was set back must not lengthen that either.
    pub fn cooldown_left(&self, cooldown: u64, now: Timestamp) -> u64 {
        match now < self.sent {
            true => 0,
            false => cooldown.saturating_sub(now.since(self.sent)),
        }
    }
}

/// Everything that the decision about one answer needs to know of an account.
pub struct AccountCredentials {
    /// Whether there is a second factor.
    pub enrolled: Enrolled,
    /// Live authenticators.
    pub authenticators: Vec<LiveAuthenticator>,
    /// Where there is none: a secret that nobody holds, compared like one, and never right.
    pub decoy: Option<LiveAuthenticator>,
    /// Whether mailed codes open.
    pub mail: MailStatus,
    /// The newest mailed code, also one that is used or over.
    pub mailed_code: Option<StoredMailedCode>,
    /// Recovery codes, used ones too.
    pub recovery_codes: Vec<StoredRecoveryCode>,
    /// The newest one-time code, also a used one.
    pub one_time_code: Option<StoredOneTimeCode>,
    /// The guess row of the attempt's stage and place.
    pub bucket: Bucket,
    /// Seconds until the attempt's address may try again; `None` if it may now, if there is no address, or where the
    /// scope is exempt (a trusted browser, a familiar address).
    pub address_wait: Option<u64>,
}
