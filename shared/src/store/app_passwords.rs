//! App passwords in the store. An app password is found by its keyed hash; the password itself is
//! never stored. Each has a scope and may expire.

use super::StoreError;
use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::credential::scope::AppPasswordScope;
use crate::crypto::vault::AppPasswordHash;
use crate::system::clock::Timestamp;
use crate::verify::app_password::FoundAppPassword;

/// App password as lists show it.
#[derive(Clone, Debug)]
pub struct AppPasswordRecord {
    pub number: i64,
    pub account: UserName,
    /// Name that the account's owner chose; unique in the account.
    pub name: Label,
    /// Services and addresses for which it is valid.
    pub scope: AppPasswordScope,
    pub created: Timestamp,
    /// Expiry; `None` for an app password that does not expire.
    pub expires: Option<Timestamp>,
    /// Last use, to the minute.
    pub last_used: Option<Timestamp>,
}

/// Valid app passwords, or the changes since a revision, for a gate that keeps them in memory.
#[derive(Debug, Default)]
pub struct LiveAppPasswords {
    /// Revision, raised by every change of an app password and of what a gate copies from its
    /// account.
    pub revision: u64,
    /// Whether `all` is complete. If not, `all` holds only the new and changed ones.
    pub is_complete: bool,
    /// App passwords with their hashes, in no order.
    pub all: Vec<(AppPasswordHash, FoundAppPassword)>,
    pub removed: Vec<AppPasswordHash>,
}

pub trait AppPasswordStore {
    /// Returns the app passwords of one account or of all, by account and age, expired ones
    /// included.
    fn app_passwords(
        &mut self,
        of: Option<AccountId>,
    ) -> Result<Vec<AppPasswordRecord>, StoreError>;
    /// Adds an app password, and removes those of the account that are expired at `new.created`.
    fn add_app_password(
        &mut self,
        account: AccountId,
        new: &AppPasswordRecord,
        hash: &AppPasswordHash,
    ) -> Result<(), StoreError>;
    fn rename_app_password(&mut self, number: i64, name: &Label) -> Result<(), StoreError>;
    fn remove_app_password(&mut self, number: i64) -> Result<(), StoreError>;
    /// Removes all app passwords of an account. Returns how many were valid at `now`.
    fn remove_app_passwords(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
    /// Returns the app password with this hash, even if it has expired.
    fn find_app_password(
        &mut self,
        hash: &AppPasswordHash,
    ) -> Result<Option<FoundAppPassword>, StoreError>;
    /// Records a use, to the minute.
    fn record_app_password_use(&mut self, number: i64, at: Timestamp) -> Result<(), StoreError>;
    /// Returns the revision of all app passwords.
    fn app_passwords_revision(&mut self) -> Result<u64, StoreError>;
    /// Returns all app passwords that are valid at `now`. An unreadable row grants no access and is
    /// left out, so that the others stay usable.
    fn live_app_passwords(&mut self, now: Timestamp) -> Result<LiveAppPasswords, StoreError>;
    /// Returns the changes after a revision. Returns `None` if that revision is too old or belongs
    /// to another store.
    fn app_passwords_changed_after(
        &mut self,
        after: u64,
    ) -> Result<Option<LiveAppPasswords>, StoreError>;
}
