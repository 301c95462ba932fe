//! The record of an account in the store.

use super::name::{Group, UserName};
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// The number of an account. It is never reused, and a rename keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountId(pub i64);

#[derive(Clone, Debug)]
pub struct AccountRecord {
    pub id: AccountId,
    pub name: UserName,
    pub created: Timestamp,
    /// Time of the last sign-in with a second factor.
    pub last_sign_in: Option<Timestamp>,
    /// Sessions of a lower generation are revoked.
    pub generation: u64,
    /// Groups that the store keeps for the account, ordered by name.
    pub groups: Vec<Group>,
}
