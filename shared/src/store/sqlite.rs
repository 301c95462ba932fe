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

use super::{Intent, Store, StoreError, Transaction, UpgradeResult, location};
use crate::crypto::vault::WrappedKey;
use crate::system::admission::Class;
use crate::system::trusted_file::{self, FileError, Folder};
use handle::StoreConnection;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use shared_transaction::OpenTransaction;
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

pub(super) struct SqliteStore {
    /// Here between two transactions.
    connection: Option<StoreConnection>,
    path: DatabasePath,
    write_queue: Arc<WriteQueue>,
    /// What whoever it works for has proven.
    class: Class,
}

impl SqliteStore {
    pub(super) fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        refuse_file_size_limit()?;
        // whoever makes the WAL's index ready holds up all the others
        let _blocked = StopsBlocked::new();
        let path = location::check_trusted(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|error| descriptors_exhausted(&path).unwrap_or(error.into()))?;
        match SqliteStore::check(&connection) {
            Ok(deadline) => {
                let place = DatabasePath::open(&path)?;
                let writers = WriteQueue::of_store(place.file_id());
                let handle = Some(StoreConnection {
                    connection,
                    deadline,
                    wal_end: WalEnd::new(&path),
                });
                Ok(SqliteStore {
                    connection: handle,
                    path: place,
                    write_queue: writers,
                    class: Class::Familiar,
                })
            }
            // whoever is stopped while it makes the WAL's index ready holds up already whoever opens the store
            Err(StoreError::Busy) => Err(lock_holder::busy_error(&path)),
            Err(error) => Err(descriptors_exhausted(&path).unwrap_or(error)),
        }
    }

    /// Prepares a connection, and refuses what is no store of this program's.
    fn check(connection: &Connection) -> Result<Deadline, StoreError> {
        connection.busy_handler(Some(write_lock::retry_while_busy))?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        let deadline = Deadline::install(connection)?;
        deadline.set(READING);
        harden(connection)?;
        let application: i64 =
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let found = user_version(connection)?;
        if application != APPLICATION {
            return Err(StoreError::Damaged(
                "it is not a store of Postern".to_owned(),
            ));
        }
        if found != VERSION {
            return Err(migration::version_error(connection, found));
        }
        schema_check::check_schema(connection)?;
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
        let Some(store) = folder.stat(path.file_name().unwrap_or_default())? else {
            return Ok(());
        };
        for suffix in location::BESIDE {
            let beside = location::with_suffix(&path, suffix);
            let name = beside.file_name().unwrap_or_default();
            if folder.stat(name)?.is_some() {
                continue;
            }
            match create_empty(&beside, Some(store.st_gid)) {
                // another command was first
                Err(_) if folder.stat(name)?.is_some() => {}
                made => made?,
            }
            // the engine syncs no folder
            trusted_file::sync_folder(&beside).map_err(|error| FileError::io(&beside, error))?;
        }
        Ok(())
    }

    /// Whether the store's file says that it has this program's version already.
    pub(super) fn says_this_version(path: &Path) -> Result<bool, StoreError> {
        Ok(header::has_version(path, APPLICATION, VERSION)?)
    }

    /// Takes the store to this program's version.
    pub(super) fn upgrade(path: &Path) -> Result<UpgradeResult, StoreError> {
        let _blocked = StopsBlocked::new();
        migration::upgrade(path).map_err(|error| match error {
            // what else the engine says where it cannot open one more file
            StoreError::ReadOnly => descriptors_exhausted(path).unwrap_or(error),
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
        let folder = location::prepare_folder(path.parent().unwrap_or(Path::new("/")), group)?;
        let path = folder.path().join(path.file_name().unwrap_or_default());
        if folder.stat(path.file_name().unwrap_or_default())?.is_some() {
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
            create_empty(&new, None)?;
            Self::fill(&new, keys)?;
            set_group_and_mode(&new, group).map_err(io)?;
            for suffix in location::BESIDE {
                let beside = location::with_suffix(&path, suffix);
                if adopt_empty_file(&folder, &beside, group)? {
                    continue;
                }
                create_empty(&beside, group)?;
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
fn refuse_file_size_limit() -> Result<(), StoreError> {
    match getrlimit(Resource::RLIMIT_FSIZE) {
        Ok((RLIM_INFINITY, _)) => Ok(()),
        _ => Err(StoreError::Limited),
    }
}

/// Opens a file to the group, and to nobody else.
fn set_group_and_mode(path: &Path, group: Option<u32>) -> std::io::Result<()> {
    chown(path, None, group)?;
    std::fs::set_permissions(path, Permissions::from_mode(location::FILE))
}

/// Makes an empty file that only the group shares. Nothing is there.
fn create_empty(path: &Path, group: Option<u32>) -> Result<(), StoreError> {
    let make = || -> std::io::Result<()> {
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        set_group_and_mode(path, group)?;
        file.sync_all()
    };
    Ok(make().map_err(|error| FileError::io(path, error))?)
}

/// Whether a file beside the store is there already. One that holds something belongs to a store that is gone: its
/// content would be taken for this one's.
fn adopt_empty_file(
    folder: &Folder,
    beside: &Path,
    group: Option<u32>,
) -> Result<bool, StoreError> {
    match folder.stat(beside.file_name().unwrap_or_default())? {
        None => Ok(false),
        Some(stat) if stat.st_size == 0 => {
            set_group_and_mode(beside, group).map_err(|error| FileError::io(beside, error))?;
            Ok(true)
        }
        Some(_) => Err(FileError::left_over(beside).into()),
    }
}

/// SQLite says of a process without file descriptors that the store cannot be opened.
fn descriptors_exhausted(path: &Path) -> Option<StoreError> {
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
    fn install(connection: &Connection) -> Result<Deadline, StoreError> {
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

    fn set(&self, patience: Duration) {
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
fn user_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))?)
}

impl SqliteStore {
    /// The connection; none after a transaction that failed in a way that closed it.
    fn handle(&self) -> Result<&StoreConnection, StoreError> {
        let given_up = || {
            StoreError::Engine(
                "its connection was closed, since it could not be rolled back".to_owned(),
            )
        };
        self.connection.as_ref().ok_or_else(given_up)
    }

    fn begin_reading(&mut self, blocked: StopsBlocked) -> Result<OpenTransaction<'_>, StoreError> {
        self.handle()?;
        let SqliteStore {
            connection: handle,
            path: place,
            ..
        } = self;
        let running = OpenTransaction::new(handle, None, blocked);
        running.handle().deadline.set(READING);
        begin(running, "BEGIN", place)
    }

    /// Goes on with the transaction that others of this process share, or begins one.
    fn begin_writing(
        &mut self,
        shares: bool,
        blocked: StopsBlocked,
    ) -> Result<OpenTransaction<'_>, StoreError> {
        self.handle()?;
        let SqliteStore {
            connection: handle,
            path: place,
            write_queue: writers,
            class,
        } = self;
        let Some((turn, handed_on)) = writers.acquire(*class, shares) else {
            return Err(place.name_lock_holder(StoreError::Busy));
        };
        if let Some(handed_on) = handed_on {
            write_lock::reset_queue_time();
            handed_on.deadline.set(WRITING);
            return Ok(OpenTransaction::join(handed_on, handle, turn, blocked)?);
        }
        let running = OpenTransaction::new(handle, Some(turn), blocked);
        let StoreConnection {
            connection,
            deadline,
            wal_end: tail,
        } = running.handle();
        // its turn is waited for by another limit
        deadline.set(PATIENCE + WRITING);
        tail.repair(connection)?;
        checkpoint::checkpoint_if_long(connection);
        let mut running = begin(running, "BEGIN IMMEDIATE", place)?;
        running.handle().deadline.set(WRITING);
        running.accept_joiners();
        Ok(running)
    }
}

/// Begins a transaction on the connection that is at home.
fn begin<'a>(
    running: OpenTransaction<'a>,
    how: &str,
    place: &DatabasePath,
) -> Result<OpenTransaction<'a>, StoreError> {
    let begun = begun(running.handle(), how, place);
    write_lock::reset_queue_time();
    match begun {
        Ok(()) => Ok(running),
        Err(error) => {
            // whoever holds the store is looked up while nobody waits for this one
            drop(running);
            Err(place.name_lock_holder(error))
        }
    }
}

fn begun(handle: &StoreConnection, how: &str, place: &DatabasePath) -> Result<(), StoreError> {
    handle.run(how)?;
    // what a transaction that reads sees is fixed by this, not by its beginning; and no statement of this version runs on a
    // store that was upgraded under its feet
    let found = user_version(&handle.connection)?;
    if found != VERSION {
        return Err(migration::version_error(&handle.connection, found));
    }
    // after its beginning: from now on it stays with what it has
    place.check_unmoved()
}

impl Store for SqliteStore {
    fn begin(&mut self, intent: Intent) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let blocked = StopsBlocked::new();
        let running = match intent {
            Intent::Read => self.begin_reading(blocked)?,
            Intent::Write => self.begin_writing(false, blocked)?,
            Intent::Attempt => self.begin_writing(true, blocked)?,
        };
        Ok(Box::new(rows::SqliteTransaction(Statements::of(
            running, intent,
        ))))
    }

    fn set_write_class(&mut self, class: Class) {
        self.class = class;
    }

    fn is_read_only(&self) -> bool {
        self.handle().map_or(true, |handle| {
            handle.connection.is_readonly("main").unwrap_or(true)
        })
    }

    fn truncate_wal(&mut self) -> Result<(), StoreError> {
        let _blocked = StopsBlocked::new();
        let StoreConnection {
            connection,
            deadline,
            wal_end: tail,
        } = self.handle()?;
        deadline.set(SCRUBBING);
        tail.repair(connection)?;
        // another process that does the same is not waited for by the engine: it says at once that it is busy
        let began = Instant::now();
        while began.elapsed() < SCRUB_PATIENCE {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy = connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .map_err(StoreError::from);
            match busy {
                Ok(0) => return Ok(()),
                Ok(_) | Err(StoreError::Busy) => write_lock::sleep_random(),
                Err(error) => return Err(error),
            }
        }
        Err(self.path.name_lock_holder(StoreError::Busy))
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
        let deadline = Deadline::install(&connection).unwrap();
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        deadline.set(Duration::from_millis(50));
        let began = Instant::now();
        let stopped = connection
            .query_row(endless, [], |row| row.get::<_, i64>(0))
            .unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(matches!(StoreError::from(stopped), StoreError::TooLong));
        deadline.set(Duration::from_secs(60));
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
