//! Transfer of a store to another place, for `postern migrate-store`: from a file to PostgreSQL, or
//! back.
//!
//! The old store is locked against writes from before the first row is read. All rows are copied in
//! one transaction, and compared. Then, in three commits, so that at no moment both stores are in
//! force:
//!
//! 1. the copy becomes durable, marked as incomplete: no program opens it;
//! 2. the old store is marked as moved: from now on no program opens it;
//! 3. the mark of the copy is removed: it is in force.
//!
//! An interruption before 2 leaves the old store in force, one before 3 none: the same command then
//! completes it.

mod digest;
mod mark;
mod plan;

use super::column::Value;
use super::postgres::{self, PostgresSource, PostgresTarget, Server};
use super::sqlite::{self, SqliteSource, SqliteTarget};
use super::table::Table;
use super::{StoreError, StoreResult};
use crate::config::{StoreConfig, StoreUrl};
use crate::system::clock::Timestamp;
use digest::RowsDigest;

pub use mark::TransferId;
pub(super) use mark::{
    ADD_MARK, DROP_MARK, INCOMPLETE, MARK_TABLE, MOVED, READ_MARK, StoreState, TransferMark,
};
pub use plan::TransferPlan;

/// What reads a row.
pub(super) type ReadRow<'a> = &'a mut dyn FnMut(&[Value<'_>]) -> StoreResult<()>;

/// A table, and how many rows it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedTable {
    pub name: String,
    pub rows: u64,
}

/// Returns what a transfer between these places has to do.
///
/// # Errors
/// There is no store to be moved, or the other place is not empty.
pub fn plan(source: &StoreConfig, target: &StoreConfig) -> StoreResult<TransferPlan> {
    plan::decide((&source.url, state(source)?), (&target.url, state(target)?))
}

fn state(settings: &StoreConfig) -> StoreResult<StoreState> {
    match &settings.url {
        StoreUrl::Sqlite(path) => sqlite::transfer_state(path),
        StoreUrl::Postgres(url) => postgres::transfer_state(&Server::new(url, settings)),
    }
}

/// Completes a transfer whose old store is marked as moved.
pub fn put_in_force(target: &StoreConfig, id: TransferId) -> StoreResult<()> {
    match &target.url {
        StoreUrl::Sqlite(path) => sqlite::put_in_force(path, id),
        StoreUrl::Postgres(url) => postgres::put_in_force(&Server::new(url, target), id),
    }
}

enum Source {
    Sqlite(SqliteSource),
    Postgres(PostgresSource),
}

enum Target {
    Sqlite(SqliteTarget),
    Postgres(PostgresTarget),
}

/// A transfer. It keeps the old store locked against writes until it is marked, or this is dropped.
pub struct StoreTransfer {
    source: Source,
    from: StoreUrl,
    tables: Vec<Table>,
    id: TransferId,
}

impl StoreTransfer {
    /// Locks a store against writes.
    pub fn begin(settings: &StoreConfig) -> StoreResult<StoreTransfer> {
        let tables = sqlite::schema_tables()?;
        let source = match &settings.url {
            StoreUrl::Sqlite(path) => Source::Sqlite(SqliteSource::lock(path)?),
            StoreUrl::Postgres(url) => {
                let server = Server::new(url, settings);
                Source::Postgres(PostgresSource::lock(&server, &tables)?)
            }
        };
        let id = TransferId::random().map_err(|error| StoreError::Engine(error.to_string()))?;
        Ok(StoreTransfer {
            source,
            from: settings.url.clone(),
            tables,
            id,
        })
    }

    pub fn id(&self) -> TransferId {
        self.id
    }

    /// Copies every row into an empty place in one transaction, reads the copy again and compares it,
    /// and commits it as incomplete. For a file, that is an empty one at a temporary path.
    pub fn copy(&mut self, to: &StoreConfig, now: Timestamp) -> StoreResult<Vec<CountedTable>> {
        let mut target = match &to.url {
            StoreUrl::Sqlite(path) => Target::Sqlite(SqliteTarget::begin(path, &self.tables)?),
            StoreUrl::Postgres(url) => {
                let server = Server::new(url, to);
                Target::Postgres(PostgresTarget::begin(&server, &self.tables, &self.from)?)
            }
        };
        let mut copied = Vec::new();
        for table in &self.tables {
            copied.push(copy_table(&mut self.source, &mut target, table)?);
        }
        target.create_indexes(&self.tables)?;
        let mut counted = Vec::new();
        for (table, copied) in self.tables.iter().zip(&copied) {
            let mut found = RowsDigest::default();
            target.read(&table.select(), &table.name, &mut |values| {
                found.add(values);
                Ok(())
            })?;
            if found != *copied {
                return Err(StoreError::Engine(format!(
                    "the copy of table {} differs from the original ({} rows of {})",
                    table.name, found.rows, copied.rows
                )));
            }
            counted.push(CountedTable {
                name: table.name.clone(),
                rows: found.rows,
            });
        }
        target.commit(&TransferMark {
            id: self.id,
            url: self.from.clone(),
            at: now,
        })?;
        Ok(counted)
    }

    /// Marks the old store as moved, durably. No program opens it any more.
    pub fn mark_moved(self, to: &StoreUrl, now: Timestamp) -> StoreResult<()> {
        let mark = TransferMark {
            id: self.id,
            url: to.clone(),
            at: now,
        };
        match self.source {
            Source::Sqlite(source) => source.mark_moved(&mark),
            Source::Postgres(source) => source.mark_moved(&mark),
        }
    }
}

/// Copies the rows of a table, and the last number that it gave.
fn copy_table(source: &mut Source, target: &mut Target, table: &Table) -> StoreResult<RowsDigest> {
    let mut digest = RowsDigest::default();
    target.begin_table(table)?;
    source.read(&table.select(), &table.name, &mut |values| {
        digest.add(values);
        target.write_row(table, values)
    })?;
    target.end_table()?;
    if table.is_numbered {
        target.set_last_number(table, source.last_number(table)?)?;
    }
    Ok(digest)
}

impl Source {
    fn read(&mut self, sql: &str, table: &str, read: ReadRow<'_>) -> StoreResult<()> {
        match self {
            Source::Sqlite(source) => source.read(sql, read),
            Source::Postgres(source) => source.read(sql, table, read),
        }
    }

    fn last_number(&mut self, table: &Table) -> StoreResult<i64> {
        match self {
            Source::Sqlite(source) => source.last_number(table),
            Source::Postgres(source) => source.last_number(table),
        }
    }
}

impl Target {
    fn begin_table(&mut self, table: &Table) -> StoreResult<()> {
        match self {
            Target::Sqlite(_) => Ok(()),
            Target::Postgres(target) => target.begin_table(table),
        }
    }

    fn write_row(&mut self, table: &Table, values: &[Value<'_>]) -> StoreResult<()> {
        match self {
            Target::Sqlite(target) => target.write_row(table, values),
            Target::Postgres(target) => target.write_row(table, values),
        }
    }

    fn end_table(&mut self) -> StoreResult<()> {
        match self {
            Target::Sqlite(_) => Ok(()),
            Target::Postgres(target) => target.end_table(),
        }
    }

    fn set_last_number(&mut self, table: &Table, number: i64) -> StoreResult<()> {
        match self {
            Target::Sqlite(target) => target.set_last_number(table, number),
            Target::Postgres(target) => target.set_last_number(table, number),
        }
    }

    fn create_indexes(&mut self, tables: &[Table]) -> StoreResult<()> {
        match self {
            Target::Sqlite(target) => target.create_indexes(),
            Target::Postgres(target) => target.create_indexes(tables),
        }
    }

    fn read(&mut self, sql: &str, table: &str, read: ReadRow<'_>) -> StoreResult<()> {
        match self {
            Target::Sqlite(target) => target.read(sql, read),
            Target::Postgres(target) => target.read(sql, table, read),
        }
    }

    fn commit(self, mark: &TransferMark) -> StoreResult<()> {
        match self {
            Target::Sqlite(target) => target.commit(mark),
            Target::Postgres(target) => target.commit(mark),
        }
    }
}
