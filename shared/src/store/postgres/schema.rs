//! Creation of the schema in an empty database, and its version.
//!
//! MUST NOT change a database that holds a store.

use super::connection::{DatabaseConnection, Server};
use super::{VERSION, WRITING, dialect};
use crate::crypto::vault::WrappedKey;
use crate::store::sqlite::SCHEMA;
use crate::store::{StoreError, StoreResult};
use data_encoding::HEXLOWER;

/// Table with the version of the store, which SQLite keeps in the header of its file.
pub(super) const VERSION_TABLE: &str = "CREATE TABLE store_version (version BIGINT NOT NULL)";

/// Makes the server reuse the space of overwritten and removed secrets soon: by default, a table of a
/// million rows keeps two hundred thousand of them. That hides them from statements and shortens
/// their time in the file; no setting of a table erases them, neither this nor a fill factor.
pub(super) const STORAGE: &str = "\
    ALTER TABLE secret SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50); \
    ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50); \
    ALTER TABLE data_key SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5)";

/// Creates a store with these data keys, in one transaction. An existing one is an error.
pub(in crate::store) fn create(server: &Server, keys: &[WrappedKey]) -> StoreResult<()> {
    let connection = server.connect()?;
    if has_store(&connection)? {
        return Err(StoreError::Engine(format!(
            "{} holds a store already",
            server.url
        )));
    }
    let mut statements = format!(
        "BEGIN; {VERSION_TABLE}; INSERT INTO store_version (version) VALUES ({VERSION}); {}; {STORAGE}; ",
        dialect::schema(SCHEMA)
    );
    for key in keys {
        // quoted: purposes are words of this program
        statements.push_str(&format!(
            "INSERT INTO data_key (purpose, master, wrapped) VALUES ('{}', '\\x{}', '\\x{}'); ",
            key.purpose.replace('\'', "''"),
            HEXLOWER.encode(&key.master),
            HEXLOWER.encode(&key.wrapped)
        ));
    }
    connection
        .run(&format!("{statements} COMMIT"), WRITING)
        .map(drop)
}

/// Returns whether the database holds a store.
pub(in crate::store) fn exists(server: &Server) -> StoreResult<bool> {
    has_store(&server.connect()?)
}

/// Returns that the database holds no store.
pub(super) fn missing(server: &Server) -> StoreError {
    StoreError::Engine(format!("{} holds no store; run postern init", server.url))
}

/// Returns the version of the store in the database.
pub(in crate::store) fn version(server: &Server) -> StoreResult<i64> {
    let connection = server.connect()?;
    if !has_store(&connection)? {
        return Err(missing(server));
    }
    let found = connection.run("SELECT version FROM store_version", WRITING)?;
    let found = found.into_iter().flatten().next();
    found
        .and_then(|version| version.parse().ok())
        .ok_or_else(|| super::version_error(None))
}

pub(super) fn has_store(connection: &DatabaseConnection) -> StoreResult<bool> {
    let sql = "SELECT to_regclass('public.store_version') IS NOT NULL";
    Ok(connection.run(sql, WRITING)?.first() == Some(&Some("t".to_owned())))
}
