//! Account as the store keeps it.

use super::name::{Group, UserName};
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// An account's number: never used twice, stays when the account is renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountId(pub i64);

/// What is kept of an account itself.
#[derive(Clone, Debug)]
pub struct AccountRecord {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: UserName,
    /// When it came into being.
    pub created: Timestamp,
    /// The last sign-in with a second factor.
    pub last_sign_in: Option<Timestamp>,
    /// Sessions of an older generation are over.
    pub generation: u64,
    /// The groups that Postern keeps for it, by name.
    pub groups: Vec<Group>,
}
