//! Connections of this process to one database, which all its stores share. A store holds one only
//! during a transaction.
//!
//! # Why not one for each store
//!
//! A connection is expensive: a process of the server, TLS and SCRAM, caches that begin empty, and
//! statements that are planned again. Where a hundred attempts began with connections of their own,
//! they filled the lock of an account with that work, and some were denied after waiting for it.
//! Here they wait for one of a few connections that are warm, so that a lock is held for a few
//! milliseconds, and the server has as many processes as work needs.
//!
//! The number of connections is larger than the number of workers of any program of Postern, so that
//! a user who has proven more never waits here behind one who has proven less: that is decided before,
//! by the shares of the workers.

use super::connection::{DatabaseConnection, Server};
use super::schema_check::check_schema;
use crate::store::sqlite::schema_tables;
use crate::store::{StoreError, StoreResult};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Most connections of one process to one database, without the one that listens.
const MOST: usize = 24;
/// Time limit of waiting for a connection that another thread uses.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time after which an unused connection is closed.
const IDLE: Duration = Duration::from_secs(60);

static POOLS: Mutex<Vec<Weak<Pool>>> = Mutex::new(Vec::new());

pub(super) struct Pool {
    pub(super) server: Server,
    state: Mutex<PoolState>,
    returned: Condvar,
    /// Whether the tables were compared with this program's.
    is_checked: AtomicBool,
}

#[derive(Default)]
struct PoolState {
    /// Unused connections with the time of their return, the last one used last.
    idle: Vec<(DatabaseConnection, Instant)>,
    leased: usize,
}

/// A connection for one thread. Returns to the pool when it is dropped, unless it was closed.
pub(super) struct Lease {
    /// `None` once it is closed.
    connection: Option<DatabaseConnection>,
    /// Whether another transaction used the connection before.
    pub(super) was_used: bool,
    pool: Arc<Pool>,
}

impl Pool {
    /// Returns the pool of a server, which lives as long as one of its stores does.
    pub(super) fn of_server(server: Server) -> Arc<Pool> {
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        let found = pools.iter().filter_map(Weak::upgrade);
        if let Some(pool) = found.into_iter().find(|pool| pool.server == server) {
            return pool;
        }
        let pool = Arc::new(Pool {
            server,
            state: Mutex::default(),
            returned: Condvar::new(),
            is_checked: AtomicBool::new(false),
        });
        pools.push(Arc::downgrade(&pool));
        pool
    }

    /// Returns an unused connection, or makes one.
    ///
    /// # Errors
    /// All connections stay in use for five seconds, or none can be made.
    pub(super) fn lease(self: &Arc<Pool>) -> StoreResult<Lease> {
        let end = Instant::now() + PATIENCE;
        let mut state = self.state();
        while state.idle.is_empty() && state.leased >= MOST {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::Busy);
            }
            let waited = self.returned.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.leased += 1;
        let idle = state.idle.pop().map(|(connection, _)| connection);
        let expired = state.remove_expired();
        drop(state);
        drop(expired);
        // from here on, dropping the lease corrects the count
        let mut lease = Lease {
            was_used: idle.is_some(),
            connection: idle,
            pool: Arc::clone(self),
        };
        if lease.connection.is_none() {
            lease.connection = Some(self.server.connect()?);
        }
        Ok(lease)
    }

    /// Runs work that only reads, outside of a transaction.
    pub(super) fn with_connection<T>(
        self: &Arc<Pool>,
        work: impl Fn(&DatabaseConnection) -> StoreResult<T>,
    ) -> StoreResult<T> {
        let mut lease = self.lease()?;
        let mut done = work(&lease);
        // the server may have closed the connection meanwhile
        if done.is_err() && lease.was_used && lease.is_lost() {
            lease.reconnect()?;
            done = work(&lease);
        }
        if done.is_err() {
            lease.close();
        }
        done
    }

    /// Compares the tables with this program's, unless a store of this process has done it.
    pub(super) fn check_schema_once(self: &Arc<Pool>) -> StoreResult<()> {
        if self.is_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let tables = schema_tables()?;
        self.with_connection(|connection| check_schema(connection, &tables))?;
        self.is_checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PoolState {
    /// Removes the connections that were unused for too long.
    fn remove_expired(&mut self) -> Vec<(DatabaseConnection, Instant)> {
        let is_expired = |(_, since): &(_, Instant)| since.elapsed() > IDLE;
        let expired = self.idle.iter().take_while(|idle| is_expired(idle)).count();
        self.idle.drain(..expired).collect()
    }
}

impl Lease {
    /// Makes a new connection in place of one that the server has closed. The unused ones are as
    /// old, and closed too.
    pub(super) fn reconnect(&mut self) -> StoreResult<()> {
        self.close();
        let idle = std::mem::take(&mut self.pool.state().idle);
        drop(idle);
        self.connection = Some(self.pool.server.connect()?);
        self.was_used = false;
        Ok(())
    }

    /// Closes the connection, which rolls its transaction back. If its server stopped answering, the
    /// unused connections to it are closed, too.
    pub(super) fn close(&mut self) {
        if let Some(connection) = self.connection.take().filter(|open| open.is_unanswered()) {
            self.pool.server.pass_over(&connection);
            let idle = std::mem::take(&mut self.pool.state().idle);
            drop(idle);
        }
    }
}

impl Deref for Lease {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        self.connection.as_ref().expect("nothing follows a close")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut DatabaseConnection {
        self.connection.as_mut().expect("nothing follows a close")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.connection.as_ref().is_some_and(|open| open.is_lost()) {
            self.close();
        }
        let mut state = self.pool.state();
        state.leased -= 1;
        if let Some(connection) = self.connection.take() {
            state.idle.push((connection, Instant::now()));
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}
