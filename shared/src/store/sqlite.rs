//! The embedded store: SQLite in WAL mode. Every commit is durable (synchronous=FULL), every wait
//! is bounded. Each act is one IMMEDIATE transaction; attempts may share one.
//!
//! MUST NOT follow a link, trust the schema, or open a version that it does not know. MUST NOT
//! create a store by opening one.

mod accounts;
mod app_passwords;
mod busy_handler;
mod checkpoint;
mod connection;
mod database_path;
mod events;
mod header;
mod keys;
mod lock_holder;
mod login_tokens;
mod mail;
mod migration;
mod notifications;
mod open_transaction;
mod schema_check;
mod sessions;
mod statements;
mod stop_signals;
mod transaction;
mod wal_end;
mod write_queue;

use super::{Intent, Store, StoreError, Transaction, UpgradeResult, location};
use crate::crypto::vault::WrappedKey;
use crate::system::admission::Class;
use crate::system::trusted_file::{self, FileError, Folder};
use busy_handler::PATIENCE;
use connection::StoreConnection;
use database_path::DatabasePath;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use open_transaction::OpenTransaction;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use statements::Statements;
use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use stop_signals::StopsBlocked;
use wal_end::WalEnd;
use write_queue::WriteQueue;

const SCHEMA: &str = include_str!("schema.sql");
/// `user_version`, raised with every change of the schema.
const VERSION: i64 = 5;
/// `application_id` ("Post"), by which file(1) and this program recognise a store.
const APPLICATION: i64 = 0x506f_7374;

/// Time limits of SQLite's work in a transaction that writes, for which others wait, and in one
/// that reads.
const WRITING: Duration = Duration::from_secs(10);
const READING: Duration = Duration::from_secs(30);
/// Time limit of SQLite's work that no transaction waits for.
const SCRUBBING: Duration = Duration::from_secs(300);
/// Time in which truncation of the WAL is retried while others use it.
const SCRUB_PATIENCE: Duration = Duration::from_secs(20);
/// Virtual machine instructions between two checks of the deadline: a few milliseconds at most.
const INSTRUCTIONS: i32 = 10_000;
/// Largest value and longest statement, in bytes.
const LONGEST_VALUE: i32 = 1024 * 1024;
const LONGEST_STATEMENT: i32 = 64 * 1024;
/// Prepared statements per connection: more than a login uses, so that a daemon prepares none
/// twice.
const PREPARED: usize = 64;

/// Page cache per connection in KiB: more than one act reads. A daemon has several connections.
const CACHED_KIB: i64 = 512;

pub(super) struct SqliteStore {
    /// `None` during a transaction, and after an error that closed the connection.
    connection: Option<StoreConnection>,
    path: DatabasePath,
    write_queue: Arc<WriteQueue>,
    /// Class of the writes that follow.
    class: Class,
}

impl SqliteStore {
    pub(super) fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        refuse_file_size_limit()?;
        // a process that is stopped while it recovers the WAL index blocks all others
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
            // a process that was stopped while it recovers the WAL index blocks even the opening
            Err(StoreError::Busy) => Err(lock_holder::busy_error(&path)),
            Err(error) => Err(descriptors_exhausted(&path).unwrap_or(error)),
        }
    }

    /// Configures a connection. Refuses anything that is not a store of this version.
    fn check(connection: &Connection) -> Result<Deadline, StoreError> {
        connection.busy_handler(Some(busy_handler::retry_while_busy))?;
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
            // VACUUM INTO made this backup. The two bytes that change are in one sector, and only
            // root can create a journal file here.
            connection.pragma_update(None, "journal_mode", "MEMORY")?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
        }
        Ok(deadline)
    }

    /// Creates the missing files next to a store, for the store's group: a backup is only one file.
    /// If the folder or the store is missing or not trusted, opening reports it.
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
                // another process created it first
                Err(_) if folder.stat(name)?.is_some() => {}
                made => made?,
            }
            // SQLite does not sync the folder
            trusted_file::sync_folder(&beside).map_err(|error| FileError::io(&beside, error))?;
        }
        Ok(())
    }

    pub(super) fn has_current_version(path: &Path) -> Result<bool, StoreError> {
        Ok(header::has_version(path, APPLICATION, VERSION)?)
    }

    pub(super) fn upgrade(path: &Path) -> Result<UpgradeResult, StoreError> {
        let _blocked = StopsBlocked::new();
        migration::upgrade(path).map_err(|error| match error {
            // SQLite reports the lack of file descriptors in this way too
            StoreError::ReadOnly => descriptors_exhausted(path).unwrap_or(error),
            error => error,
        })
    }

    /// Creates the store under a temporary name and renames it once it is complete. An interruption
    /// leaves no partial store, and the next call removes the temporary files.
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
            // never replaces a store that appeared in the meantime
            renameat2(
                AT_FDCWD,
                &new,
                AT_FDCWD,
                &path,
                RenameFlags::RENAME_NOREPLACE,
            )
            .map_err(|errno| StoreError::File(FileError::io(&path, errno.into())))?;
            // the store is complete: only the temporary names are removed below
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
        // closing the only connection copies the WAL into the store and removes it
        connection.close().map_err(|(_, error)| error.into())
    }
}

/// Refuses a limit on the size of files (RLIMIT_FSIZE). Under such a limit the commit of a right
/// input might succeed where that of a wrong one fails, which would defeat the throttle.
fn refuse_file_size_limit() -> Result<(), StoreError> {
    match getrlimit(Resource::RLIMIT_FSIZE) {
        Ok((RLIM_INFINITY, _)) => Ok(()),
        _ => Err(StoreError::Limited),
    }
}

/// Opens a file to the group and to no other user.
fn set_group_and_mode(path: &Path, group: Option<u32>) -> std::io::Result<()> {
    chown(path, None, group)?;
    std::fs::set_permissions(path, Permissions::from_mode(location::FILE))
}

/// Creates an empty file that only the group shares. An existing file is an error.
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

/// Returns whether an empty file next to the store exists, and gives it to the group. A file with
/// content belongs to a lost store: SQLite would read that content into this one.
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

/// Returns the lack of file descriptors as an error, since SQLite only reports that the store
/// cannot be opened.
fn descriptors_exhausted(path: &Path) -> Option<StoreError> {
    // as many files as SQLite opens at once, and never the store's: closing a file of the store
    // would release the locks of all connections of this process
    let open: Result<Vec<File>, _> = (0..3).map(|_| File::open("/")).collect();
    Some(FileError::io(path, open.err()?).into())
}

/// Time limit of the statements of a connection.
struct Deadline {
    began: Instant,
    /// Milliseconds since `began`.
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
        // without it, SQLite prepares a statement again for every value that could change its plan
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        // a login that happens to be the only connection must not pay for a checkpoint
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    ] {
        connection.set_db_config(setting, on)?;
    }
    // before the schema is read, which any user with write access to the store may have changed
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
    // `checkpoint::checkpoint_if_long` does it
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", checkpoint::KEPT)?;
    Ok(())
}

/// Returns the version in the store now.
fn user_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))?)
}

impl SqliteStore {
    /// Returns the connection, or an error if a failed transaction closed it.
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

    /// Continues the transaction that other threads of this process share, or begins one.
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
            busy_handler::reset_queue_time();
            handed_on.deadline.set(WRITING);
            return Ok(OpenTransaction::join(handed_on, handle, turn, blocked)?);
        }
        let running = OpenTransaction::new(handle, Some(turn), blocked);
        let StoreConnection {
            connection,
            deadline,
            wal_end: tail,
        } = running.handle();
        // the wait for the write lock has a limit of its own
        deadline.set(PATIENCE + WRITING);
        tail.repair(connection)?;
        checkpoint::checkpoint_if_long(connection);
        let mut running = begin(running, "BEGIN IMMEDIATE", place)?;
        running.handle().deadline.set(WRITING);
        running.accept_joiners();
        Ok(running)
    }
}

/// Begins a transaction on this store's own connection.
fn begin<'a>(
    running: OpenTransaction<'a>,
    how: &str,
    place: &DatabasePath,
) -> Result<OpenTransaction<'a>, StoreError> {
    let begun = begun(running.handle(), how, place);
    busy_handler::reset_queue_time();
    match begun {
        Ok(()) => Ok(running),
        Err(error) => {
            // the lock holder is looked up after the queue of this process has moved on
            drop(running);
            Err(place.name_lock_holder(error))
        }
    }
}

fn begun(handle: &StoreConnection, how: &str, place: &DatabasePath) -> Result<(), StoreError> {
    handle.run(how)?;
    // this read, not BEGIN, determines what a reading transaction sees; and no statement of this
    // version may run on a store that was upgraded in the meantime
    let found = user_version(&handle.connection)?;
    if found != VERSION {
        return Err(migration::version_error(&handle.connection, found));
    }
    // after BEGIN: from now on the transaction keeps the file that it has open
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
        Ok(Box::new(transaction::SqliteTransaction(Statements::of(
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
        // SQLite does not wait for another process that truncates the WAL: it reports at once that
        // the store is busy
        let began = Instant::now();
        while began.elapsed() < SCRUB_PATIENCE {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy = connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
                .map_err(StoreError::from);
            match busy {
                Ok(0) => return Ok(()),
                Ok(_) | Err(StoreError::Busy) => busy_handler::sleep_random(),
                Err(error) => return Err(error),
            }
        }
        Err(self.path.name_lock_holder(StoreError::Busy))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            // the last one is reported when another process recovers the WAL for too long
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

    /// SQLite stops at the time limit whatever a table contains.
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

    /// Virtual tables for text search, spatial search and the like are not compiled in, and no
    /// extension can be loaded.
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
