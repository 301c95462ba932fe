//! The embedded store: SQLite in WAL mode, every commit durable (synchronous=FULL), one IMMEDIATE transaction per act or for
//! the attempts that share its commit, a bounded wait.
//!
//! MUST NOT follow a link, trust the schema, or open a version it does not know.
//! MUST NOT make a store by opening one.

mod accounts;
mod app_passwords;
mod checkpoint;
mod events;
mod handle;
mod header;
mod keys;
mod lock_holder;
mod login_tokens;
mod mail;
mod migration;
mod notifications;
mod rows;
mod schema_check;
mod sessions;
mod shared_transaction;
mod statements;
mod stop_signals;
mod throttle_scope;
mod wal_end;
mod write_lock;
mod write_queue;

use super::{Intent, Store, StoreError, Transaction, Upgraded, location};
use crate::crypto::vault::WrappedKey;
use crate::system::admission::Class;
use crate::system::trusted_file::{self, FileError, Folder};
use handle::Handle;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use shared_transaction::SharedTransaction;
use statements::Statements;
use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use stop_signals::StopsBlocked;
use throttle_scope::DatabasePath;
use wal_end::WalEnd;
use write_lock::PATIENCE;
use write_queue::WriteQueue;

const SCHEMA: &str = include_str!("schema.sql");
/// `user_version`: raised with every change of the schema.
const VERSION: i64 = 5;
/// `application_id`, so that file(1) and a wrong path are told apart: "Post".
const APPLICATION: i64 = 0x506f_7374;

/// How long the engine may work on a transaction that writes, and that others wait for; and on one that reads.
const WRITING: Duration = Duration::from_secs(10);
const READING: Duration = Duration::from_secs(30);
/// How long it may work on what no transaction waits for.
const SCRUBBING: Duration = Duration::from_secs(300);
/// How long it is tried to empty the journal while others hold it.
const SCRUB_PATIENCE: Duration = Duration::from_secs(20);
/// Instructions of the engine between two looks at the clock: some milliseconds at most.
const INSTRUCTIONS: i32 = 10_000;
/// The largest value and the longest statement, in bytes.
const LONGEST_VALUE: i32 = 1024 * 1024;
const LONGEST_STATEMENT: i32 = 64 * 1024;
/// Statements that a connection keeps prepared: more than a login runs, so that a daemon prepares none anew.
const PREPARED: usize = 64;

/// Pages that a connection keeps, in KiB: more than an act reads. A daemon has several connections.
const CACHED_KIB: i64 = 512;

pub(super) struct Sqlite {
    /// Here between two transactions.
    handle: Option<Handle>,
    place: DatabasePath,
    writers: Arc<WriteQueue>,
    /// What whoever it works for has proven.
    class: Class,
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Sqlite, StoreError> {
        limits()?;
        // whoever makes the WAL's index ready holds up all the others
        let _blocked = StopsBlocked::new();
        let path = location::trusted(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|error| out_of_files(&path).unwrap_or(error.into()))?;
        match Sqlite::check(&connection) {
            Ok(deadline) => {
                let place = DatabasePath::of(&path)?;
                let writers = WriteQueue::of(place.file());
                let handle = Some(Handle {
                    connection,
                    deadline,
                    tail: WalEnd::of(&path),
                });
                Ok(Sqlite {
                    handle,
                    place,
                    writers,
                    class: Class::Known,
                })
            }
            // whoever is stopped while it makes the WAL's index ready holds up already whoever opens the store
            Err(StoreError::Busy) => Err(lock_holder::held(&path)),
            Err(error) => Err(out_of_files(&path).unwrap_or(error)),
        }
    }

    /// Prepares a connection, and refuses what is no store of this program's.
    fn check(connection: &Connection) -> Result<Deadline, StoreError> {
        connection.busy_handler(Some(write_lock::wait))?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        let deadline = Deadline::of(connection)?;
        deadline.is_in(READING);
        harden(connection)?;
        let application: i64 =
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let found = version_of(connection)?;
        if application != APPLICATION {
            return Err(StoreError::Damaged(
                "it is not a store of Postern".to_owned(),
            ));
        }
        if found != VERSION {
            return Err(migration::refusal(connection, found));
        }
        schema_check::check(connection)?;
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        if mode != "wal" {
            // A backup that VACUUM INTO made. The two bytes that change lie in one sector, and a journal in a file is one
            // that only root can make.
            connection.pragma_update(None, "journal_mode", "MEMORY")?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
        }
        Ok(deadline)
    }

    /// Makes what is missing beside a store, for the store's group: a backup is one file. Where a folder or the store itself
    /// is missing or in doubt, opening says so.
    pub(super) fn make_missing_files(path: &Path) -> Result<(), StoreError> {
        let Ok(folder) = Folder::open(path.parent().unwrap_or(Path::new("/"))) else {
            return Ok(());
        };
        let path = folder.path().join(path.file_name().unwrap_or_default());
        let Some(store) = folder.look(path.file_name().unwrap_or_default())? else {
            return Ok(());
        };
        for suffix in location::BESIDE {
            let beside = location::with_suffix(&path, suffix);
            let name = beside.file_name().unwrap_or_default();
            if folder.look(name)?.is_some() {
                continue;
            }
            match empty(&beside, Some(store.st_gid)) {
                // another command was first
                Err(_) if folder.look(name)?.is_some() => {}
                made => made?,
            }
            // the engine syncs no folder
            trusted_file::sync_folder(&beside).map_err(|error| FileError::io(&beside, error))?;
        }
        Ok(())
    }

    /// Whether the store's file says that it has this program's version already.
    pub(super) fn says_this_version(path: &Path) -> Result<bool, StoreError> {
        Ok(header::says_version(path, APPLICATION, VERSION)?)
    }

    /// Takes the store to this program's version.
    pub(super) fn upgrade(path: &Path) -> Result<Upgraded, StoreError> {
        let _blocked = StopsBlocked::new();
        migration::upgrade(path).map_err(|error| match error {
            // what else the engine says where it cannot open one more file
            StoreError::ReadOnly => out_of_files(path).unwrap_or(error),
            error => error,
        })
    }

    /// Makes the store under another name in its folder, and renames it when it is whole: a cut-off leaves no half
    /// store, and what it leaves the next one removes.
    pub(super) fn create(
        path: &Path,
        group: Option<u32>,
        keys: &[WrappedKey],
    ) -> Result<(), StoreError> {
        let folder = location::prepare(path.parent().unwrap_or(Path::new("/")), group)?;
        let path = folder.path().join(path.file_name().unwrap_or_default());
        if folder.look(path.file_name().unwrap_or_default())?.is_some() {
            return Err(FileError::io(&path, std::io::ErrorKind::AlreadyExists.into()).into());
        }
        trusted_file::remove_abandoned(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
        let mut made: Vec<PathBuf> = ["", "-journal", "-wal", "-shm"]
            .iter()
            .map(|suffix| location::with_suffix(&new, suffix))
            .collect();
        let io = |error| StoreError::File(FileError::io(&path, error));
        let make = |made: &mut Vec<PathBuf>| -> Result<(), StoreError> {
            empty(&new, None)?;
            Self::fill(&new, keys)?;
            share(&new, group).map_err(io)?;
            for suffix in location::BESIDE {
                let beside = location::with_suffix(&path, suffix);
                if is_left(&folder, &beside, group)? {
                    continue;
                }
                empty(&beside, group)?;
                made.push(beside);
            }
            // never in place of a store that appeared meanwhile
            renameat2(
                AT_FDCWD,
                &new,
                AT_FDCWD,
                &path,
                RenameFlags::RENAME_NOREPLACE,
            )
            .map_err(|errno| StoreError::File(FileError::io(&path, errno.into())))?;
            // whole from now on
            made.truncate(4);
            trusted_file::sync_folder(&path).map_err(io)
        };
        let result = make(&mut made);
        for file in made {
            // best effort: the error that matters is the first one
            let _ = std::fs::remove_file(file);
        }
        result
    }

    fn fill(path: &Path, keys: &[WrappedKey]) -> Result<(), StoreError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
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

/// Opens a file to the group, and to nobody else.
fn share(path: &Path, group: Option<u32>) -> std::io::Result<()> {
    chown(path, None, group)?;
    std::fs::set_permissions(path, Permissions::from_mode(location::FILE))
}

/// Makes an empty file that only the group shares. Nothing is there.
fn empty(path: &Path, group: Option<u32>) -> Result<(), StoreError> {
    let make = || -> std::io::Result<()> {
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        share(path, group)?;
        file.sync_all()
    };
    Ok(make().map_err(|error| FileError::io(path, error))?)
}

/// Whether a file beside the store is there already. One that holds something belongs to a store that is gone: its
/// content would be taken for this one's.
fn is_left(folder: &Folder, beside: &Path, group: Option<u32>) -> Result<bool, StoreError> {
    match folder.look(beside.file_name().unwrap_or_default())? {
        None => Ok(false),
        Some(stat) if stat.st_size == 0 => {
            share(beside, group).map_err(|error| FileError::io(beside, error))?;
            Ok(true)
        }
        Some(_) => Err(FileError::left_over(beside).into()),
    }
}

/// SQLite says of a process without file descriptors that the store cannot be opened.
fn out_of_files(path: &Path) -> Option<StoreError> {
    // as many as the engine opens at once, and never the store's: to close one of those would give up the locks of this
    // process's other connections
    let open: Result<Vec<File>, _> = (0..3).map(|_| File::open("/")).collect();
    Some(FileError::io(path, open.err()?).into())
}

/// When the engine has to give up what it works on.
struct Deadline {
    began: Instant,
    /// Milliseconds since then.
    ends: Arc<AtomicU64>,
}

impl Deadline {
    fn of(connection: &Connection) -> Result<Deadline, StoreError> {
        let deadline = Deadline {
            began: Instant::now(),
            ends: Arc::new(AtomicU64::new(u64::MAX)),
        };
        let (began, ends) = (deadline.began, Arc::clone(&deadline.ends));
        let is_over =
            move || began.elapsed().as_millis() > u128::from(ends.load(Ordering::Relaxed));
        connection.progress_handler(INSTRUCTIONS, Some(is_over))?;
        Ok(deadline)
    }

    fn is_in(&self, patience: Duration) {
        let ends = (self.began.elapsed() + patience).as_millis();
        self.ends
            .store(u64::try_from(ends).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

fn harden(connection: &Connection) -> Result<(), StoreError> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        // else each statement that could be planned otherwise for other values is prepared anew with each
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        // a login that happens to be the only connection must not pay for folding the WAL
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    ] {
        connection.set_db_config(setting, on)?;
    }
    // before the schema is read, which whoever can write the store may have made
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, LONGEST_STATEMENT),
        (Limit::SQLITE_LIMIT_COLUMN, 64),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 64),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 8),
        (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 8),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 64),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, most)?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -CACHED_KIB)?;
    // checkpoint::before_write does it
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", checkpoint::KEPT)?;
    Ok(())
}

/// The version that the store has now.
fn version_of(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))?)
}

impl Sqlite {
    /// The connection; none after a transaction that failed in a way that closed it.
    fn handle(&self) -> Result<&Handle, StoreError> {
        let given_up = || {
            StoreError::Engine(
                "its connection was closed, since it could not be rolled back".to_owned(),
            )
        };
        self.handle.as_ref().ok_or_else(given_up)
    }

    fn begin_reading(
        &mut self,
        blocked: StopsBlocked,
    ) -> Result<SharedTransaction<'_>, StoreError> {
        self.handle()?;
        let Sqlite { handle, place, .. } = self;
        let running = SharedTransaction::at_home(handle, None, blocked);
        running.handle().deadline.is_in(READING);
        begin(running, "BEGIN", place)
    }

    /// Goes on with the transaction that others of this process share, or begins one.
    fn begin_writing(
        &mut self,
        shares: bool,
        blocked: StopsBlocked,
    ) -> Result<SharedTransaction<'_>, StoreError> {
        self.handle()?;
        let Sqlite {
            handle,
            place,
            writers,
            class,
        } = self;
        let Some((turn, handed_on)) = writers.enter(*class, shares) else {
            return Err(place.held(StoreError::Busy));
        };
        if let Some(handed_on) = handed_on {
            write_lock::is_over();
            handed_on.deadline.is_in(WRITING);
            return Ok(SharedTransaction::joined(handed_on, handle, turn, blocked)?);
        }
        let running = SharedTransaction::at_home(handle, Some(turn), blocked);
        let Handle {
            connection,
            deadline,
            tail,
        } = running.handle();
        // its turn is waited for by another limit
        deadline.is_in(PATIENCE + WRITING);
        tail.is_sure(connection)?;
        checkpoint::before_write(connection);
        let mut running = begin(running, "BEGIN IMMEDIATE", place)?;
        running.handle().deadline.is_in(WRITING);
        running.has_begun();
        Ok(running)
    }
}

/// Begins a transaction on the connection that is at home.
fn begin<'a>(
    running: SharedTransaction<'a>,
    how: &str,
    place: &DatabasePath,
) -> Result<SharedTransaction<'a>, StoreError> {
    let begun = begun(running.handle(), how, place);
    write_lock::is_over();
    match begun {
        Ok(()) => Ok(running),
        Err(error) => {
            // whoever holds the store is looked up while nobody waits for this one
            drop(running);
            Err(place.held(error))
        }
    }
}

fn begun(handle: &Handle, how: &str, place: &DatabasePath) -> Result<(), StoreError> {
    handle.run(how)?;
    // what a transaction that reads sees is fixed by this, not by its beginning; and no statement of this version runs on a
    // store that was upgraded under its feet
    let found = version_of(&handle.connection)?;
    if found != VERSION {
        return Err(migration::refusal(&handle.connection, found));
    }
    // after its beginning: from now on it stays with what it has
    place.is_the_same()
}

impl Store for Sqlite {
    fn begin(&mut self, intent: Intent) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let blocked = StopsBlocked::new();
        let running = match intent {
            Intent::Read => self.begin_reading(blocked)?,
            Intent::Write => self.begin_writing(false, blocked)?,
            Intent::Attempt => self.begin_writing(true, blocked)?,
        };
        Ok(Box::new(rows::Rows(Statements::of(running, intent))))
    }

    fn serve(&mut self, class: Class) {
        self.class = class;
    }

    fn is_read_only(&self) -> bool {
        self.handle().map_or(true, |handle| {
            handle.connection.is_readonly("main").unwrap_or(true)
        })
    }

    fn scrub(&mut self) -> Result<(), StoreError> {
        let _blocked = StopsBlocked::new();
        let Handle {
            connection,
            deadline,
            tail,
        } = self.handle()?;
        deadline.is_in(SCRUBBING);
        tail.is_sure(connection)?;
        // another process that does the same is not waited for by the engine: it says at once that it is busy
        let began = Instant::now();
        while began.elapsed() < SCRUB_PATIENCE {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy = connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .map_err(StoreError::from);
            match busy {
                Ok(0) => return Ok(()),
                Ok(_) | Err(StoreError::Busy) => write_lock::pause(),
                Err(error) => return Err(error),
            }
        }
        Err(self.place.held(StoreError::Busy))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            // the last is said where another process recovers the WAL for too long
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed,
            ) => StoreError::Busy,
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::OperationInterrupted) => StoreError::TooLong,
            Some(ErrorCode::TooBig) => {
                StoreError::Damaged("it holds a value that is too long".to_owned())
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a table holds, the engine gives up at its time limit.
    #[test]
    fn a_statement_without_end_is_stopped_at_the_deadline() {
        let connection = Connection::open_in_memory().unwrap();
        let deadline = Deadline::of(&connection).unwrap();
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        deadline.is_in(Duration::from_millis(50));
        let began = Instant::now();
        let stopped = connection
            .query_row(endless, [], |row| row.get::<_, i64>(0))
            .unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(matches!(StoreError::from(stopped), StoreError::TooLong));
        deadline.is_in(Duration::from_secs(60));
        connection
            .query_row("SELECT 1", [], |row| row.get::<_, i64>(0))
            .unwrap();
    }

    /// Virtual tables of text search, spatial search and the like are not there at all; nothing is loaded from elsewhere.
    #[test]
    fn only_the_features_that_are_used_are_compiled_in() {
        let connection = Connection::open_in_memory().unwrap();
        let mut statement = connection.prepare("PRAGMA compile_options").unwrap();
        let options = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap();
        let options: Vec<String> = options.collect::<rusqlite::Result<_>>().unwrap();
        let has = |wanted: &str| options.iter().any(|option| option.starts_with(wanted));
        for unused in [
            "ENABLE_FTS",
            "ENABLE_RTREE",
            "ENABLE_DBSTAT",
            "ENABLE_LOAD_EXTENSION",
            "SOUNDEX",
            "USE_URI",
        ] {
            assert!(
                !has(unused),
                "{unused}: build in the checkout, where .cargo/config.toml counts: {options:?}"
            );
        }
        for set in [
            "OMIT_LOAD_EXTENSION",
            "OMIT_JSON",
            "TEMP_STORE=3",
            "DQS=0",
            "MAX_MMAP_SIZE=0",
        ] {
            assert!(
                has(set),
                "{set}: build in the checkout, where .cargo/config.toml counts: {options:?}"
            );
        }
        let modules: i64 = connection
            .query_row(
                "SELECT count(*) FROM pragma_module_list WHERE name NOT LIKE 'pragma%'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(modules, 0);
    }
}
