//! Errors of the store, and the process that holds its lock. Every error denies access.
//!
//! MUST NOT expose a type of the database library.

use crate::account::name::OtherSpelling;
use crate::config::StoreUrl;
use crate::system::clock::Timestamp;
use crate::system::trusted_file::FileError;
use std::fmt;
use std::path::PathBuf;

pub type StoreResult<T> = Result<T, StoreError>;

/// Error of the store. Every one of them denies access.
#[derive(Debug)]
pub enum StoreError {
    File(FileError),
    /// Another process held the store for longer than the time limit.
    Busy,
    /// Another host changed the same thing at the same moment. The transaction is rolled back:
    /// nothing was written.
    Conflict,
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
    /// A restore failed, and so did putting the old store back: there is none, which denies all
    /// access.
    NotPutBack {
        /// Where the old store is.
        kept: PathBuf,
        error: Box<StoreError>,
    },
    /// The store was moved to another place.
    MovedTo {
        url: StoreUrl,
        at: Timestamp,
    },
    /// The store is a copy whose transfer was interrupted.
    Incomplete {
        /// Where it was copied from.
        from: StoreUrl,
    },
    /// A store is not moved to a place where something is.
    NotEmpty(String),
    Damaged(String),
    /// PostgreSQL cannot be reached, or refuses the connection.
    Unreachable {
        server: String,
        why: String,
    },
    /// The act works on the file of a store, and the store is in PostgreSQL.
    OnlySqlite,
    /// Any other error of the database, as text.
    Engine(String),
}

/// Returns the word that logs give as the cause of a denial. Causes that an administrator can
/// remedy have a word of their own.
pub fn log_cause(error: &(dyn std::error::Error + 'static)) -> &'static str {
    let mut chain = std::iter::successors(Some(error), |error| error.source());
    let word = chain.find_map(|error| match error.downcast_ref() {
        Some(StoreError::Busy | StoreError::Held(_) | StoreError::Conflict) => Some("store-busy"),
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
                f.write_str("the store stayed busy for 5 seconds; look for a stopped process that holds it, in PostgreSQL by pg_stat_activity")
            }
            StoreError::Conflict => {
                f.write_str("another host changed the same thing at the same moment; try again")
            }
            StoreError::Full => f.write_str("the store cannot be written: the disk is full; make room"),
            StoreError::Limited => f.write_str(
                "the process runs under a limit on the size of files (RLIMIT_FSIZE, ulimit -f); remove it for this service",
            ),
            StoreError::Moved => f.write_str(
                "the store was moved or replaced while it was open; the new file is opened next",
            ),
            StoreError::NotPutBack { kept, error } => write!(
                f,
                "{error}; the earlier store could not be put back: it is {}, and nothing is in its place, so all access \
                 is denied; restore again",
                kept.display()
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
            StoreError::MovedTo { url, at } => write!(
                f,
                "the store was moved to {url} at {at}; set store.url in postern.toml to that place and restart posternd \
                 and postern-gate; to move it back, run postern migrate-store there"
            ),
            StoreError::Incomplete { from } => write!(
                f,
                "the store is not complete: its transfer from {from} was interrupted; run postern migrate-store again \
                 where store.url is {from}"
            ),
            StoreError::NotEmpty(what) => {
                write!(f, "{what}; a store is moved to an empty place only; nothing was changed")
            }
            StoreError::Damaged(what) => {
                write!(f, "the store is damaged ({what}); restore it from its backup")
            }
            StoreError::Unreachable { server, why } => write!(
                f,
                "the store at {server} cannot be reached: {why}; compare [store] in postern.toml with the server's \
                 pg_hba.conf and log"
            ),
            StoreError::OnlySqlite => f.write_str(
                "the store is in PostgreSQL, and backup and restore are for a store in a file; use pg_dump, pg_basebackup or an \
                 archive of its WAL, or move the store to a file with postern migrate-store; nothing was changed",
            ),
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
