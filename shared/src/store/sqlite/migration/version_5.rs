//! Migration from version 5 to version 6: tables for the hosts of a fleet are added.

use super::create_missing;
use crate::store::StoreResult;
use rusqlite::Connection;

pub(super) const SCHEMA: &str = include_str!("schema_5.sql");

pub(super) fn migrate(connection: &Connection, next: &str) -> StoreResult<()> {
    create_missing(connection, next)
}
