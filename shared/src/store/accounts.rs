//! What the store keeps of accounts themselves: names, groups, when they signed in.

use super::{MailAddresses, StoreError};
use crate::account::name::{Group, NameKey, NewName, UserName};
use crate::account::record::{AccountId, AccountRecord};
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// How an account stands, as `postern status` counts it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountTally {
    /// The account's name.
    pub name: UserName,
    /// The last sign-in with a second factor.
    pub last_sign_in: Option<Timestamp>,
    /// Live authenticators.
    pub authenticators: u64,
    /// Since when the oldest of them is live.
    pub since: Option<Timestamp>,
    /// Recovery codes left.
    pub recovery_codes: u64,
    /// Its addresses.
    pub addresses: MailAddresses,
    /// Places that are locked.
    pub locks: u64,
}

/// The accounts' part of a transaction.
pub trait AccountStore {
    /// One account. In a transaction that writes, what of it ended with the keys is removed first.
    fn find_account(&mut self, name: &UserName) -> Result<Option<AccountRecord>, StoreError>;
    /// How all accounts stand, or one, by name.
    fn account_tallies(&mut self, name: Option<&UserName>)
    -> Result<Vec<AccountTally>, StoreError>;
    /// Names that hold `part`, whatever its case, and come after `after`, by name, at most `most`.
    fn find_account_names(
        &mut self,
        part: &str,
        after: Option<&UserName>,
        most: usize,
    ) -> Result<Vec<UserName>, StoreError>;
    /// The names of accounts that have this key, those of one name's spellings.
    fn find_names_by_key(&mut self, key: &NameKey) -> Result<Vec<UserName>, StoreError>;
    /// A new account.
    fn add_account(&mut self, name: &NewName, now: Timestamp) -> Result<AccountRecord, StoreError>;
    /// Removes an account and all that is kept of it but floors of used steps and events; its sessions are revoked.
    fn remove_account(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// Gives an account another name. What is sealed for it must be sealed anew.
    fn rename_account(&mut self, account: AccountId, name: &NewName) -> Result<(), StoreError>;
    /// Whether any account is in a group of this name.
    fn is_group_in_use(&mut self, group: &str) -> Result<bool, StoreError>;
    /// Sets an account's groups.
    fn set_groups(&mut self, account: AccountId, groups: &[Group]) -> Result<(), StoreError>;
    /// The accounts that have an authenticator or a confirmed address, with their groups; of more than `most` the first.
    fn enrolled_accounts(&mut self, most: usize)
    -> Result<Vec<(UserName, Vec<Group>)>, StoreError>;
    /// When the account first signed in: now, if it never did, or if the clock was set back since.
    fn record_first_sign_in(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError>;
    /// The account signed in with a second factor.
    fn record_sign_in(&mut self, account: AccountId, now: Timestamp) -> Result<(), StoreError>;
}
