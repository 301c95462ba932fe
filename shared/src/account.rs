//! An account as the decision sees it: its live authenticators, its recovery codes, and how its guesses stand.

use crate::clock::Timestamp;
use crate::guess::Row;
use crate::secret::Secret;
use crate::totp::{Parameters, Step};
use crate::vault::{Fingerprint, OneTimeHash, RecoveryHash};

/// One live authenticator with its secret opened.
pub struct Authenticator {
    /// The shared secret.
    pub secret: Secret,
    /// Algorithm, digits and period.
    pub parameters: Parameters,
    /// Under which its floor is kept.
    pub fingerprint: Fingerprint,
    /// The last accepted step: it and every older one are used.
    pub floor: Option<Step>,
}

/// One recovery code, as the store keeps it.
pub struct KeptRecoveryCode {
    /// Keyed hash of the code, bound to the account.
    pub hash: RecoveryHash,
    /// Whether it has opened once.
    pub used: bool,
}

/// An administrator's one-time code, as the store keeps it.
#[derive(Clone, Copy, Debug)]
pub struct KeptOneTimeCode {
    /// Keyed hash of the code, bound to the account.
    pub hash: OneTimeHash,
    /// When its life ends.
    pub expires: Timestamp,
    /// Whether it has opened.
    pub used: bool,
}

/// Whether the account has a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrolled {
    /// At least one live authenticator.
    Yes,
    /// None. Before the first factor such an account, and a name without one, goes the same way with a decoy
    /// that never opens.
    No,
}

/// Everything that the decision about one answer needs to know of an account.
pub struct Account {
    /// Whether there is a second factor.
    pub enrolled: Enrolled,
    /// Live authenticators, or the decoy.
    pub authenticators: Vec<Authenticator>,
    /// Recovery codes, used ones too.
    pub recovery_codes: Vec<KeptRecoveryCode>,
    /// The newest one-time code, also a used one.
    pub one_time_code: Option<KeptOneTimeCode>,
    /// The guess row of the attempt's stage and place.
    pub row: Row,
    /// Seconds until the attempt's address may try again; `None` if it may now, or if there is no address.
    pub address_wait: Option<u64>,
}
