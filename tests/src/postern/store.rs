//! The store as a plain SQLite database, for what commands do not show: its rows, its bytes, its
//! integrity.

use crate::machine::files::{STORE, STORE_FOLDER};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// The store of the test host.
pub struct Store(Connection);

impl Store {
    #[track_caller]
    pub fn open() -> Store {
        let opened = Connection::open_with_flags(STORE, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let connection = opened.expect("the store opens");
        // Otherwise the last process to close the store removes files that the gate's user cannot
        // make.
        let kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        kept.expect("a setting");
        Store(connection)
    }

    /// Returns the values of one column.
    #[track_caller]
    pub fn numbers(&self, sql: &str) -> Vec<i64> {
        let mut statement = self.0.prepare(sql).expect("a statement");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("numbers")
    }

    /// Returns a single number.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        self.numbers(sql)[0]
    }

    /// Returns the bytes of a single value.
    #[track_caller]
    pub fn bytes(&self, sql: &str) -> Vec<u8> {
        self.0.query_row(sql, [], |row| row.get(0)).expect("bytes")
    }

    /// Returns whether one of its files contains these bytes.
    pub fn holds(bytes: &[u8]) -> bool {
        let files = std::fs::read_dir(STORE_FOLDER)
            .expect("the store's folder")
            .flatten();
        files
            .filter_map(|entry| std::fs::read(entry.path()).ok())
            .any(|file| file.windows(bytes.len()).any(|window| window == bytes))
    }

    /// Changes the store without the engine, as an attacker or a fault would.
    #[track_caller]
    pub fn changes(&self, sql: &str) {
        self.0.execute_batch(sql).expect("a statement");
    }

    /// Returns every row of every table, as text.
    #[track_caller]
    pub fn dump(&self) -> String {
        let mut tables = self
            .0
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .expect("a statement");
        let names = tables
            .query_map([], |row| row.get::<_, String>(0))
            .expect("rows");
        names
            .map(|name| self.dump_of(&name.expect("a name")))
            .collect()
    }

    fn dump_of(&self, table: &str) -> String {
        let mut statement = self
            .0
            .prepare(&format!("SELECT * FROM {table}"))
            .expect("a statement");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("rows");
        let mut text = String::new();
        while let Some(row) = rows.next().expect("a row") {
            text.push_str(table);
            for column in 0..columns {
                let value = match row.get_ref(column).expect("a column") {
                    ValueRef::Null => "-".to_owned(),
                    ValueRef::Integer(number) => number.to_string(),
                    ValueRef::Real(number) => number.to_string(),
                    ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    ValueRef::Blob(bytes) => {
                        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
                    }
                };
                text.push('|');
                text.push_str(&value);
            }
            text.push('\n');
        }
        text
    }

    /// Panics unless SQLite's integrity check passes.
    #[track_caller]
    pub fn is_sound(&self) {
        let output: String = self
            .0
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("a check");
        assert_eq!(output, "ok");
        assert_eq!(
            self.numbers("SELECT count(*) FROM pragma_foreign_key_check"),
            [0]
        );
    }
}
