//! Running of statements in a transaction. With debug assertions (all unit tests), each statement
//! of a writing transaction is planned first: a statement that would scan a growing table fails the
//! test. Every process that waits for the write lock waits for every row that is read under it.

use super::Transaction;
use crate::store::StoreResult;
#[cfg(debug_assertions)]
use rusqlite::Connection;
use rusqlite::{CachedStatement, Params, Row};

/// Tables that stay small whatever the number of accounts and unauthenticated requests.
#[cfg(debug_assertions)]
const SMALL: [&str; 6] = [
    "data_key",
    "renewal",
    "revision",
    "app_password_revision",
    "gate",
    "revision_time",
];
/// Indexes of few rows of a large table: mail that no gate has read yet.
#[cfg(debug_assertions)]
const SHORT: [&str; 1] = ["outbox_waiting"];

impl Transaction<'_> {
    /// Returns a cached prepared statement.
    fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.check(sql);
        self.open.connection().prepare_cached(sql)
    }

    pub(super) fn execute(&self, sql: &str, parameters: impl Params) -> StoreResult<()> {
        self.execute_counted(sql, parameters).map(drop)
    }

    /// Runs a statement. Returns the number of changed rows.
    pub(super) fn execute_counted(&self, sql: &str, parameters: impl Params) -> StoreResult<usize> {
        Ok(self.prepare(sql)?.execute(parameters)?)
    }

    pub(super) fn query_rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> StoreResult<Vec<T>> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    /// Returns the first row, if there is one.
    pub(super) fn find_row<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> StoreResult<Option<T>> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(parameters)?;
        Ok(rows.next()?.map(read).transpose()?)
    }

    /// Returns the first row. No row is an error.
    pub(super) fn query_row<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> StoreResult<T> {
        self.find_row(sql, parameters, read)?
            .ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    pub(super) fn last_insert_rowid(&self) -> i64 {
        self.open.connection().last_insert_rowid()
    }

    #[cfg(not(debug_assertions))]
    fn check(&self, _: &str) {}

    #[cfg(debug_assertions)]
    fn check(&self, sql: &str) {
        if self.intent != super::Intent::Read {
            // a statement that cannot be planned fails when it runs
            let scans = scans(self.open.connection(), sql).unwrap_or_default();
            assert!(scans.is_empty(), "{scans:?} under the write lock: {sql}");
        }
    }
}

/// Returns the steps of a plan that scan a growing table.
#[cfg(debug_assertions)]
fn scans(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let detail: String = row.get(3)?;
        let Some(scanned) = detail.strip_prefix("SCAN ") else {
            continue;
        };
        let table = scanned.split(' ').next().unwrap_or_default();
        let is_table = table != "CONSTANT" && !table.starts_with('(');
        let is_small = SMALL.contains(&table) || SHORT.iter().any(|index| scanned.ends_with(index));
        if is_table && !is_small {
            found.push(detail);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_reads_a_whole_table_is_found() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("../sqlite/schema.sql"))
            .unwrap();
        let found = |sql| !scans(&connection, sql).unwrap().is_empty();
        assert!(found("DELETE FROM failure WHERE cost = ?1"));
        assert!(found("SELECT count(*) FROM account"));
        assert!(found("UPDATE account SET password = NULL"));
        assert!(found("SELECT id FROM event ORDER BY id LIMIT 1"));
        assert!(!found("SELECT id FROM account WHERE name = ?1"));
        assert!(!found("UPDATE revision SET number = number + 1"));
        assert!(!found("INSERT INTO gate (id, seen) VALUES (?1, ?2)"));
    }

    #[test]
    #[should_panic(expected = "under the write lock")]
    fn a_writing_transaction_refuses_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = crate::store::sqlite::new_store(&folder);
        let transaction = store.begin(crate::store::Intent::Write).unwrap();
        let _ = transaction.execute("DELETE FROM failure WHERE cost = ?1", [1]);
    }
}
