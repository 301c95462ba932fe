//! Interface of the store: records, errors, and the transaction in which records are read and
//! changed. The functions at the end open, create and upgrade the configured store.
//!
//! MUST NOT name anything of SQLite, since another store implements the same traits.

mod accounts;
mod app_passwords;
mod events;
mod keys;
mod login_tokens;
mod mail;
mod notifications;
mod sessions;

pub use accounts::{AccountStore, AccountTally};
pub use app_passwords::{AppPasswordRecord, AppPasswordStore, LiveAppPasswords};
pub use events::{EventStore, LoggedEvent};
pub use keys::{KeyBound, KeyStore, SealedRow, SealedValue};
pub use login_tokens::{LoginTokenState, LoginTokenStore};
pub use mail::{ExpiredMail, MailAddresses, MailState, MailStore, QueuedMail};
pub use notifications::{MAX_NOTIFICATIONS, Notification, NotificationStore};
pub use sessions::{
    BrowserRecord, BrowserSessions, BrowserToken, SessionBrowser, SessionRecord, SessionStore,
};

use crate::account::name::{Label, OtherSpelling};
use crate::account::record::AccountId;
use crate::config::StoreUrl;
use crate::credential::totp::{OtpParameters, Step};
use crate::crypto::vault::{RecoveryHash, SecretFingerprint, WrappedKey};
use crate::system::admission::AdmissionClass;
use crate::system::clock::Timestamp;
use crate::system::trusted_file::FileError;
use crate::verify::account::{StoredOneTimeCode, StoredRecoveryCode};
use crate::verify::throttle::{Phase, ThrottleFailure, WrongFactor};
use crate::verify::throttle_scope::ThrottleScope;
use std::fmt;
use std::path::PathBuf;

/// Number of a throttle failure that can be removed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureId(pub(crate) i64);

/// Authenticator as the store keeps it.
pub struct AuthenticatorRecord {
    /// Number that the store assigns.
    pub number: i64,
    /// Name that the account's owner chose; unique in the account.
    pub name: Label,
    pub parameters: OtpParameters,
    /// Sealed secret.
    pub sealed: Vec<u8>,
    /// Time of activation.
    pub created: Timestamp,
}

/// Owner of a throttle bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BucketOwner {
    Account(AccountId),
    /// One of a fixed number of buckets that names without an account share.
    UnknownName(u16),
}

/// Key of a throttle bucket: owner, phase and scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketKey {
    pub owner: BucketOwner,
    pub phase: Phase,
    pub scope: ThrottleScope,
}

/// Wrong codes since the last sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedInputs {
    pub count: u64,
    /// Address of the last wrong code, or `-`.
    pub last_from: String,
}

/// Whether a transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Read,
    /// Writes. The transaction waits for the write lock when it begins, for a bounded time, and
    /// never has to be repeated.
    Write,
    /// Writes, and is as short as a sign-in. It may share its commit with other attempts.
    Attempt,
}

pub trait Store: Send {
    /// Begins a transaction. A transaction that is dropped without a commit changes nothing.
    fn begin(&mut self, intent: Intent) -> StoreResult<Box<dyn Transaction + '_>>;

    /// Sets the class of the writes that follow. A better class writes first, within a limit that
    /// protects the other classes from starvation.
    fn set_write_class(&mut self, class: AdmissionClass);

    /// Returns whether the store can only be read, since the disk accepted no write at its opening.
    fn is_read_only(&self) -> bool;

    /// Removes overwritten and deleted content from the WAL. Waits for every transaction that still
    /// reads it.
    fn truncate_wal(&mut self) -> StoreResult<()>;
}

/// Reads and changes of one transaction.
pub trait Transaction:
    AccountStore
    + AppPasswordStore
    + SessionStore
    + LoginTokenStore
    + EventStore
    + KeyStore
    + MailStore
    + NotificationStore
{
    fn data_keys(&mut self) -> StoreResult<Vec<WrappedKey>>;

    /// Returns an account's active authenticators, oldest first.
    fn authenticators(&mut self, account: AccountId) -> StoreResult<Vec<AuthenticatorRecord>>;
    /// Adds an active authenticator.
    fn add_authenticator(
        &mut self,
        account: AccountId,
        authenticator: &AuthenticatorRecord,
    ) -> StoreResult<()>;
    /// Replaces the sealed secret by another sealing of the same secret.
    fn reseal_authenticator(&mut self, number: i64, sealed: &[u8]) -> StoreResult<()>;
    /// Removes one authenticator and overwrites its secret. Its step floor stays.
    fn remove_authenticator(&mut self, number: i64) -> StoreResult<()>;
    /// Removes every authenticator and code of an account and overwrites the secrets. Step floors
    /// stay. The e-mail address needs confirmation again.
    fn remove_second_factor(&mut self, account: AccountId) -> StoreResult<()>;

    /// Returns the step floor of a secret: its last accepted time step or counter.
    fn step_floor(&mut self, fingerprint: &SecretFingerprint) -> StoreResult<Option<Step>>;
    /// Records an accepted step. That step and every older one are used.
    fn raise_floor(&mut self, fingerprint: &SecretFingerprint, step: Step) -> StoreResult<()>;
    /// Lowers a step floor that a clock ahead of time raised, but never below a step of which the
    /// store does not know whether it was accepted. Accepted steps stay recorded.
    fn lower_floor(
        &mut self,
        fingerprint: &SecretFingerprint,
        from: Step,
        to: Step,
    ) -> StoreResult<()>;
    /// Returns the newest accepted steps, and all accepted steps above the floor.
    fn accepted_steps(&mut self, fingerprint: &SecretFingerprint) -> StoreResult<Vec<Step>>;

    /// Returns an account's recovery codes, used ones included.
    fn recovery_codes(&mut self, account: AccountId) -> StoreResult<Vec<StoredRecoveryCode>>;
    fn replace_recovery_codes(
        &mut self,
        account: AccountId,
        codes: &[StoredRecoveryCode],
    ) -> StoreResult<()>;
    /// Returns the newest one-time code of an account.
    fn one_time_code(&mut self, account: AccountId) -> StoreResult<Option<StoredOneTimeCode>>;
    /// Replaces or removes the one-time code.
    fn set_one_time_code(
        &mut self,
        account: AccountId,
        code: Option<&StoredOneTimeCode>,
    ) -> StoreResult<()>;
    fn consume_one_time_code(&mut self, account: AccountId) -> StoreResult<()>;
    fn consume_recovery_code(
        &mut self,
        account: AccountId,
        code: &RecoveryHash,
        now: Timestamp,
    ) -> StoreResult<()>;

    /// Returns the failures of a bucket since `since`, including those that a clock ahead of time
    /// recorded.
    fn bucket_failures(
        &mut self,
        bucket: &BucketKey,
        since: Timestamp,
    ) -> StoreResult<Vec<ThrottleFailure>>;
    /// Adds a failure to a bucket, and removes the bucket's failures before `since`.
    fn add_failure(
        &mut self,
        bucket: &BucketKey,
        failure: ThrottleFailure,
        wrong: WrongFactor,
        from: Option<&str>,
        since: Timestamp,
    ) -> StoreResult<FailureId>;
    /// Removes the failures that were recorded before an input turned out to be right.
    fn remove_failure(
        &mut self,
        failure: FailureId,
        of_address: Option<FailureId>,
    ) -> StoreResult<()>;
    /// Removes the failures that one address caused in a bucket.
    fn remove_failures_from(&mut self, bucket: &BucketKey, from: &str) -> StoreResult<()>;
    /// Sets failures in the future, which a clock ahead of time recorded, to `now`: those of this
    /// bucket and of this address.
    fn clamp_future_failures(
        &mut self,
        bucket: &BucketKey,
        from: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<()>;
    fn is_bucket_locked(&mut self, bucket: &BucketKey) -> StoreResult<bool>;
    fn lock_bucket(&mut self, bucket: &BucketKey, now: Timestamp) -> StoreResult<()>;
    /// Removes a bucket's lock and failures.
    fn unlock_bucket(&mut self, bucket: &BucketKey) -> StoreResult<()>;
    /// Removes every lock and failure of an account.
    fn unlock_account(&mut self, account: AccountId) -> StoreResult<()>;
    /// Returns the wrong codes of an account in all buckets after `since`. Wrong passwords do not
    /// count.
    fn missed_inputs(
        &mut self,
        account: AccountId,
        since: Timestamp,
    ) -> StoreResult<Option<MissedInputs>>;

    /// Returns how many other SSH keys failed since `since`, for the same owner and phase; counts
    /// to `most`.
    fn count_other_failed_keys(
        &mut self,
        bucket: &BucketKey,
        most: u32,
        since: Timestamp,
    ) -> StoreResult<u32>;

    /// Returns when an address failed since `since`, over all accounts: newest first, at most a
    /// thousand.
    fn address_failures(&mut self, from: &str, since: Timestamp) -> StoreResult<Vec<Timestamp>>;
    /// Adds a failure of an address, unless `limit` of them are stored since `since`: one more
    /// would not change the result. Removes those of the address up to `since`, and a few of other
    /// addresses.
    fn add_address_failure(
        &mut self,
        from: &str,
        at: Timestamp,
        since: Timestamp,
        limit: u32,
    ) -> StoreResult<Option<FailureId>>;

    /// Returns whether access was granted to the account from an address between `since` and
    /// `until`.
    fn is_familiar(
        &mut self,
        account: AccountId,
        from: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> StoreResult<bool>;
    /// Records access from an address to a service. Removes the account's addresses before `since`.
    fn record_familiar_address(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
        now: Timestamp,
        since: Timestamp,
    ) -> StoreResult<()>;
    /// Records that this access was granted by a code, which starts the grace period.
    fn record_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
        now: Timestamp,
    ) -> StoreResult<()>;
    /// Returns when a code last granted access there, unless the grace period was ended since.
    fn last_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
    ) -> StoreResult<Option<Timestamp>>;
    /// Ends an account's grace periods everywhere. Returns whether there were any.
    fn end_grace_period(&mut self, account: AccountId) -> StoreResult<bool>;

    /// Removes at most `most` of each kind of expired row, and returns how many: failures and
    /// familiar addresses after 30 days, failures of addresses after `window` seconds, locks of
    /// addresses that are no longer familiar.
    ///
    /// Step floors are never removed: if the clock were set back, their codes would be valid again.
    /// Other locks stay until a recovery code, a one-time code or an administrator removes them.
    fn remove_expired_rows(&mut self, now: Timestamp, window: u64, most: u32) -> StoreResult<u64>;

    /// Commits durably. Access is granted only after this returns.
    fn commit(self: Box<Self>) -> StoreResult<()>;
}

/// Opens the configured store.
pub fn open(url: &StoreUrl) -> StoreResult<Box<dyn Store>> {
    Ok(Box::new(super::sqlite::SqliteStore::open(
        url.sqlite_path(),
    )?))
}

/// Result of [`upgrade`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpgradeResult {
    UpToDate(i64),
    Upgraded {
        from: i64,
        to: i64,
        /// Copy of the old store, in the same folder.
        backup: PathBuf,
    },
}

/// Upgrades the configured store to this program's version, in one transaction.
pub fn upgrade(url: &StoreUrl) -> StoreResult<UpgradeResult> {
    super::sqlite::SqliteStore::upgrade(url.sqlite_path())
}

/// Returns whether the store's file header names this program's version. Does not open the store.
///
/// # Errors
/// The file is missing or not trusted.
pub fn has_current_version(url: &StoreUrl) -> StoreResult<bool> {
    super::sqlite::SqliteStore::has_current_version(url.sqlite_path())
}

/// Creates a store with these data keys, shared with `group`. An existing store is an error.
pub fn create(url: &StoreUrl, group: Option<u32>, keys: &[WrappedKey]) -> StoreResult<()> {
    super::sqlite::create(url.sqlite_path(), group, keys)
}

/// Creates the empty `-wal` and `-shm` files if only the store itself was restored from a backup.
/// Only root can create files in the store's folder, but every user of the store needs these two.
///
/// # Errors
/// A file cannot be created.
pub fn make_missing_files(url: &StoreUrl) -> StoreResult<()> {
    super::sqlite::make_missing_files(url.sqlite_path())
}

pub fn exists(url: &StoreUrl) -> bool {
    url.sqlite_path().symlink_metadata().is_ok()
}

pub type StoreResult<T> = Result<T, StoreError>;

/// Error of the store. Every one of them denies access.
#[derive(Debug)]
pub enum StoreError {
    File(FileError),
    /// Another process held the store for longer than the time limit.
    Busy,
    /// Like `Busy`, with the process that holds the store.
    Held(LockHolder),
    Full,
    /// The store can be read but not written.
    ReadOnly,
    /// The process has a limit on the size of files (RLIMIT_FSIZE).
    Limited,
    Version {
        found: i64,
        known: i64,
        /// Whether this program can upgrade a store of that version.
        is_upgradable: bool,
    },
    /// The store has a schema that no release had.
    Unreleased {
        /// Version that the store names.
        found: i64,
        /// Commit that introduced the schema.
        commit: &'static str,
    },
    /// The store has this version but a different schema.
    Shape(String),
    /// A statement exceeded the time limit.
    TooLong,
    /// The file at the store's path was moved or replaced since it was opened.
    Moved,
    Damaged(String),
    /// Any other error of SQLite, as text.
    Engine(String),
}

/// Returns the word that logs give as the cause of a denial. Causes that an administrator can
/// remedy have a word of their own.
pub fn log_cause(error: &(dyn std::error::Error + 'static)) -> &'static str {
    let mut chain = std::iter::successors(Some(error), |error| error.source());
    let word = chain.find_map(|error| match error.downcast_ref() {
        Some(StoreError::Busy | StoreError::Held(_)) => Some("store-busy"),
        Some(StoreError::Full) => Some("disk-full"),
        Some(_) => Some("unavailable"),
        None => error.is::<OtherSpelling>().then_some("similar-name"),
    });
    word.unwrap_or("unavailable")
}

/// Process that holds a lock of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockHolder {
    pub pid: u32,
    /// Name of the program, if visible.
    pub name: Option<String>,
    /// Real user of the process, if visible.
    pub user: Option<String>,
    /// Whether the process is stopped: SIGSTOP, ^Z in a terminal, a debugger.
    pub is_stopped: bool,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        let user = self.user.as_ref().map(|user| format!("user {user}"));
        let state = self.is_stopped.then(|| "stopped".to_owned());
        let known: Vec<String> = [self.name.clone(), user, state]
            .into_iter()
            .flatten()
            .collect();
        match known.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", known.join(", ")),
        }
    }
}

impl From<FileError> for StoreError {
    fn from(error: FileError) -> StoreError {
        StoreError::File(error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::File(error) if error.is_missing() => {
                write!(f, "{error}; restore the store from its backup, or run postern init on a new host")
            }
            StoreError::File(error) => error.fmt(f),
            StoreError::Held(holder) => {
                write!(f, "the store stayed busy for 5 seconds: held by {holder}")?;
                match holder.is_stopped {
                    true => write!(f, "; continue it (kill -CONT {}) or end it", holder.pid),
                    false => Ok(()),
                }
            }
            StoreError::Busy => {
                f.write_str("the store stayed busy for 5 seconds; look for a stopped process that holds it")
            }
            StoreError::Full => f.write_str("the store cannot be written: the disk is full; make room"),
            StoreError::Limited => f.write_str(
                "the process runs under a limit on the size of files (RLIMIT_FSIZE, ulimit -f); remove it for this service",
            ),
            StoreError::Moved => f.write_str(
                "the store was moved or replaced while it was open; the new file is opened next",
            ),
            StoreError::ReadOnly => f.write_str(
                "the store cannot be written: make its folder, its files and the file system writable for this user",
            ),
            StoreError::Version { found, known, is_upgradable } => {
                write!(f, "the store has version {found}, this program knows version {known}; ")?;
                f.write_str(match (is_upgradable, found > known) {
                    (true, _) => "run postern upgrade as root",
                    (false, true) => "restart this program, or install the Postern that made the store or a newer one",
                    (false, false) => "install the Postern that made it",
                })
            }
            StoreError::Unreleased { found, commit } => write!(
                f,
                "the store has the schema of commit {commit}, which calls itself version {found} and was never released: \
                 it cannot be upgraded; use a build of that commit, or move the store away, run postern init and \
                 enroll everyone again"
            ),
            StoreError::Shape(what) => write!(
                f,
                "the schema of the store is not this program's: {what}; an unreleased build or another program made it: \
                 install the Postern that made it, or restore the store from its backup"
            ),
            StoreError::TooLong => f.write_str(
                "a statement exceeded the time limit of the store; the store contains unexpected data, or the disk is too slow",
            ),
            StoreError::Damaged(what) => {
                write!(f, "the store is damaged ({what}); restore it from its backup")
            }
            StoreError::Engine(message) => write!(f, "the store failed: {message}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::File(error) => Some(error),
            _ => None,
        }
    }
}
