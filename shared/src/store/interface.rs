//! Interface of the store: what is kept, and the transaction in which it is read and changed.

use super::accounts::AccountStore;
use super::app_passwords::AppPasswordStore;
use super::events::EventStore;
use super::keys::KeyStore;
use super::login_tokens::LoginTokenStore;
use super::mail::MailStore;
use super::notifications::NotificationStore;
use super::sessions::SessionStore;
use crate::account::name::{Label, OtherSpelling};
use crate::account::record::AccountId;
use crate::config::StoreUrl;
use crate::credential::totp::{OtpParameters, Step};
use crate::crypto::vault::{RecoveryHash, SecretFingerprint, WrappedKey};
use crate::system::admission::Class;
use crate::system::clock::Timestamp;
use crate::system::trusted_file::FileError;
use crate::verify::account::{StoredOneTimeCode, StoredRecoveryCode};
use crate::verify::throttle::{Phase, ThrottleFailure, WrongFactor};
use crate::verify::throttle_scope::ThrottleScope;
use std::fmt;
use std::path::PathBuf;

/// A failure that may be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureId(pub(crate) i64);

/// What is kept of an authenticator.
pub struct AuthenticatorRecord {
    /// Its number; the store gives it.
    pub number: i64,
    /// What the person calls it; no other of the account's has that name.
    pub name: Label,
    /// Algorithm, digits, time or counter.
    pub parameters: OtpParameters,
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// Since when it is live.
    pub created: Timestamp,
}

/// Whose guesses a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BucketOwner {
    /// An account.
    Account(AccountId),
    /// Names without an account, spread over a fixed number of rows.
    UnknownName(u16),
}

/// Names one row of guesses: account × stage × place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketKey {
    /// Whose.
    pub owner: BucketOwner,
    /// Before or after the first factor.
    pub phase: Phase,
    /// From where.
    pub scope: ThrottleScope,
}

/// Wrong codes since the last sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedInputs {
    /// How many.
    pub count: u64,
    /// Where the last one came from: an address, or `-`.
    pub last_from: String,
}

/// Whether a transaction will write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// No.
    Read,
    /// Yes: it waits its turn at the start, for a bounded time, and never has to be repeated.
    Write,
    /// Yes, and it is short, as a sign-in is: it may share its commit with others.
    Attempt,
}

/// A store.
pub trait Store: Send {
    /// Begins a transaction. Dropping it leaves nothing.
    fn begin(&mut self, intent: Intent) -> Result<Box<dyn Transaction + '_>, StoreError>;

    /// Sets the class of the writes that follow: a better class writes first, up to a limit that keeps others from starving.
    fn set_write_class(&mut self, class: Class);

    /// Whether nothing can be written, because the disk took nothing when the store was opened.
    fn is_read_only(&self) -> bool;

    /// Makes sure that nothing that was overwritten or removed is left in the journal. Waits for every transaction that
    /// still sees what was there.
    fn truncate_wal(&mut self) -> Result<(), StoreError>;
}

/// What can be read and changed in one transaction.
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
    /// The wrapped data keys.
    fn data_keys(&mut self) -> Result<Vec<WrappedKey>, StoreError>;

    /// An account's live authenticators, oldest first.
    fn authenticators(
        &mut self,
        account: AccountId,
    ) -> Result<Vec<AuthenticatorRecord>, StoreError>;
    /// A new live authenticator.
    fn add_authenticator(
        &mut self,
        account: AccountId,
        authenticator: &AuthenticatorRecord,
    ) -> Result<(), StoreError>;
    /// Keeps another sealing of the same secret.
    fn reseal_authenticator(&mut self, number: i64, sealed: &[u8]) -> Result<(), StoreError>;
    /// Removes one authenticator and overwrites its secret; its floor stays.
    fn remove_authenticator(&mut self, number: i64) -> Result<(), StoreError>;
    /// Removes every authenticator and code of an account and overwrites the secrets; floors stay, and its address is to be
    /// confirmed anew.
    fn remove_second_factor(&mut self, account: AccountId) -> Result<(), StoreError>;

    /// The last accepted step under a fingerprint.
    fn step_floor(&mut self, fingerprint: &SecretFingerprint) -> Result<Option<Step>, StoreError>;
    /// A step was accepted: it and every older one are used.
    fn raise_floor(
        &mut self,
        fingerprint: &SecretFingerprint,
        step: Step,
    ) -> Result<(), StoreError>;
    /// Lowers a floor that a clock that ran ahead has raised: not below a step of which it is not known whether it was
    /// accepted. What was accepted stays marked.
    fn lower_floor(
        &mut self,
        fingerprint: &SecretFingerprint,
        from: Step,
        to: Step,
    ) -> Result<(), StoreError>;
    /// The newest accepted steps, and all that lie above the floor.
    fn accepted_steps(&mut self, fingerprint: &SecretFingerprint) -> Result<Vec<Step>, StoreError>;

    /// An account's recovery codes, used ones too.
    fn recovery_codes(&mut self, account: AccountId)
    -> Result<Vec<StoredRecoveryCode>, StoreError>;
    /// A new set of recovery codes, in place of the old one.
    fn replace_recovery_codes(
        &mut self,
        account: AccountId,
        codes: &[StoredRecoveryCode],
    ) -> Result<(), StoreError>;
    /// The newest one-time code of an account.
    fn one_time_code(
        &mut self,
        account: AccountId,
    ) -> Result<Option<StoredOneTimeCode>, StoreError>;
    /// Sets it, in place of an older one, or removes it.
    fn set_one_time_code(
        &mut self,
        account: AccountId,
        code: Option<&StoredOneTimeCode>,
    ) -> Result<(), StoreError>;
    /// Marks it as used.
    fn consume_one_time_code(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// Marks a recovery code as used.
    fn consume_recovery_code(
        &mut self,
        account: AccountId,
        code: &RecoveryHash,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The failures of a row since `since`, those of a clock that ran ahead included.
    fn bucket_failures(
        &mut self,
        row: &BucketKey,
        since: Timestamp,
    ) -> Result<Vec<ThrottleFailure>, StoreError>;
    /// Adds a failure, and forgets those of the row before `since`.
    fn add_failure(
        &mut self,
        row: &BucketKey,
        failure: ThrottleFailure,
        wrong: WrongFactor,
        from: Option<&str>,
        since: Timestamp,
    ) -> Result<FailureId, StoreError>;
    /// Takes back what was charged for an answer that turned out to be right.
    fn remove_failure(
        &mut self,
        failure: FailureId,
        of_address: Option<FailureId>,
    ) -> Result<(), StoreError>;
    /// Forgets what one address put in a row.
    fn remove_failures_from(&mut self, row: &BucketKey, from: &str) -> Result<(), StoreError>;
    /// Brings failures from the future, of a clock that ran ahead, back to `now`: of this row and this address.
    fn clamp_future_failures(
        &mut self,
        row: &BucketKey,
        from: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Whether a row is locked.
    fn is_bucket_locked(&mut self, row: &BucketKey) -> Result<bool, StoreError>;
    /// Locks a row.
    fn lock_bucket(&mut self, row: &BucketKey, now: Timestamp) -> Result<(), StoreError>;
    /// Opens a row's lock and forgets its failures.
    fn unlock_bucket(&mut self, row: &BucketKey) -> Result<(), StoreError>;
    /// Opens every lock of an account and forgets all its failures.
    fn unlock_account(&mut self, account: AccountId) -> Result<(), StoreError>;
    /// Wrong codes of an account in all rows after `since`; wrong passwords are none.
    fn missed_inputs(
        &mut self,
        account: AccountId,
        since: Timestamp,
    ) -> Result<Option<MissedInputs>, StoreError>;

    /// Of the same owner and stage, how many other keys have failed since `since`; counts to `most`.
    fn count_other_failed_keys(
        &mut self,
        row: &BucketKey,
        most: u32,
        since: Timestamp,
    ) -> Result<u32, StoreError>;

    /// When an address failed, over all accounts, since `since`; newest first, at most a thousand.
    fn address_failures(
        &mut self,
        from: &str,
        since: Timestamp,
    ) -> Result<Vec<Timestamp>, StoreError>;
    /// Adds a failure of an address, unless `limit` of them are kept already since `since`: more would say nothing more.
    /// Forgets those of the address up to `since`, and a few of others.
    fn add_address_failure(
        &mut self,
        from: &str,
        at: Timestamp,
        since: Timestamp,
        limit: u32,
    ) -> Result<Option<FailureId>, StoreError>;

    /// Whether access was granted to the account from an address between `since` and `until`.
    fn is_familiar(
        &mut self,
        account: AccountId,
        from: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
    /// The account got in from an address at a door; forgets its addresses before `since`.
    fn record_familiar_address(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<(), StoreError>;
    /// It did so by a code: from now on grace counts there.
    fn record_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// When a code opened there last, unless something ended that since.
    fn last_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
    ) -> Result<Option<Timestamp>, StoreError>;
    /// Ends an account's grace everywhere; whether it had any.
    fn end_grace_period(&mut self, account: AccountId) -> Result<bool, StoreError>;

    /// Removes what is too old to count: failures and familiar addresses after 30 days, failures of addresses after
    /// `window` seconds, locks of addresses that are familiar no longer; at most `most` of each. How many rows that were.
    ///
    /// Floors are never removed: however old one is, a clock that is set back would open its codes again. Neither are other
    /// locks, which only a recovery code, a one-time code or an administrator opens.
    fn remove_expired_rows(
        &mut self,
        now: Timestamp,
        window: u64,
        most: u32,
    ) -> Result<u64, StoreError>;

    /// Makes everything durable. Whatever opens a door waits for this.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Opens the store that the configuration names.
pub fn open(url: &StoreUrl) -> Result<Box<dyn Store>, StoreError> {
    Ok(Box::new(super::sqlite::SqliteStore::open(
        url.sqlite_path(),
    )?))
}

/// What an upgrade came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpgradeResult {
    /// The store has this program's version already.
    UpToDate(i64),
    /// It has it now.
    Upgraded {
        /// The version that it had.
        from: i64,
        /// This program's.
        to: i64,
        /// A copy of the store as it was, beside it.
        backup: PathBuf,
    },
}

/// Takes the store that the configuration names to this program's version, whole or not at all.
pub fn upgrade(url: &StoreUrl) -> Result<UpgradeResult, StoreError> {
    super::sqlite::SqliteStore::upgrade(url.sqlite_path())
}

/// Whether the store's file says that it has this program's version already. No engine reads it for that.
///
/// # Errors
/// Those of a file in doubt.
pub fn has_current_version(url: &StoreUrl) -> Result<bool, StoreError> {
    super::sqlite::SqliteStore::says_this_version(url.sqlite_path())
}

/// Makes a new store that holds these data keys, for `group` to share. Refuses if there is one.
pub fn create(url: &StoreUrl, group: Option<u32>, keys: &[WrappedKey]) -> Result<(), StoreError> {
    super::sqlite::SqliteStore::create(url.sqlite_path(), group, keys)
}

/// Makes empty files beside a store of which only the store itself was put back from a backup. For root, whose folder it is:
/// whoever else opens the store needs them there.
///
/// # Errors
/// Those of making a file.
pub fn make_missing_files(url: &StoreUrl) -> Result<(), StoreError> {
    super::sqlite::SqliteStore::make_missing_files(url.sqlite_path())
}

/// Whether the store exists.
pub fn exists(url: &StoreUrl) -> bool {
    url.sqlite_path().symlink_metadata().is_ok()
}

/// Why the store did not do what it was asked. All of these close every door.
#[derive(Debug)]
pub enum StoreError {
    /// A file of the store cannot be opened, or may not be trusted.
    File(FileError),
    /// Another process held the store for longer than the time limit.
    Busy,
    /// The same, and it is known which.
    Held(LockHolder),
    /// The disk is full.
    Full,
    /// The store can be read but not written.
    ReadOnly,
    /// The process was started with a limit on what it may write.
    Limited,
    /// A store of another version of Postern.
    Version {
        /// What the store says.
        found: i64,
        /// What this program knows.
        known: i64,
        /// Whether there is a way from that one to this one.
        is_upgradable: bool,
    },
    /// A store of a shape that no release had.
    Unreleased {
        /// The version that it says.
        found: i64,
        /// The commit that made it.
        commit: &'static str,
    },
    /// A store of this version, and of another shape.
    Shape(String),
    /// The engine was at work for longer than the time limit.
    TooLong,
    /// Another file stands at its path, or none, since it was opened.
    Moved,
    /// Something in the store is not as it was written.
    Damaged(String),
    /// What the engine says.
    Engine(String),
}

/// The word in logs for why nobody can be let in: what an administrator would look for has a word of its own.
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

/// A process that holds the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockHolder {
    /// Its number.
    pub pid: u32,
    /// What it runs, if that can be seen.
    pub name: Option<String>,
    /// Who runs it (the real user), if that can be seen.
    pub user: Option<String>,
    /// Whether it is stopped (SIGSTOP, a terminal's ^Z, a debugger).
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
