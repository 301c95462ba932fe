//! Migration from version 6 to version 7: the tables of what servers have seen of hosts, and of
//! break-glass codes, are added.

use super::create_missing;
use crate::store::StoreResult;
use rusqlite::Connection;

pub(super) const SCHEMA: &str = include_str!("schema_6.sql");

pub(super) fn migrate(connection: &Connection, next: &str) -> StoreResult<()> {
    create_missing(connection, next)
}
