//! Check of the tables in a database: those of the store, with their columns, must be this program's.
//! What else the database holds, such as an extension, is not looked at.
//!
//! MUST run when a store is opened: a trigger that someone added could undo what an act has written.

use super::connection::DatabaseConnection;
use super::{READING, WRITING};
use crate::store::table::{ColumnKind, Table};
use crate::store::{StoreError, StoreResult};
use std::collections::BTreeSet;

/// Refuses a database whose tables are not `tables`, and names the difference.
pub(super) fn check_schema(connection: &DatabaseConnection, tables: &[Table]) -> StoreResult<()> {
    let wrong = |what: String| Err(StoreError::Shape(what));
    let names: Vec<String> = tables.iter().map(|one| format!("'{}'", one.name)).collect();
    let names = names.join(", ");
    let found = read_lines(connection, &columns_statement(&names))?;
    let known: BTreeSet<String> = tables.iter().flat_map(lines).collect();
    if let Some(missing) = known.difference(&found).next() {
        let column = missing.split(' ').next().unwrap_or_default();
        let has_other = found
            .iter()
            .any(|line| line.split(' ').next() == Some(column));
        return match has_other {
            true => wrong(format!("column {column} differs from this program's")),
            false => wrong(format!("column {column} is missing")),
        };
    }
    if let Some(added) = found.difference(&known).next() {
        let column = added.split(' ').next().unwrap_or_default();
        return wrong(format!("column {column} is unexpected"));
    }
    match read_lines(connection, &added_statement(&names))?.pop_first() {
        Some(added) => wrong(format!("{added} is unexpected")),
        None => Ok(()),
    }
}

/// Returns the lines of a text.
fn read_lines(connection: &DatabaseConnection, sql: &str) -> StoreResult<BTreeSet<String>> {
    let text = connection.run(sql, READING.min(WRITING))?;
    let text = text.into_iter().flatten().next().unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

/// Returns a statement for one line per column: table and name, type, collation, whether it may be
/// NULL, whether the database numbers it.
fn columns_statement(names: &str) -> String {
    format!(
        "SELECT string_agg(concat_ws(' ', relname || '.' || attname, format_type(atttypid, atttypmod), \
         'COLLATE ' || nullif(collname, ''), CASE WHEN attnotnull THEN 'NOT NULL' END, \
         CASE WHEN attidentity <> '' THEN 'IDENTITY' END), E'\\n') \
         FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
         LEFT JOIN pg_collation ON pg_collation.oid = attcollation \
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname IN ({names}) \
         AND attnum > 0 AND NOT attisdropped"
    )
}

/// Returns a statement for one line per trigger, rule and policy of the tables.
fn added_statement(names: &str) -> String {
    format!(
        "WITH ours AS (SELECT oid, relname, relrowsecurity FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace AND relname IN ({names})) \
         SELECT string_agg(added, E'\\n') FROM (\
         SELECT 'trigger ' || tgname AS added FROM pg_trigger JOIN ours ON ours.oid = tgrelid WHERE NOT tgisinternal \
         UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite JOIN ours ON ours.oid = ev_class \
         UNION ALL SELECT 'row security of table ' || relname FROM ours WHERE relrowsecurity) AS found"
    )
}

/// Returns the lines of a table that this program makes.
fn lines(table: &Table) -> Vec<String> {
    let line = |column: &crate::store::table::TableColumn| {
        let kind = match column.kind {
            ColumnKind::Integer => "bigint",
            ColumnKind::Text => "text COLLATE C",
            ColumnKind::Bytes => "bytea",
        };
        let null = if column.is_nullable { "" } else { " NOT NULL" };
        let numbered = match table.is_numbered && column.key_position > 0 {
            true => " IDENTITY",
            false => "",
        };
        format!("{}.{} {kind}{null}{numbered}", table.name, column.name)
    };
    table.columns.iter().map(line).collect()
}
