//! The store in PostgreSQL, for several hosts.
//!
//! - `connection`: one connection, its time limits and statements.
//! - `pool`: the connections of this process; `listener`: the one that hears of revocations.
//! - `open_transaction`: one transaction, and why transactions that run at once do no harm.
//! - `dialect`, `column`, `error`: what differs from SQLite in SQL, values and errors.
//! - `schema`, `schema_check`, `upgrade`: creation of the tables, their comparison, their migration.
//! - `transfer`: a store that is moved here, or away.
//! - `event_order`: audit events whose numbers are committed out of their order.
//! - `risks`, `tls`: settings of the server, and the verification of its name.
//!
//! MUST NOT let a wait be without limit, and MUST NOT report a commit that the server has not
//! answered.

mod column;
mod connection;
mod dialect;
mod error;
mod event_order;
mod listener;
mod open_transaction;
mod pool;
mod risks;
mod schema;
mod schema_check;
mod tls;
mod transfer;
mod upgrade;

use super::sqlite::STORE_VERSION;
use super::{Intent, StoreError, StoreResult};
use connection::DatabaseConnection;
use pool::Pool;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use connection::Server;
pub(super) use listener::{CHANNEL, NotificationListener};
pub(super) use open_transaction::PostgresTransaction;
pub(super) use schema::{create, exists, version};
pub(super) use transfer::{PostgresSource, PostgresTarget, put_in_force, transfer_state};
pub(super) use upgrade::upgrade;

const VERSION: i64 = STORE_VERSION as i64;
/// Time limits of each statement in a transaction that writes, and in one that reads. Less than a
/// PAM host or a browser waits.
const WRITING: Duration = Duration::from_secs(10);
const READING: Duration = Duration::from_secs(30);
/// Pause between two looks at the transactions of others.
const PAUSE: Duration = Duration::from_millis(20);

/// An open store, which takes a connection of the pool for each transaction.
pub(super) struct PostgresStore {
    pool: Arc<Pool>,
}

impl PostgresStore {
    pub(super) fn open(server: Server) -> StoreResult<PostgresStore> {
        let pool = Pool::of_server(server);
        let store = PostgresStore { pool };
        // refuses another version
        drop(store.begin(Intent::Read)?);
        store.pool.check_schema_once()?;
        Ok(store)
    }

    pub(super) fn begin(&self, intent: Intent) -> StoreResult<PostgresTransaction> {
        PostgresTransaction::begin(&self.pool, intent)
    }

    /// Waits for every transaction that began before: what was overwritten or removed is read by
    /// none any more.
    pub(super) fn await_older_transactions(&self) -> StoreResult<()> {
        let mut connection = self.pool.lease()?;
        let waited = await_older_transactions(&connection);
        if waited.is_err() {
            connection.close();
        }
        waited
    }
}

fn await_older_transactions(connection: &DatabaseConnection) -> StoreResult<()> {
    // of this role alone: others do not read the store
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND usename = current_user AND pid <> pg_backend_pid() AND xact_start <= ";
    let now = connection.run("SELECT clock_timestamp()", READING)?;
    let now = now.into_iter().flatten().next().unwrap_or_default();
    let sql = format!("{count}'{now}'");
    let began = Instant::now();
    while began.elapsed() < READING + WRITING {
        if connection.run(&sql, READING)?.first() == Some(&Some("0".to_owned())) {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Err(StoreError::Busy)
}

/// Begins to listen for new revisions.
pub(super) fn listen(server: Server) -> StoreResult<NotificationListener> {
    NotificationListener::connect(&Pool::of_server(server).server)
}

/// Returns why a store of this version is not opened.
fn version_error(found: Option<i64>) -> StoreError {
    match found {
        Some(found) => StoreError::Version {
            found,
            known: VERSION,
            is_upgradable: upgrade::is_upgradable(found),
        },
        None => StoreError::Damaged("it has no version".to_owned()),
    }
}
