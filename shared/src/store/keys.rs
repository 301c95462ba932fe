//! What the store does for its keys: all that lies sealed, and all that hangs on keys that cannot be kept.

use super::StoreError;
use crate::account::name::UserName;
use crate::crypto::vault::{AssociatedData, WrappedKey};
use crate::system::clock::Timestamp;

/// Where something lies sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedValue {
    /// The secrets of authenticators.
    Authenticators,
    /// The codes of letters that wait for a gate.
    QueuedMail,
}

impl SealedValue {
    /// Everywhere.
    pub const ALL: [SealedValue; 2] = [SealedValue::Authenticators, SealedValue::QueuedMail];
}

/// A row in which something lies sealed.
pub struct SealedRow {
    /// Where.
    pub sealed_in: SealedValue,
    /// The row's number there.
    pub number: i64,
    /// Whose.
    pub name: UserName,
    /// What it is bound to.
    pub associated_data: AssociatedData,
    /// What lies there.
    pub sealed: Vec<u8>,
}

/// What is known by a keyed hash or a signature only: without the key it is worth nothing, and nobody can make it anew
/// from what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyBound {
    /// Passwords of the built-in first factor.
    Password,
    /// Recovery codes that were not used.
    RecoveryCodes,
    /// One-time codes that may still be used.
    OneTimeCodes,
    /// App passwords whose time is not over.
    AppPasswords,
    /// Mailed codes that may still be used.
    MailedCodes,
    /// Trusted browsers.
    Browsers,
    /// Sessions of the web.
    Sessions,
}

impl KeyBound {
    /// All of them.
    pub const ALL: [KeyBound; 7] = [
        KeyBound::Password,
        KeyBound::RecoveryCodes,
        KeyBound::OneTimeCodes,
        KeyBound::AppPasswords,
        KeyBound::MailedCodes,
        KeyBound::Browsers,
        KeyBound::Sessions,
    ];
}

/// A transaction's part for the keys.
pub trait KeyStore {
    /// These wrapped data keys in place of all that are there.
    fn replace_data_keys(&mut self, keys: &[WrappedKey]) -> Result<(), StoreError>;
    /// Rows numbered after `after` in which something lies sealed, in order, at most `limit`.
    fn sealed_rows_after(
        &mut self,
        sealed_in: SealedValue,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError>;
    /// The same, sealed anew.
    fn reseal_row(&mut self, row: &SealedRow, sealed: &[u8]) -> Result<(), StoreError>;
    /// How much of it who has, in no order; what has ended and is not removed yet counts too. Reads whole tables, and so
    /// belongs in a transaction that only reads.
    fn count_key_bound(
        &mut self,
        what: KeyBound,
        now: Timestamp,
    ) -> Result<Vec<(UserName, u64)>, StoreError>;
    /// Ends it all, and every grace and letter: raises the generation of every account, so that no attempt in flight
    /// outlives it, and has gates read app passwords anew. The rows stay until [`Keys::forget_key_bound`], or until a
    /// transaction that writes has read their account.
    fn end_key_bound(&mut self) -> Result<(), StoreError>;
    /// Removes what has ended so, of `most` accounts at most; of how many that was.
    fn forget_key_bound(&mut self, most: u32) -> Result<u64, StoreError>;
}
