//! The store from outside: what stands in it before and after an answer.

use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::Path;

/// Tables of counts; all others hold what opens doors.
const COUNTS: [&str; 2] = ["failure", "address_failure"];
/// Tables that tell of what happened.
const WRITTEN: [&str; 2] = ["event", "bucket_lock"];

/// What stands there at one moment.
pub(crate) struct Look {
    /// All that is neither count nor log.
    pub(crate) facts: Vec<String>,
    /// The counts.
    pub(crate) counts: Vec<String>,
    /// How much the log and the locks hold.
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

    /// How many rows of guesses are locked.
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
