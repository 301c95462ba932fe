//! What the store keeps of app passwords: a keyed hash, by which they are found, and where and until when each is good.

use super::StoreError;
use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::credential::scope::AppPasswordScope;
use crate::crypto::vault::AppPasswordHash;
use crate::system::clock::Timestamp;
use crate::verify::app_password::FoundAppPassword;

/// An app password, as lists show it.
#[derive(Clone, Debug)]
pub struct AppPasswordRecord {
    /// Its number.
    pub number: i64,
    /// Whose.
    pub account: UserName,
    /// What the person calls it; no other of the account's has that name.
    pub name: Label,
    /// Where it is good.
    pub scope: AppPasswordScope,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// The minute of its last use.
    pub last_used: Option<Timestamp>,
}

/// Those that are live, or what changed of them, for a gate that keeps them in memory.
#[derive(Debug, Default)]
pub struct LiveAppPasswords {
    /// Raised by every change of them, and of what a gate takes from their accounts.
    pub revision: u64,
    /// Whether these are all that there are; else those that are new or changed.
    pub is_complete: bool,
    /// Each with its hash, in no order.
    pub all: Vec<(AppPasswordHash, FoundAppPassword)>,
    /// Those that were removed.
    pub removed: Vec<AppPasswordHash>,
}

/// The app passwords' part of a transaction.
pub trait AppPasswordStore {
    /// An account's, or everyone's, by account and age; those whose time is over too.
    fn app_passwords(
        &mut self,
        of: Option<AccountId>,
    ) -> Result<Vec<AppPasswordRecord>, StoreError>;
    /// A new one. Those of the account whose time is over at `now` are forgotten.
    fn add_app_password(
        &mut self,
        account: AccountId,
        new: &AppPasswordRecord,
        hash: &AppPasswordHash,
    ) -> Result<(), StoreError>;
    /// Gives one another name.
    fn rename_app_password(&mut self, number: i64, name: &Label) -> Result<(), StoreError>;
    /// Removes one.
    fn remove_app_password(&mut self, number: i64) -> Result<(), StoreError>;
    /// Removes all of an account; how many that were good at `now`.
    fn remove_app_passwords(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
    /// Looks one up by its hash, whether or not its time is over.
    fn find_app_password(
        &mut self,
        hash: &AppPasswordHash,
    ) -> Result<Option<FoundAppPassword>, StoreError>;
    /// One was used in this minute.
    fn record_app_password_use(&mut self, number: i64, at: Timestamp) -> Result<(), StoreError>;
    /// The revision of them all.
    fn app_passwords_revision(&mut self) -> Result<u64, StoreError>;
    /// All that are good at `now`. One that cannot be read is left out: it opens nothing, and the others do.
    fn live_app_passwords(&mut self, now: Timestamp) -> Result<LiveAppPasswords, StoreError>;
    /// What changed after a revision; none if that is too old to tell, or of another store.
    fn app_passwords_changed_after(
        &mut self,
        after: u64,
    ) -> Result<Option<LiveAppPasswords>, StoreError>;
}
