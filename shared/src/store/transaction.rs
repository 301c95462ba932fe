//! Reads and changes of one transaction, by subject. Each file of this folder adds methods to
//! [`Transaction`]; their SQL is in them, the running of statements in `statement.rs`, and the
//! conversions between columns and values in `convert.rs`. No file here names a database library.

mod accounts;
mod app_passwords;
mod approvals;
mod convert;
mod events;
mod host_activity;
mod hosts;
mod keys;
mod locks;
mod mail;
mod passkeys;
mod restored;
mod revocations;
mod second_factor;
mod sessions;
mod statement;
mod tables;
mod throttle;

use super::StoreResult;
use super::database::OpenTransaction;

/// Whether a transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Read,
    /// Writes. The transaction waits for the write lock when it begins, for a bounded time, and
    /// never has to be repeated.
    Write,
    /// Writes, and is as short as a sign-in. It may share its commit with other attempts.
    Attempt,
    /// Writes what concerns every account, such as keys, and is rare. No other transaction writes
    /// meanwhile.
    Exclusive,
}

/// A transaction of the store. Without a commit it changes nothing.
pub struct Transaction<'a> {
    open: OpenTransaction<'a>,
    intent: Intent,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(open: OpenTransaction<'a>, intent: Intent) -> Transaction<'a> {
        Transaction { open, intent }
    }

    /// Commits durably. Access is granted only after this returns.
    pub fn commit(self) -> StoreResult<()> {
        self.open.commit()
    }
}
