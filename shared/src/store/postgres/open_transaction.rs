//! An open transaction on a connection of the pool. It ends with a commit, a rollback or a closed
//! connection.
//!
//! # Why this is as good as one writer at a time
//!
//! The acts are written for SQLite, where one transaction writes at a time and none is repeated.
//! Here transactions that write run at once, each statement sees what is committed when it begins
//! (READ COMMITTED), and locks keep apart what must not interleave. They are taken in one order:
//! account, shared bucket of unknown names, address, spellings of a name, revision.
//!
//! - **Account.** Whatever finds an account to change something locks its row first, and reads what
//!   belongs to it afterwards: codes, floors, recovery codes, the throttle, sessions, browsers. Of
//!   two attempts at one account the second sees everything that the first committed: one code is
//!   accepted once, one recovery code once, and as many guesses as the throttle allows.
//! - **What is accepted once** is decided by its row itself: the commit of an accepted step, recovery
//!   code, one-time code or mailed code needs that it raised the floor, or marked a code that was
//!   unused. This holds without any lock, and also where two accounts have one secret, whose floor
//!   belongs to neither.
//! - **Unknown names and addresses.** Their throttle has no row of its own: an advisory lock on the
//!   bucket or on the address is held from the read of the failures to the commit.
//! - **Names.** A name is unique by its index. Spellings of a new name are compared under an advisory
//!   lock on what they have in common.
//! - **Revisions.** Whatever is stored under the next revision is stored under a lock on the row of
//!   the revision, which the act raises before it commits: revisions are committed in their order,
//!   and a gate that has read one has read all before. Logins do not take this lock unless they
//!   end a session.
//! - **Keys.** A rotation of keys, which concerns every account, holds the lock of the whole store
//!   ([`Intent::Exclusive`]), which every other transaction that writes shares. It is rare and short.
//! - **The rest** (expired rows, mail that is taken, notifications) works on rows that no other transaction
//!   has locked, and skips the others.
//!
//! A transaction that reads sees one moment (REPEATABLE READ). Two transactions that wait for each
//! other in spite of the order end with [`StoreError::Conflict`] for one of them: verifications are
//! then repeated a few times (`engine/context/conflict.rs`), and everything else is refused.
//!
//! # What a commit shows
//!
//! After a failover, a primary that was cut off is still read, and knows nothing of what its successor
//! was told: of an enrollment, or a revocation. But it commits nothing, since its synchronous standby
//! is gone. So whatever grants access does so after a commit, be it one that changes nothing, and what
//! was read before that was in force then.
//!
//! # Round trips
//!
//! A lock is held for as long as its transaction waits for the network. So a statement whose answer
//! nothing needs is sent together with the next one that is waited for, at the latest with the commit.
//! The server executes them in their order, and nothing after one that failed; what failed fails the
//! wait, and with it the commit.

use super::connection::DatabaseConnection;
use super::pool::{Lease, Pool};
use super::{READING, VERSION, WRITING, transfer};
use crate::store::column::{NextRow, Row, Value};
use crate::store::sqlite::StopsBlocked;
use crate::store::{Intent, StoreError, StoreResult};
use crate::system::clock::ClockQuestion;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

/// Number of the advisory lock of the whole store ("Postern").
pub(super) const STORE_LOCK: i64 = 0x0050_6f73_7465_726e;

/// Commits, and writes a record of its own to the WAL, so that a transaction that changed nothing is
/// committed like one that did: synchronously. It leaves nothing in the store, and every role may
/// call it.
const COMMIT_IN_FORCE: &str = "SELECT pg_logical_emit_message(true, 'postern', ''); COMMIT";

/// A transaction, until it is committed or dropped.
pub(in crate::store) struct PostgresTransaction {
    connection: RefCell<Lease>,
    writes: bool,
    limit: Cell<Duration>,
    /// Whether a statement failed. PostgreSQL answers the commit of such a transaction with a
    /// rollback, and without an error.
    has_failed: Cell<bool>,
    has_ended: Cell<bool>,
    _blocked: StopsBlocked,
}

impl PostgresTransaction {
    pub(super) fn begin(pool: &Arc<Pool>, intent: Intent) -> StoreResult<PostgresTransaction> {
        let _blocked = StopsBlocked::new();
        let (limit, sql) = begin_statements(intent);
        let mut connection = pool.lease()?;
        let found = match run_with_clock(&connection, &sql, limit) {
            // The server may have closed the connection meanwhile. Nothing was read or written.
            Err(StoreError::Engine(_)) if connection.was_used => {
                connection.reconnect()?;
                run_with_clock(&connection, &sql, limit)
            }
            found => found,
        };
        let transaction = PostgresTransaction {
            connection: RefCell::new(connection),
            writes: intent != Intent::Read,
            limit: Cell::new(limit),
            has_failed: Cell::new(false),
            has_ended: Cell::new(false),
            _blocked,
        };
        // from here on, dropping the transaction rolls back
        match found? {
            Some(VERSION) => Ok(transaction),
            found => Err(transaction.version_error(found)),
        }
    }

    /// Returns why a store of another version is not opened.
    fn version_error(&self, found: Option<i64>) -> StoreError {
        self.run(|connection, _| Ok(transfer::version_error(connection, found)))
            .unwrap_or_else(|error| error)
    }

    /// Runs work on the connection. After an error the transaction only rolls back.
    fn run<T>(&self, work: impl FnOnce(&mut Lease, Duration) -> StoreResult<T>) -> StoreResult<T> {
        if self.has_failed.get() {
            return Err(failed_before());
        }
        let result = work(&mut self.connection.borrow_mut(), self.limit.get());
        if result.is_err() {
            self.has_failed.set(true);
        }
        result
    }

    /// Runs a statement. Returns the number of changed rows.
    pub(in crate::store) fn execute(&self, sql: &str, values: &[Value<'_>]) -> StoreResult<usize> {
        let changed =
            self.run(|connection, limit| connection.execute(sql, values, self.writes, limit))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Runs a statement whose answer nothing needs. An error is that of a later statement, or of the
    /// commit.
    pub(in crate::store) fn send(&self, sql: &str, values: &[Value<'_>]) -> StoreResult<()> {
        self.run(|connection, _| connection.send(sql, values, self.writes))
    }

    /// Runs a statement, and reads its rows as long as `read` says.
    pub(in crate::store) fn query(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: &mut dyn FnMut(&Row<'_>) -> StoreResult<NextRow>,
    ) -> StoreResult<()> {
        let rows =
            self.run(|connection, limit| connection.query(sql, values, self.writes, limit))?;
        for row in &rows {
            if read(&Row(row))? == NextRow::Skip {
                break;
            }
        }
        Ok(())
    }

    /// Sets the time limit of each statement from now on.
    pub(in crate::store) fn set_time_limit(&self, limit: Duration) {
        let sql = format!("SET LOCAL statement_timeout = {}", limit.as_millis());
        // a failed statement fails the commit
        if self
            .run(|connection, limit| connection.run(&sql, limit))
            .is_ok()
        {
            self.limit.set(limit);
        }
    }

    /// Commits durably. Where the answer does not arrive it is not known whether the commit
    /// happened: that is an error, and no act is repeated.
    pub(in crate::store) fn commit(self) -> StoreResult<()> {
        if self.has_failed.get() {
            return Err(failed_before());
        }
        self.end(match self.writes {
            true => COMMIT_IN_FORCE,
            false => "COMMIT",
        })?;
        let mut connection = self.connection.borrow_mut();
        connection.prepare_statements(self.limit.get());
        Ok(())
    }

    /// Ends the transaction. Closes the connection if it does not end.
    fn end(&self, statement: &str) -> StoreResult<()> {
        self.has_ended.set(true);
        let mut connection = self.connection.borrow_mut();
        let ended = connection.run(statement, self.limit.get());
        if ended.is_err() {
            connection.close();
        }
        ended.map(drop)
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        if !self.has_ended.get() {
            // where that fails, the closed connection rolls back
            let is_open = self.end("ROLLBACK").is_ok();
            if is_open && !self.has_failed.get() {
                let mut connection = self.connection.borrow_mut();
                connection.prepare_statements(self.limit.get());
            }
        }
    }
}

/// Runs the statements that begin a transaction. Returns the version of the store, and applies the
/// time of its clock.
fn run_with_clock(
    connection: &DatabaseConnection,
    sql: &str,
    limit: Duration,
) -> StoreResult<Option<i64>> {
    let question = ClockQuestion::ask();
    let row = connection.run(sql, limit)?;
    let number = |column: usize| row.get(column)?.as_ref()?.parse::<i64>().ok();
    if let Some(time) = number(1) {
        question.apply_answer(time);
    }
    Ok(number(0))
}

fn failed_before() -> StoreError {
    StoreError::Engine("a statement before failed; the transaction was rolled back".to_owned())
}

/// Returns the time limit of the statements of a transaction, and the statements that begin it. The
/// last one reads the version, since no statement of this version may run on a store that was
/// upgraded, and the clock.
fn begin_statements(intent: Intent) -> (Duration, String) {
    let (limit, mode, lock) = match intent {
        Intent::Read => (READING, "REPEATABLE READ, READ ONLY", String::new()),
        Intent::Write | Intent::Attempt => (
            WRITING,
            "READ COMMITTED, READ WRITE",
            format!("SELECT pg_advisory_xact_lock_shared({STORE_LOCK}); "),
        ),
        Intent::Exclusive => (
            WRITING,
            "READ COMMITTED, READ WRITE",
            format!("SELECT pg_advisory_xact_lock({STORE_LOCK}); "),
        ),
    };
    let sql = format!(
        "BEGIN ISOLATION LEVEL {mode}; SET LOCAL statement_timeout = {}; {lock}\
         SELECT version, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint \
         FROM store_version",
        limit.as_millis()
    );
    (limit, sql)
}
