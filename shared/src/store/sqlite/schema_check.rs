//! Check of the store's schema. The schema in a store is compared with this program's, object by
//! object and character by character, and the rows of small tables are counted.
//!
//! MUST run before any statement reads the store: a view, a trigger or a virtual table that another
//! program added would run in this process.

use super::SCHEMA;
use crate::store::StoreError;
use data_encoding::HEXLOWER;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Tables with a bounded number of rows, which are read whole.
const SMALL: [(&str, u32); 7] = [
    ("data_key", 64),
    ("renewal", 1),
    ("revision", 1),
    ("revision_time", 10_000),
    ("app_password_revision", 1),
    ("gate", 1000),
    ("sqlite_sequence", 64),
];
/// Maximum of objects that are read of a schema.
const MOST_OBJECTS: usize = 200;

/// Object of a schema: kind, name, table, and its SQL text, if any.
type Object = (String, String, String, Option<String>);

/// Refuses a store with another schema than this program's, and names the difference.
pub(super) fn check_schema(connection: &Connection) -> Result<(), StoreError> {
    compare_schema(connection, SCHEMA)?;
    for (table, most) in SMALL {
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {})",
            u64::from(most) + 1
        );
        let rows: u32 = connection.query_row(&sql, [], |row| row.get(0))?;
        if rows > most {
            return Err(StoreError::Shape(format!(
                "table {table} holds more than {most} rows"
            )));
        }
    }
    Ok(())
}

/// Refuses a store with another schema than `schema`, and names the difference.
pub(super) fn compare_schema(connection: &Connection, schema: &str) -> Result<(), StoreError> {
    let found = read_schema(connection)?;
    let known = expected(schema);
    let wrong = |what: String| Err(StoreError::Shape(what));
    for (name, object) in &found {
        match known.get(name) {
            None => return wrong(format!("{} {name} is unexpected", object.0)),
            Some(known) if known != object => {
                return wrong(format!("{} {name} differs from this program's", object.0));
            }
            Some(_) => {}
        }
    }
    let mut missing: Vec<_> = known
        .iter()
        .filter(|(name, _)| !found.contains_key(*name))
        .collect();
    // a table before its indexes
    missing.sort_by_key(|(_, object)| object.0 == "index");
    if let Some((name, object)) = missing.first() {
        return wrong(format!("{} {name} is missing", object.0));
    }
    Ok(())
}

/// Returns the SHA-256 of a store's schema, in hexadecimal.
pub(super) fn schema_hash(connection: &Connection) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    for (kind, name, table, sql) in read_schema(connection)?.into_values() {
        for text in [kind, name, table, sql.unwrap_or_default()] {
            hash.update(text);
            hash.update([0]);
        }
    }
    Ok(HEXLOWER.encode(&hash.finalize()))
}

/// Returns the tables and indexes that a schema creates: name and statement.
pub(super) fn created_by(schema: &str) -> impl Iterator<Item = (&str, &str)> {
    statements(schema).into_iter().filter_map(|sql| {
        let mut words = sql.split([' ', '(', '\n']).filter(|word| !word.is_empty());
        match (words.next()?, words.next()?, words.next()?) {
            ("CREATE", "TABLE" | "INDEX", name) => Some((name, sql)),
            ("CREATE", "UNIQUE", "INDEX") => Some((words.next()?, sql)),
            _ => None,
        }
    })
}

fn read_schema(connection: &Connection) -> Result<BTreeMap<String, Object>, StoreError> {
    let sql = format!(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema LIMIT {}",
        MOST_OBJECTS + 1
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let object: Object = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let name = object.1.clone();
        if found.len() == MOST_OBJECTS || found.insert(name.clone(), object).is_some() {
            return Err(StoreError::Shape(format!(
                "its schema has {name} and too many others"
            )));
        }
    }
    Ok(found)
}

/// Returns what SQLite stores for a schema. SQLite keeps the text of each statement from CREATE to
/// before the semicolon, and adds an index for each key that is not a rowid.
fn expected(schema: &str) -> BTreeMap<String, Object> {
    let mut objects = BTreeMap::new();
    let mut put = |kind: &str, name: &str, table: &str, sql: Option<&str>| {
        let object = (
            kind.to_owned(),
            name.to_owned(),
            table.to_owned(),
            sql.map(str::to_owned),
        );
        objects.insert(name.to_owned(), object);
    };
    let mut numbered = BTreeSet::new();
    for sql in statements(schema) {
        let words: Vec<&str> = sql
            .split([' ', '(', '\n'])
            .filter(|word| !word.is_empty())
            .collect();
        match words.as_slice() {
            ["CREATE", "TABLE", name, ..] => {
                put("table", name, name, Some(sql));
                let code = without_comments(sql);
                for number in 1..=own_indexes(&code) {
                    put(
                        "index",
                        &format!("sqlite_autoindex_{name}_{number}"),
                        name,
                        None,
                    );
                }
                if code.contains("AUTOINCREMENT") {
                    numbered.insert("sqlite_sequence");
                }
            }
            ["CREATE", "INDEX", name, "ON", table, ..] => put("index", name, table, Some(sql)),
            ["CREATE", "UNIQUE", "INDEX", name, "ON", table, ..] => {
                put("index", name, table, Some(sql))
            }
            _ => {}
        }
    }
    for name in numbered {
        put(
            "table",
            name,
            name,
            Some("CREATE TABLE sqlite_sequence(name,seq)"),
        );
    }
    objects
}

/// Returns the number of indexes that SQLite adds to a table.
fn own_indexes(code: &str) -> usize {
    let unique = code.matches("UNIQUE").count();
    if code.contains("WITHOUT ROWID") {
        return unique;
    }
    unique + code.matches("PRIMARY KEY").count() - code.matches("INTEGER PRIMARY KEY").count()
}

/// Splits a text into statements, without the comments before each and without its semicolon.
fn statements(text: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let Some(end) = end(rest) else {
            return statements;
        };
        statements.push(rest[..end].trim_end());
        rest = &rest[end + 1..];
    }
}

/// Returns the position of the first semicolon outside of comments.
fn end(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let found = at + text[at..].find([';', '-'])?;
        match &text[found..] {
            rest if rest.starts_with(';') => return Some(found),
            rest if rest.starts_with("--") => at = found + rest.find('\n')?,
            _ => at = found + 1,
        }
    }
}

fn without_comments(sql: &str) -> String {
    sql.lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::VERSION;

    /// SHA-256 of schema.sql, by version.
    const SCHEMAS: [(i64, &str); 1] = [(
        5,
        "af89836f9ca4157dc8a48a540fd101c9230daa3be5df6719ef1081cad4b2e3ad",
    )];

    /// A changed schema without a new version would fail on the stores of both programs.
    #[test]
    fn a_schema_that_changes_has_a_version_of_its_own() {
        let hash = HEXLOWER.encode(&Sha256::digest(SCHEMA));
        assert_eq!(SCHEMAS.last().copied(), Some((VERSION, hash.as_str())));
    }

    /// The schema derived from the text is the one that SQLite stores.
    #[test]
    fn the_expected_shape_is_what_the_schema_makes() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        assert_eq!(read_schema(&connection).unwrap(), expected(SCHEMA));
        check_schema(&connection).unwrap();
    }

    #[test]
    fn a_statement_ends_at_no_semicolon_of_a_comment() {
        let text = "-- a; b\nCREATE TABLE a (b TEXT); -- x\n\nINSERT INTO a\n-- 'c;'\nVALUES (1 - 2);\n-- end;";
        let expected = [
            "CREATE TABLE a (b TEXT)",
            "INSERT INTO a\n-- 'c;'\nVALUES (1 - 2)",
        ];
        assert_eq!(statements(text), expected);
    }
}
