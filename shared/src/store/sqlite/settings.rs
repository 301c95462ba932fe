//! Settings of every connection: limits, durability, and a time limit of its statements.
//!
//! MUST be applied before the schema is read, since any user with write access to the store may
//! have changed it.

use super::wal::checkpoint;
use crate::store::StoreResult;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Virtual machine instructions between two checks of the deadline: a few milliseconds at most.
const INSTRUCTIONS: i32 = 10_000;
/// Largest value and longest statement, in bytes.
const LONGEST_VALUE: i32 = 1024 * 1024;
const LONGEST_STATEMENT: i32 = 64 * 1024;
/// Prepared statements per connection: more than a login uses, so that a daemon prepares none
/// twice.
pub(super) const PREPARED: usize = 64;

/// Page cache per connection in KiB: more than one act reads. A daemon has several connections.
const CACHED_KIB: i64 = 512;

/// Time limit of the statements of a connection.
pub(super) struct Deadline {
    began: Instant,
    /// Time limit, in milliseconds since `began`.
    ends: Arc<AtomicU64>,
}

impl Deadline {
    pub(super) fn install(connection: &Connection) -> StoreResult<Deadline> {
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

    pub(super) fn set(&self, patience: Duration) {
        let ends = (self.began.elapsed() + patience).as_millis();
        self.ends
            .store(u64::try_from(ends).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

pub(super) fn harden(connection: &Connection) -> StoreResult<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

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
        for (option, is_set) in [
            ("ENABLE_FTS", false),
            ("ENABLE_RTREE", false),
            ("ENABLE_DBSTAT", false),
            ("ENABLE_LOAD_EXTENSION", false),
            ("SOUNDEX", false),
            ("USE_URI", false),
            ("OMIT_LOAD_EXTENSION", true),
            ("OMIT_JSON", true),
            ("TEMP_STORE=3", true),
            ("DQS=0", true),
            ("MAX_MMAP_SIZE=0", true),
        ] {
            assert_eq!(
                options.iter().any(|found| found.starts_with(option)),
                is_set,
                "{option}: build in the checkout, where .cargo/config.toml counts: {options:?}"
            );
        }
        let sql = "SELECT count(*) FROM pragma_module_list WHERE name NOT LIKE 'pragma%'";
        let modules: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(modules, 0);
    }
}
