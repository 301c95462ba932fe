//! The store in PostgreSQL, for several hosts. Each store of a process has one connection, which is
//! made again after it was lost; no act is repeated.
//!
//! MUST NOT let a wait be without limit, and MUST NOT report a commit that the server has not
//! answered.

mod column;
mod connection;
mod dialect;
mod error;
mod event_order;
mod open_transaction;
mod risks;
mod schema;
mod schema_check;
mod tls;
mod transfer;
mod upgrade;

use super::sqlite::{STORE_VERSION, schema_tables};
use super::{Intent, StoreError, StoreResult};
use connection::ServerConnection;
use std::time::{Duration, Instant};

pub(super) use connection::Server;
pub(super) use open_transaction::OpenTransaction;
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

/// An open store, with the connection of its transactions.
pub(super) struct PostgresStore {
    server: Server,
    /// `None` during a transaction, and after an error that closed the connection.
    idle: Option<ServerConnection>,
}

impl PostgresStore {
    pub(super) fn open(server: Server) -> StoreResult<PostgresStore> {
        let idle = Some(server.connect()?);
        let mut store = PostgresStore { server, idle };
        // refuses another version
        drop(store.begin(Intent::Read)?);
        let connection = store.idle_connection()?;
        schema_check::check_schema(&connection, &schema_tables()?)?;
        store.idle = Some(connection);
        Ok(store)
    }

    pub(super) fn begin(&mut self, intent: Intent) -> StoreResult<OpenTransaction<'_>> {
        OpenTransaction::begin(&mut self.idle, &self.server, intent)
    }

    /// Returns the connection between transactions.
    fn idle_connection(&mut self) -> StoreResult<ServerConnection> {
        match self.idle.take() {
            Some(connection) => Ok(connection),
            None => self.server.connect(),
        }
    }

    /// Waits for every transaction that began before: what was overwritten or removed is read by
    /// none any more.
    pub(super) fn await_older_transactions(&mut self) -> StoreResult<()> {
        let connection = self.idle_connection()?;
        // of this role alone: others do not read the store
        let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND usename = current_user AND pid <> pg_backend_pid() AND xact_start <= ";
        let now = connection.run("SELECT clock_timestamp()", READING)?;
        let now = now.into_iter().flatten().next().unwrap_or_default();
        let sql = format!("{count}'{now}'");
        let began = Instant::now();
        while began.elapsed() < READING + WRITING {
            if connection.run(&sql, READING)?.first() == Some(&Some("0".to_owned())) {
                self.idle = Some(connection);
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        Err(StoreError::Busy)
    }
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
