//! Accounts in the store: names, groups and times of sign-in. What belongs to an account but has
//! its own life (sessions, app passwords, mail) has its own file.
//!
//! The trait says what is stored; SQL is in `sqlite/accounts.rs`.

use super::{MailAddresses, StoreError};
use crate::account::name::{Group, NameKey, NewName, UserName};
use crate::account::record::{AccountId, AccountRecord};
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// Summary of one account for `postern status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountTally {
    pub name: UserName,
    /// Last sign-in with a second factor.
    pub last_sign_in: Option<Timestamp>,
    /// Number of active authenticators.
    pub authenticators: u64,
    /// Activation of the oldest active authenticator.
    pub since: Option<Timestamp>,
    /// Number of recovery codes that are not used.
    pub recovery_codes: u64,
    pub addresses: MailAddresses,
    /// Number of locked throttle buckets.
    pub locks: u64,
}

pub trait AccountStore {
    /// Returns an account. A transaction that writes first removes what of the account ended with
    /// renewed keys.
    fn find_account(&mut self, name: &UserName) -> Result<Option<AccountRecord>, StoreError>;
    /// Returns the summaries of all accounts, or of one, by name.
    fn account_tallies(&mut self, name: Option<&UserName>)
    -> Result<Vec<AccountTally>, StoreError>;
    /// Returns at most `most` names after `after`, in order, that contain `part` in any case.
    fn find_account_names(
        &mut self,
        part: &str,
        after: Option<&UserName>,
        most: usize,
    ) -> Result<Vec<UserName>, StoreError>;
    /// Returns the names of accounts whose name key is `key`.
    fn find_names_by_key(&mut self, key: &NameKey) -> Result<Vec<UserName>, StoreError>;
    fn add_account(&mut self, name: &NewName, now: Timestamp) -> Result<AccountRecord, StoreError>;
    /// Removes an account and everything stored for it except step floors and audit events. Its
    /// sessions are revoked.
    fn remove_account(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// Renames an account. The caller seals again what is bound to the old name.
    fn rename_account(&mut self, account: AccountId, name: &NewName) -> Result<(), StoreError>;
    /// Returns whether any account is a member of the group.
    fn is_group_in_use(&mut self, group: &str) -> Result<bool, StoreError>;
    fn set_groups(&mut self, account: AccountId, groups: &[Group]) -> Result<(), StoreError>;
    /// Returns at most `most` accounts that have an authenticator or a confirmed address, with
    /// their groups.
    fn enrolled_accounts(&mut self, most: usize)
    -> Result<Vec<(UserName, Vec<Group>)>, StoreError>;
    /// Returns the time of the first sign-in. It is `now` if there was none, or if the clock was
    /// set back since.
    fn record_first_sign_in(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError>;
    /// Records a sign-in with a second factor.
    fn record_sign_in(&mut self, account: AccountId, now: Timestamp) -> Result<(), StoreError>;
}
