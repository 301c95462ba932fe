//! Running of statements. With debug assertions (all unit tests), each statement of a writing
//! transaction is planned first: a statement that would scan a growing table fails the test. Every
//! process that waits for the write lock waits for every row that is read under it.

use super::SqliteTransaction;
use crate::store::StoreResult;
use crate::store::column::{Columns, NextRow, Row, Value, damaged};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql, params_from_iter};
use std::borrow::Cow;

/// Tables that stay small whatever the number of accounts and unauthenticated requests.
const SMALL: [&str; 6] = [
    "data_key",
    "renewal",
    "revision",
    "app_password_revision",
    "gate",
    "revision_time",
];
/// Indexes of few rows of a large table: mail that no gate has read yet.
const SHORT: [&str; 1] = ["outbox_waiting"];

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Columns for rusqlite::Row<'_> {
    fn value(&self, column: usize) -> StoreResult<Value<'_>> {
        Ok(match self.get_ref(column)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(_) => return Err(damaged("a number")),
            ValueRef::Text(text) => {
                let text = std::str::from_utf8(text).map_err(|_| damaged("a text"))?;
                Value::Text(Cow::Borrowed(text))
            }
            ValueRef::Blob(bytes) => Value::Blob(bytes),
        })
    }
}

impl SqliteTransaction<'_> {
    /// Returns a cached prepared statement.
    fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.store_connection().connection.prepare_cached(sql)
    }

    /// Runs a statement. Returns the number of changed rows.
    pub(in crate::store) fn execute(&self, sql: &str, values: &[Value<'_>]) -> StoreResult<usize> {
        Ok(self.prepare(sql)?.execute(params_from_iter(values))?)
    }

    /// Runs a statement, and reads its rows as long as `read` says.
    pub(in crate::store) fn query(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: &mut dyn FnMut(&Row<'_>) -> StoreResult<NextRow>,
    ) -> StoreResult<()> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if read(&Row(row))? == NextRow::Skip {
                break;
            }
        }
        Ok(())
    }

    /// Panics if the statement would scan a growing table.
    pub(in crate::store) fn check_plan(&self, sql: &str) {
        // a statement that cannot be planned fails when it runs
        let scans = scans(&self.store_connection().connection, sql).unwrap_or_default();
        assert!(scans.is_empty(), "{scans:?} under the write lock: {sql}");
    }
}

/// Returns the steps of a plan that scan a growing table.
fn scans(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let steps = plan(connection, sql)?;
    // the rows of a query within the statement, whose own steps are in the plan too
    let is_query = |name: &str| {
        steps.iter().any(|step| {
            let made = step
                .strip_prefix("CO-ROUTINE ")
                .or(step.strip_prefix("MATERIALIZE "));
            made == Some(name)
        })
    };
    let is_scan = |step: &&String| {
        let Some(scanned) = step.strip_prefix("SCAN ") else {
            return false;
        };
        let table = scanned.split(' ').next().unwrap_or_default();
        let is_table = table != "CONSTANT" && !table.starts_with('(') && !is_query(table);
        let is_small = SMALL.contains(&table) || SHORT.iter().any(|index| scanned.ends_with(index));
        is_table && !is_small
    };
    Ok(steps.iter().filter(is_scan).cloned().collect())
}

/// Returns the steps of a statement's plan.
fn plan(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next()? {
        steps.push(row.get(3)?);
    }
    Ok(steps)
}

/// Returns the steps of a statement's plan in an empty store.
#[cfg(test)]
pub(in crate::store) fn plan_in_new_store(sql: &str) -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(super::SCHEMA).unwrap();
    plan(&connection, sql).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_reads_a_whole_table_is_found() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(super::super::SCHEMA).unwrap();
        let found = |sql| !scans(&connection, sql).unwrap().is_empty();
        assert!(found("DELETE FROM failure WHERE cost = ?1"));
        assert!(found("SELECT count(*) FROM account"));
        assert!(found("UPDATE account SET password = NULL"));
        assert!(found("SELECT id FROM event ORDER BY id LIMIT 1"));
        assert!(!found("SELECT id FROM account WHERE name = ?1"));
        assert!(!found("UPDATE revision SET number = number + 1"));
        assert!(!found("INSERT INTO gate (id, seen) VALUES (?1, ?2)"));
    }
}
