//! Locks of a transaction that writes, where others may write before it ends, and the notification of
//! others: see `postgres/open_transaction.rs`, which says why the locks are enough. In SQLite, whose writers wait
//! for one another when they begin, nothing happens here.

use super::Transaction;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::store::column::Parameters;
use crate::store::postgres::CHANNEL;
use crate::store::{Intent, StoreResult};
use sha2::{Digest, Sha256};

/// What an advisory lock is on: something without a row of its own.
#[derive(Clone, Copy)]
pub(super) enum LockOn<'a> {
    /// Failures of an address.
    Address(&'a str),
    /// Throttle buckets of an account, or of names without one, by the number of the owner.
    Buckets(i64),
    /// What all spellings of a name have in common.
    NameKey(&'a str),
}

impl LockOn<'_> {
    /// Returns the number of the lock. Two things may have the same number, and wait for one another
    /// then; a client cannot choose a number that many have.
    fn number(self) -> i64 {
        let (kind, what) = match self {
            LockOn::Address(address) => ("address", address.to_owned()),
            LockOn::Buckets(owner) => ("buckets", owner.to_string()),
            LockOn::NameKey(key) => ("name key", key.to_owned()),
        };
        let digest = Sha256::digest(format!("{kind} {what}"));
        let first = digest.first_chunk().expect("a digest has 32 bytes");
        i64::from_ne_bytes(*first)
    }
}

impl Transaction<'_> {
    /// Waits until no other transaction changes what belongs to an account, before anything of it is
    /// read. A name without an account waits for nothing.
    ///
    /// MUST be called before an act writes something of an account that it has not found by
    /// [`Transaction::find_account`], which does the same.
    pub fn lock_account(&mut self, name: &UserName) -> StoreResult<()> {
        self.lock_rows("SELECT id FROM account WHERE name = ?1 FOR UPDATE", [name])
    }

    /// Does the same for an account by its number.
    pub fn lock_account_number(&mut self, account: AccountId) -> StoreResult<()> {
        self.lock_rows("SELECT id FROM account WHERE id = ?1 FOR UPDATE", [account])
    }

    /// Waits until no other transaction writes what gates have to know, before something is stored
    /// under the next revision.
    pub(super) fn lock_revision(&mut self) -> StoreResult<()> {
        self.lock_rows("SELECT number FROM revision FOR UPDATE", ())
    }

    pub(super) fn lock_on(&mut self, what: LockOn<'_>) -> StoreResult<()> {
        self.lock_rows("SELECT pg_advisory_xact_lock(?1)", [what.number()])
    }

    pub(super) fn lock_rows(&self, sql: &str, parameters: impl Parameters) -> StoreResult<()> {
        match self.takes_locks() {
            // what follows is executed once the lock is held
            true => self.execute(sql, parameters),
            false => Ok(()),
        }
    }

    /// Notifies the other hosts, with the commit.
    pub(super) fn notify(&self) -> StoreResult<()> {
        match self.takes_locks() {
            true => self.execute(&format!("NOTIFY {CHANNEL}"), ()),
            false => Ok(()),
        }
    }

    fn takes_locks(&self) -> bool {
        self.intent != Intent::Read && self.open.has_other_writers()
    }
}
