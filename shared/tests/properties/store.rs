//! The content of the store before and after an input, read without the engine.

use crate::test_store::TestFolder;
use crate::test_store::server::Database;
use rusqlite::Connection;
use rusqlite::types::Value;

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
    reader: Reader,
    facts: Vec<String>,
}

enum Reader {
    Sqlite(Connection),
    Postgres(Database),
}

impl Store {
    pub(crate) fn open(folder: &TestFolder) -> Store {
        let reader = match &folder.database {
            Some(database) => Reader::Postgres(Database::clone(database)),
            None => Reader::Sqlite(Connection::open(folder.path().join("store/db")).unwrap()),
        };
        let mut facts = match &reader {
            Reader::Sqlite(engine) => tables(engine),
            Reader::Postgres(database) => database.tables(),
        };
        facts.retain(|name| !COUNTS.contains(&name.as_str()) && !WRITTEN.contains(&name.as_str()));
        Store { reader, facts }
    }

    pub(crate) fn look(&self) -> Look {
        Look {
            facts: self.rows(&self.facts),
            counts: self.rows(&COUNTS.map(str::to_owned)),
            written: WRITTEN.iter().map(|table| self.count(table)).collect(),
        }
    }

    /// Returns the number of locked buckets.
    pub(crate) fn locks(&self) -> usize {
        usize::try_from(self.count("bucket_lock")).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        match &self.reader {
            Reader::Sqlite(engine) => engine.query_row(&sql, [], |row| row.get(0)).unwrap(),
            Reader::Postgres(database) => database.number(&sql),
        }
    }

    /// Returns all rows of these tables, as text.
    fn rows(&self, tables: &[String]) -> Vec<String> {
        match &self.reader {
            Reader::Sqlite(engine) => tables
                .iter()
                .flat_map(|table| table_rows(engine, table))
                .collect(),
            Reader::Postgres(database) => {
                let rows = database.rows(tables).into_iter();
                let mut rows: Vec<_> = rows.map(|(table, row)| format!("{table} {row}")).collect();
                // an update moves a row to the end
                rows.sort_unstable();
                rows
            }
        }
    }
}

fn tables(engine: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
    let mut statement = engine.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

fn table_rows(engine: &Connection, table: &str) -> Vec<String> {
    let mut statement = engine.prepare(&format!("SELECT * FROM {table}")).unwrap();
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
