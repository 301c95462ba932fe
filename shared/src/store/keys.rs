//! Sealed and key-bound values in the store, for a change of the master key or the data keys.
//! Sealed values are sealed again. Key-bound values cannot be computed again and end with the key.

use super::StoreError;
use crate::account::name::UserName;
use crate::crypto::vault::{AssociatedData, WrappedKey};
use crate::system::clock::Timestamp;

/// Kind of a sealed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedValue {
    /// Secrets of authenticators.
    Authenticators,
    /// Codes in queued mail.
    QueuedMail,
}

impl SealedValue {
    pub const ALL: [SealedValue; 2] = [SealedValue::Authenticators, SealedValue::QueuedMail];
}

/// Row with a sealed value.
pub struct SealedRow {
    pub sealed_in: SealedValue,
    pub number: i64,
    pub name: UserName,
    /// Associated data of the seal.
    pub associated_data: AssociatedData,
    pub sealed: Vec<u8>,
}

/// Value that is stored only as a keyed hash or checked only by a signature. It is worthless
/// without the key and cannot be computed again from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyBound {
    /// Password of the built-in first factor.
    Password,
    RecoveryCodes,
    /// One-time codes that are not used and not expired.
    OneTimeCodes,
    /// App passwords that are not expired.
    AppPasswords,
    MailedCodes,
    Browsers,
    Sessions,
}

impl KeyBound {
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

pub trait KeyStore {
    /// Replaces all wrapped data keys.
    fn replace_data_keys(&mut self, keys: &[WrappedKey]) -> Result<(), StoreError>;
    /// Returns at most `limit` sealed rows with numbers above `after`, in order.
    fn sealed_rows_after(
        &mut self,
        sealed_in: SealedValue,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError>;
    /// Replaces the sealed value of a row.
    fn reseal_row(&mut self, row: &SealedRow, sealed: &[u8]) -> Result<(), StoreError>;
    /// Returns how many values of this kind each account has, in no order. Counts values that have
    /// ended but are not removed yet.
    ///
    /// Reads whole tables: MUST be called in a transaction that only reads.
    fn count_key_bound(
        &mut self,
        what: KeyBound,
        now: Timestamp,
    ) -> Result<Vec<(UserName, u64)>, StoreError>;
    /// Ends all key-bound values, grace periods and queued mail. Raises the generation of every
    /// account, so that a concurrent attempt fails, and makes gates read all app passwords again.
    /// The rows stay until [`KeyStore::forget_key_bound`], or until a transaction that writes reads
    /// their account.
    fn end_key_bound(&mut self) -> Result<(), StoreError>;
    /// Removes ended values of at most `most` accounts. Returns how many accounts that were.
    fn forget_key_bound(&mut self, most: u32) -> Result<u64, StoreError>;
}
