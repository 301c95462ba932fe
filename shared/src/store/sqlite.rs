//! The embedded store: SQLite in WAL mode, every commit durable (synchronous=FULL), one IMMEDIATE transaction
//! per attempt, a bounded wait.
//!
//! MUST NOT follow a link, trust the schema, or open a version it does not know.
//! MUST NOT make a store by opening one.

mod accounts;
mod app_passwords;
mod events;
mod keys;
mod login_tickets;
mod mail;
mod notices;
mod place;
mod rows;
mod sessions;
mod statements;

use super::{Intent, Store, StoreError, Transaction, location};
use crate::files::{self, FileError};
use crate::vault::WrappedKey;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use place::Place;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use statements::Statements;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

const SCHEMA: &str = include_str!("schema.sql");
/// `user_version`: raised with every change of the schema.
const VERSION: i64 = 3;
/// `application_id`, so that file(1) and a wrong path are told apart: "Post".
const APPLICATION: i64 = 0x506f_7374;
/// How long another process's write is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pages in the WAL before a commit folds it into the store: small, since each login that finds no other
/// connection open reads it once.
const CHECKPOINT_PAGES: i64 = 200;

pub(super) struct Sqlite {
    connection: Connection,
    place: Place,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Sqlite, StoreError> {
        limits()?;
        let path = location::trusted(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        harden(&connection)?;
        let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if application != APPLICATION {
            return Err(StoreError::Damaged("it is no store of Postern's".to_owned()));
        }
        if found != VERSION {
            return Err(StoreError::Version { found, known: VERSION });
        }
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        if mode != "wal" {
            // a backup that VACUUM INTO made
            connection.pragma_update(None, "journal_mode", "WAL")?;
        }
        Ok(Sqlite { connection, place: Place::of(&path)? })
    }

    /// Made in a folder of its own beside the store's, where nobody else can plant anything, and moved when
    /// whole: a cut-off leaves no half store.
    pub(super) fn create(path: &Path, group: Option<u32>, keys: &[WrappedKey]) -> Result<(), StoreError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        location::prepare(folder, group)?;
        let mut name = folder.as_os_str().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let aside = Path::new(&name);
        let io = |error| StoreError::File(FileError::io(aside, error));
        std::fs::DirBuilder::new().mode(0o700).create(aside).map_err(io)?;
        let new = aside.join("store");
        let made = Self::fill(&new, keys).and_then(|()| {
            std::os::unix::fs::chown(&new, None, group).map_err(io)?;
            std::fs::set_permissions(&new, PermissionsExt::from_mode(0o660)).map_err(io)?;
            // never in place of a store that appeared meanwhile
            renameat2(AT_FDCWD, &new, AT_FDCWD, path, RenameFlags::RENAME_NOREPLACE)
                .map_err(|errno| StoreError::File(FileError::io(path, errno.into())))?;
            files::sync_folder(path).map_err(io)
        });
        // best effort: the error that matters is the first one
        let _ = std::fs::remove_dir_all(aside);
        made
    }

    fn fill(path: &Path, keys: &[WrappedKey]) -> Result<(), StoreError> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let statements = format!(
            "BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        );
        connection.execute_batch(&statements)?;
        for key in keys {
            connection.execute(
                "INSERT INTO data_key (purpose, master, wrapped) VALUES (?1, ?2, ?3)",
                (&key.purpose, &key.master[..], &key.wrapped),
            )?;
        }
        // closing the only connection folds the WAL in and removes it
        connection.close().map_err(|(_, error)| error.into())
    }
}

/// A process may be started with a limit on the size of files. Then a right answer might fit and a wrong one not.
fn limits() -> Result<(), StoreError> {
    match getrlimit(Resource::RLIMIT_FSIZE) {
        Ok((RLIM_INFINITY, _)) => Ok(()),
        _ => Err(StoreError::Limited),
    }
}

fn harden(connection: &Connection) -> Result<(), StoreError> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        // a login that happens to be the only connection must not pay for folding the WAL
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    ] {
        connection.set_db_config(setting, on)?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    Ok(())
}

impl Store for Sqlite {
    fn begin(&mut self, intent: Intent) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let behavior = match intent {
            Intent::Read => TransactionBehavior::Deferred,
            Intent::Write => TransactionBehavior::Immediate,
        };
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        // after its beginning: from now on it stays with what it has
        self.place.is_the_same()?;
        Ok(Box::new(rows::Rows(Statements::of(transaction, intent))))
    }

    fn scrub(&mut self) -> Result<(), StoreError> {
        let busy: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 { Ok(()) } else { Err(StoreError::Busy) }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                StoreError::ReadOnly
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged(error.to_string())
            }
            _ => StoreError::Engine(error.to_string()),
        }
    }
}
