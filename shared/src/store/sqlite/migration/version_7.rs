//! Migration from version 7 to version 8: the tables of passkeys, of the codes that they make, and of
//! requests that they approve, are added.

use super::create_missing;
use crate::store::StoreResult;
use rusqlite::Connection;

pub(super) const SCHEMA: &str = include_str!("schema_7.sql");

pub(super) fn migrate(connection: &Connection, next: &str) -> StoreResult<()> {
    create_missing(connection, next)
}
