//! The content of the store before and after an input, read with SQLite alone.

use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::Path;

/// Tables of charges. All other tables hold what decides about access.
const COUNTS: [&str; 2] = ["failure", "address_failure"];
/// Tables that record what happened.
const WRITTEN: [&str; 2] = ["event", "bucket_lock"];

/// The content of the store at one moment.
pub(crate) struct Look {
    /// All rows of tables that hold neither charges nor records.
    pub(crate) facts: Vec<String>,
    pub(crate) counts: Vec<String>,
    /// Number of rows in each table of records.
    pub(crate) written: Vec<i64>,
}

pub(crate) struct Store {
    engine: Connection,
    facts: Vec<String>,
}

impl Store {
    pub(crate) fn open(path: &Path) -> Store {
        let engine = Connection::open(path).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
        let mut statement = engine.prepare(sql).unwrap();
        let names = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .map(Result::unwrap);
        let facts = names
            .filter(|name| !COUNTS.contains(&name.as_str()) && !WRITTEN.contains(&name.as_str()));
        let facts = facts.collect();
        drop(statement);
        Store { engine, facts }
    }

    pub(crate) fn look(&self) -> Look {
        Look {
            facts: self
                .facts
                .iter()
                .flat_map(|table| self.rows(table))
                .collect(),
            counts: COUNTS.iter().flat_map(|table| self.rows(table)).collect(),
            written: WRITTEN.iter().map(|table| self.count(table)).collect(),
        }
    }

    /// Returns the number of locked buckets.
    pub(crate) fn locks(&self) -> usize {
        usize::try_from(self.count("bucket_lock")).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        self.engine
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap()
    }

    fn rows(&self, table: &str) -> Vec<String> {
        let mut statement = self
            .engine
            .prepare(&format!("SELECT * FROM {table}"))
            .unwrap();
        let columns = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
            let values: Vec<Value> = (0..columns)
                .map(|column| row.get(column))
                .collect::<Result<_, _>>()?;
            Ok(format!("{table} {values:?}"))
        };
        statement
            .query_map([], read)
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }
}
