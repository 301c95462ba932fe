//! `postern upgrade` on PostgreSQL: migrates a store of an older version to this program's, in one
//! transaction beside which no other one writes. An interruption leaves the old store.
//!
//! MUST NOT write to a store whose tables are not those of its version.

use super::connection::{Server, ServerConnection};
use super::schema::{has_store, missing};
use super::schema_check::check_schema;
use super::transfer::{self, stored_version};
use super::{VERSION, version_error};
use crate::store::sqlite::{SCHEMA, StopsBlocked, tables_of};
use crate::store::{StoreResult, UpgradeResult};

/// Migration from one version to the next.
pub(super) struct PostgresMigration {
    pub(super) from: i64,
    /// Schema of a store of version `from`, as SQLite reads it.
    pub(super) schema: &'static str,
    /// Statements that make the next version of it. The caller sets the version.
    pub(super) statements: &'static str,
}

/// Migrations in order, without a gap. Version 5 is the first that stores in PostgreSQL have; tests
/// have an older one.
const MIGRATIONS: &[PostgresMigration] = &[
    #[cfg(test)]
    tests::FROM_VERSION_4,
];

pub(super) fn is_upgradable(version: i64) -> bool {
    MIGRATIONS.iter().any(|one| one.from == version)
}

pub(in crate::store) fn upgrade(server: &Server) -> StoreResult<UpgradeResult> {
    let _blocked = StopsBlocked::new();
    let connection = server.connect()?;
    if !has_store(&connection)? {
        return Err(missing(server));
    }
    // before any wait
    if stored_version(&connection)? == Some(VERSION) {
        check_schema(&connection, &tables_of(SCHEMA)?)?;
        return Ok(UpgradeResult::UpToDate(VERSION));
    }
    drop(connection);
    let connection = transfer::begin(server)?;
    // another upgrade may have been faster
    let found = stored_version(&connection)?;
    let from = match found {
        Some(VERSION) => return Ok(UpgradeResult::UpToDate(VERSION)),
        Some(version) if is_upgradable(version) => version,
        found => return Err(transfer::version_error(&connection, found)),
    };
    migrate(&connection, from)?;
    connection.run("COMMIT", transfer::TIME_LIMIT)?;
    Ok(UpgradeResult::Upgraded {
        from,
        to: VERSION,
        backup: None,
    })
}

/// Runs every migration from a version on, within the transaction that has begun.
fn migrate(connection: &ServerConnection, from: i64) -> StoreResult<()> {
    for migration in MIGRATIONS.iter().skip_while(|one| one.from != from) {
        check_schema(connection, &tables_of(migration.schema)?)?;
        connection.run(migration.statements, transfer::TIME_LIMIT)?;
        transfer::set_version(connection, migration.from + 1)?;
    }
    match stored_version(connection)? {
        Some(VERSION) => check_schema(connection, &tables_of(SCHEMA)?),
        found => Err(version_error(found)),
    }
}

#[cfg(test)]
mod tests;
