//! The embedded store: SQLite in WAL mode. Every commit is durable (synchronous=FULL), every wait
//! is bounded. Each act is one IMMEDIATE transaction; attempts may share one.
//!
//! MUST NOT follow a link, trust the schema, or open a version that it does not know. MUST NOT
//! create a store by opening one.

mod backup;
mod connection;
mod create;
mod error;
mod files;
mod locks;
mod migration;
mod open_transaction;
mod schema_check;
mod settings;
mod statement;
mod transfer;
mod wal;

use super::{Intent, StoreError, StoreResult, UpgradeResult};
use crate::system::admission::AdmissionClass;
use crate::system::trusted_file::FileError;
use connection::{StoreConnection, store_version, use_wal, user_version};
use files::{DatabasePath, header, location};
use locks::busy_handler::PATIENCE;
use locks::{WriteQueue, busy_handler, lock_holder};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use rusqlite::Connection;
use settings::{Deadline, PREPARED};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wal::{WalEnd, checkpoint};

pub use backup::TemporaryStore;
pub(super) use create::{create, make_missing_files};
pub use files::UnchangedFiles;
pub(super) use locks::StopsBlocked;
pub(super) use open_transaction::SqliteTransaction;
#[cfg(test)]
pub(super) use statement::plan_in_new_store;
pub(super) use transfer::{
    SqliteSource, SqliteTarget, put_in_force, schema_indexes, schema_tables, tables_of,
    transfer_state,
};

pub(super) const SCHEMA: &str = include_str!("sqlite/schema.sql");
/// `user_version`, raised with every change of the schema.
const VERSION: i64 = STORE_VERSION as i64;
/// Version of the stores that this program makes and opens.
pub const STORE_VERSION: u32 = 8;
/// `application_id` ("Post"), by which file(1) and this program recognise a store.
const APPLICATION: i64 = 0x506f_7374;

/// Time limits of SQLite's work in a transaction that writes, for which others wait, and in one
/// that reads.
const WRITING: Duration = Duration::from_secs(10);
const READING: Duration = Duration::from_secs(30);
/// Time limit of SQLite's work that no transaction waits for.
const TRUNCATION: Duration = Duration::from_secs(300);
/// Time in which truncation of the WAL is retried while others use it.
const TRUNCATION_PATIENCE: Duration = Duration::from_secs(20);

/// An open store in a file, with the connection of its transactions.
pub(super) struct SqliteStore {
    /// `None` during a transaction, and after an error that closed the connection.
    connection: Option<StoreConnection>,
    path: DatabasePath,
    write_queue: Arc<WriteQueue>,
    /// Class of the writes that follow.
    class: AdmissionClass,
}

impl SqliteStore {
    pub(super) fn open(path: &Path) -> StoreResult<SqliteStore> {
        refuse_file_size_limit()?;
        // a process that is stopped while it recovers the WAL index blocks all others
        let _blocked = StopsBlocked::new();
        let path = location::check_trusted(path)?;
        // Looked at before and after it is opened: a restore that exchanged the file in between would
        // let the connection stay on the old store, and every later check pass.
        let database = DatabasePath::open(&path)?;
        match SqliteStore::connect(&path) {
            Ok((connection, deadline)) => {
                database.check_unmoved()?;
                Ok(SqliteStore {
                    connection: Some(StoreConnection {
                        connection,
                        deadline,
                        wal_end: WalEnd::new(&path),
                    }),
                    write_queue: WriteQueue::of_store(database.file_id()),
                    path: database,
                    class: AdmissionClass::Familiar,
                })
            }
            // a process that was stopped while it recovers the WAL index blocks even the opening
            Err(StoreError::Busy) => Err(lock_holder::busy_error(&path)),
            Err(error) => Err(descriptors_exhausted(&path).unwrap_or(error)),
        }
    }

    /// Opens and configures a connection. Refuses anything that is not a store of this version.
    fn connect(path: &Path) -> StoreResult<(Connection, Deadline)> {
        let (connection, deadline) = connection::connect(path, READING)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        let found = store_version(&connection)?;
        if found != VERSION {
            return Err(migration::version_error(&connection, found));
        }
        schema_check::check_schema(&connection)?;
        use_wal(&connection)?;
        Ok((connection, deadline))
    }

    pub(super) fn has_current_version(path: &Path) -> StoreResult<bool> {
        Ok(header::has_version(path, APPLICATION, VERSION)?)
    }

    pub(super) fn upgrade(path: &Path) -> StoreResult<UpgradeResult> {
        let _blocked = StopsBlocked::new();
        migration::upgrade(path).map_err(|error| match error {
            // SQLite reports the lack of file descriptors in this way too
            StoreError::ReadOnly => descriptors_exhausted(path).unwrap_or(error),
            error => error,
        })
    }

    /// Returns the connection, or an error if a failed transaction closed it.
    fn open_connection(&self) -> StoreResult<&StoreConnection> {
        let closed = || {
            StoreError::Engine(
                "its connection was closed, since it could not be rolled back".to_owned(),
            )
        };
        self.connection.as_ref().ok_or_else(closed)
    }

    fn begin_reading(&mut self, blocked: StopsBlocked) -> StoreResult<SqliteTransaction<'_>> {
        self.open_connection()?;
        let transaction = SqliteTransaction::new(&mut self.connection, None, blocked);
        transaction.store_connection().deadline.set(READING);
        begin(transaction, "BEGIN", &self.path)
    }

    /// Continues the transaction that other threads of this process share, or begins one.
    fn begin_writing(
        &mut self,
        may_share: bool,
        blocked: StopsBlocked,
    ) -> StoreResult<SqliteTransaction<'_>> {
        self.open_connection()?;
        let Some((permit, handed_over)) = self.write_queue.acquire(self.class, may_share) else {
            return Err(self.path.name_lock_holder(StoreError::Busy));
        };
        let idle = &mut self.connection;
        if let Some(handed_over) = handed_over {
            busy_handler::reset_queue_time();
            handed_over.deadline.set(WRITING);
            return Ok(SqliteTransaction::join(handed_over, idle, permit, blocked)?);
        }
        let transaction = SqliteTransaction::new(idle, Some(permit), blocked);
        let own = transaction.store_connection();
        // the wait for the write lock has a limit of its own
        own.deadline.set(PATIENCE + WRITING);
        own.wal_end.repair(&own.connection)?;
        checkpoint::checkpoint_if_long(&own.connection);
        let mut transaction = begin(transaction, "BEGIN IMMEDIATE", &self.path)?;
        transaction.store_connection().deadline.set(WRITING);
        transaction.accept_joiners();
        Ok(transaction)
    }
}

/// Refuses a limit on the size of files (RLIMIT_FSIZE). Under such a limit the commit of a right
/// input might succeed where that of a wrong one fails, which would defeat the throttle.
fn refuse_file_size_limit() -> StoreResult<()> {
    match getrlimit(Resource::RLIMIT_FSIZE) {
        Ok((RLIM_INFINITY, _)) => Ok(()),
        _ => Err(StoreError::Limited),
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

/// Begins a transaction on this store's own connection.
fn begin<'a>(
    transaction: SqliteTransaction<'a>,
    statement: &str,
    database: &DatabasePath,
) -> StoreResult<SqliteTransaction<'a>> {
    let begun = begin_and_check(transaction.store_connection(), statement, database);
    busy_handler::reset_queue_time();
    match begun {
        Ok(()) => Ok(transaction),
        Err(error) => {
            // the lock holder is looked up after the queue of this process has moved on
            drop(transaction);
            Err(database.name_lock_holder(error))
        }
    }
}

fn begin_and_check(
    connection: &StoreConnection,
    statement: &str,
    database: &DatabasePath,
) -> StoreResult<()> {
    connection.execute(statement)?;
    // this read, not BEGIN, determines what a reading transaction sees; and no statement of this
    // version may run on a store that was upgraded in the meantime
    let found = user_version(&connection.connection)?;
    if found != VERSION {
        return Err(migration::version_error(&connection.connection, found));
    }
    // after BEGIN: from now on the transaction keeps the file that it has open
    database.check_unmoved()
}

impl SqliteStore {
    pub(super) fn begin(&mut self, intent: Intent) -> StoreResult<SqliteTransaction<'_>> {
        let blocked = StopsBlocked::new();
        match intent {
            Intent::Read => self.begin_reading(blocked),
            Intent::Write | Intent::Exclusive => self.begin_writing(false, blocked),
            Intent::Attempt => self.begin_writing(true, blocked),
        }
    }

    pub(super) fn set_write_class(&mut self, class: AdmissionClass) {
        self.class = class;
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.open_connection().map_or(true, |connection| {
            connection.connection.is_readonly("main").unwrap_or(true)
        })
    }

    /// Removes overwritten and deleted content from the WAL. Waits for every transaction that still
    /// reads it.
    pub(super) fn truncate_wal(&mut self) -> StoreResult<()> {
        let _blocked = StopsBlocked::new();
        let own = self.open_connection()?;
        own.deadline.set(TRUNCATION);
        own.wal_end.repair(&own.connection)?;
        // SQLite does not wait for another process that truncates the WAL: it reports at once that
        // the store is busy
        let began = Instant::now();
        while began.elapsed() < TRUNCATION_PATIENCE {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy = own.connection.query_row(sql, [], |row| row.get(0));
            match busy.map_err(StoreError::from) {
                Ok(0) => return Ok(()),
                Ok(_) | Err(StoreError::Busy) => busy_handler::sleep_random(),
                Err(error) => return Err(error),
            }
        }
        Err(self.path.name_lock_holder(StoreError::Busy))
    }
}

/// Creates a store in a temporary folder, and opens it.
#[cfg(test)]
pub(super) fn new_store(folder: &tempfile::TempDir) -> super::Store {
    let path = folder.path().join("store/postern.db");
    let masters = crate::crypto::master_key::MasterKeys::generate().unwrap().0;
    let keys = crate::crypto::vault::Vault::create(&masters).unwrap();
    create(&path, None, &keys).unwrap();
    super::Store(super::database::Database::Sqlite(Box::new(
        SqliteStore::open(&path).unwrap(),
    )))
}
