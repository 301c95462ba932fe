//! Check of the store's schema. The schema in a store is compared with this program's, object by
//! object and character by character, and the rows of small tables are counted.
//!
//! MUST run before any statement reads the store: a view, a trigger or a virtual table that another
//! program added would run in this process.

use super::SCHEMA;
use crate::store::{StoreError, StoreResult};
use data_encoding::HEXLOWER;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

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

/// SHA-256 of the objects that SQLite makes of [`SCHEMA`]. A store with this digest, which is every
/// store but an altered one, is opened without making them again.
const DIGEST: &str = "c8c7b5e8345803c4fae33b11a03b8d1d31e9358d242e8db87cbc78793ce548c5";

/// Refuses a store with another schema than this program's, and names the difference.
pub(super) fn check_schema(connection: &Connection) -> StoreResult<()> {
    if digest(&read_schema(connection)?) != DIGEST {
        compare_schema(connection, SCHEMA)?;
    }
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
pub(super) fn compare_schema(connection: &Connection, schema: &str) -> StoreResult<()> {
    let found = read_schema(connection)?;
    let known = expected(schema)?;
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

fn digest(objects: &BTreeMap<String, Object>) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{objects:?}")))
}

/// Returns the SHA-256 of a store's schema, in hexadecimal.
pub(super) fn schema_hash(connection: &Connection) -> StoreResult<String> {
    let mut hash = Sha256::new();
    for (kind, name, table, sql) in read_schema(connection)?.into_values() {
        for text in [kind, name, table, sql.unwrap_or_default()] {
            hash.update(text);
            hash.update([0]);
        }
    }
    Ok(HEXLOWER.encode(&hash.finalize()))
}

/// Returns the tables and indexes that a schema creates, tables first: name and statement.
pub(super) fn created_by(schema: &str) -> StoreResult<Vec<(String, String)>> {
    let mut objects: Vec<_> = expected(schema)?.into_values().collect();
    objects.sort_by_key(|(kind, ..)| kind == "index");
    // SQLite creates its own tables itself
    objects.retain(|(_, name, ..)| !name.starts_with("sqlite_"));
    let created = objects
        .into_iter()
        .filter_map(|(_, name, _, sql)| Some((name, sql?)));
    Ok(created.collect())
}

fn read_schema(connection: &Connection) -> StoreResult<BTreeMap<String, Object>> {
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

/// Returns what SQLite stores for a schema.
fn expected(schema: &str) -> StoreResult<BTreeMap<String, Object>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(schema)?;
    read_schema(&connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::VERSION;

    /// SHA-256 of schema.sql, by version.
    const SCHEMAS: [(i64, &str); 4] = [
        (
            5,
            "af89836f9ca4157dc8a48a540fd101c9230daa3be5df6719ef1081cad4b2e3ad",
        ),
        (
            6,
            "9b476e4a55a429fa40bec6d4d55bf836c8a8fb4acf6a106bb933f0c3d480bc51",
        ),
        (
            7,
            "4146d7d89a330947036eccb2206bb0952bff6e0d6cff980d370f4e444d40bd6c",
        ),
        (
            8,
            "5a903dba29b660a8a6195c5a072dbfbce4a6e3a6a16bae71da20dc5328f79934",
        ),
    ];

    /// A changed schema without a new version would fail on the stores of both programs.
    #[test]
    fn a_changed_schema_has_a_version_of_its_own() {
        let hash = HEXLOWER.encode(&Sha256::digest(SCHEMA));
        assert_eq!(SCHEMAS.last().copied(), Some((VERSION, hash.as_str())));
    }

    #[test]
    fn the_digest_is_that_of_this_programs_schema() {
        assert_eq!(digest(&expected(SCHEMA).unwrap()), DIGEST);
    }
}
