//! A store's file at both ends of a transfer: see `store/transfer.rs`.

use super::connection::{connect, store_version, use_wal, user_version};
use super::files::{DatabasePath, location};
use super::locks::{StopsBlocked, lock_holder};
use super::wal::WalEnd;
use super::{APPLICATION, SCHEMA, VERSION, migration, refuse_file_size_limit, schema_check};
use crate::store::column::{Columns, Value};
use crate::store::table::{ColumnKind, Table, TableColumn};
use crate::store::transfer::{
    ADD_MARK, DROP_MARK, INCOMPLETE, MARK_TABLE, MOVED, READ_MARK, ReadRow, StoreState, TransferId,
    TransferMark,
};
use crate::store::{StoreError, StoreResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params_from_iter};
use std::path::{Path, PathBuf};

/// Page cache while a store is filled, in KiB.
const CACHED_KIB: i64 = 64 * 1024;

/// Returns what is at a path.
pub(in crate::store) fn transfer_state(path: &Path) -> StoreResult<StoreState> {
    if path.symlink_metadata().is_err() {
        return Ok(StoreState::Missing);
    }
    let _blocked = StopsBlocked::new();
    let path = location::check_trusted(path)?;
    let (connection, _) = connect(&path, migration::TIME_LIMIT)?;
    match store_version(&connection)? {
        VERSION => Ok(StoreState::InForce),
        found => match read_mark(&connection, found)? {
            Some(mark) => Ok(StoreState::of_mark(found, mark)),
            None => Err(migration::version_error(&connection, found)),
        },
    }
}

/// Returns the mark of a store whose version says that it has one.
pub(super) fn read_mark(connection: &Connection, found: i64) -> StoreResult<Option<TransferMark>> {
    if ![MOVED, INCOMPLETE].contains(&found) {
        return Ok(None);
    }
    schema_check::compare_schema(connection, &format!("{SCHEMA}{MARK_TABLE}"))?;
    let columns = connection
        .query_row(READ_MARK, [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let missing = || StoreError::Damaged("the mark of a transfer".to_owned());
    let (id, url, at) = columns.ok_or_else(missing)?;
    TransferMark::from_columns(id, url, at).map(Some)
}

fn add_mark(connection: &Connection, mark: &TransferMark) -> StoreResult<()> {
    let at = i64::try_from(mark.at.0).unwrap_or(i64::MAX);
    connection.execute_batch(MARK_TABLE)?;
    connection.execute(ADD_MARK, (&mark.id.0[..], mark.url.to_string(), at))?;
    Ok(())
}

/// Removes the mark of an incomplete store.
pub(in crate::store) fn put_in_force(path: &Path, id: TransferId) -> StoreResult<()> {
    let _blocked = StopsBlocked::new();
    let path = location::check_trusted(path)?;
    let database = DatabasePath::open(&path)?;
    let (connection, _) = connect(&path, migration::TIME_LIMIT)?;
    use_wal(&connection)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let found = store_version(&connection)?;
    match read_mark(&connection, found)? {
        Some(mark) if mark.id == id && found == INCOMPLETE => {}
        Some(mark) => return Err(mark.error(found)),
        None => return Err(migration::version_error(&connection, found)),
    }
    connection.execute_batch(DROP_MARK)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    schema_check::check_schema(&connection)?;
    database.check_unmoved()?;
    commit(&connection, &path)
}

fn commit(connection: &Connection, path: &Path) -> StoreResult<()> {
    connection.execute_batch("COMMIT").map_err(|error| {
        // the next process must not append to frames that may not have reached the disk
        WalEnd::new(path).record_failed_commit(connection, &error);
        StoreError::from(error)
    })
}

/// Returns the tables of this program's schema, each after those that it refers to.
pub(in crate::store) fn schema_tables() -> StoreResult<Vec<Table>> {
    tables_of(SCHEMA)
}

/// Returns the tables that a schema creates, in its order.
pub(in crate::store) fn tables_of(schema: &str) -> StoreResult<Vec<Table>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(schema)?;
    let sql = "SELECT name, sql FROM sqlite_schema \
               WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut tables = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, sql): (String, String) = (row.get(0)?, row.get(1)?);
        tables.push(Table {
            columns: table_columns(&connection, &name)?,
            is_numbered: sql.contains("AUTOINCREMENT"),
            name,
            sql,
        });
    }
    Ok(tables)
}

fn table_columns(connection: &Connection, table: &str) -> StoreResult<Vec<TableColumn>> {
    let sql = "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1) ORDER BY cid";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([table])?;
    let mut columns = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        let key_position: u32 = row.get(3)?;
        columns.push(TableColumn {
            name: row.get(0)?,
            kind: match kind.as_str() {
                "INTEGER" => ColumnKind::Integer,
                "TEXT" => ColumnKind::Text,
                _ => ColumnKind::Bytes,
            },
            is_nullable: !row.get::<_, bool>(2)? && key_position == 0,
            key_position,
        });
    }
    Ok(columns)
}

/// Returns the statements that create the indexes of this program's schema.
pub(in crate::store) fn schema_indexes() -> StoreResult<Vec<String>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(SCHEMA)?;
    let sql = "SELECT sql FROM sqlite_schema \
               WHERE type = 'index' AND sql IS NOT NULL ORDER BY rowid";
    let mut statement = connection.prepare(sql)?;
    let indexes = statement.query_map([], |row| row.get(0))?;
    Ok(indexes.collect::<rusqlite::Result<_>>()?)
}

fn read(connection: &Connection, sql: &str, read: ReadRow<'_>) -> StoreResult<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<Value<'_>> = (0..columns)
            .map(|column| row.value(column))
            .collect::<StoreResult<_>>()?;
        read(&values)?;
    }
    Ok(())
}

/// A store that is locked against writes.
pub(in crate::store) struct SqliteSource {
    connection: Connection,
    path: PathBuf,
    database: DatabasePath,
    _blocked: StopsBlocked,
}

impl SqliteSource {
    pub(in crate::store) fn lock(path: &Path) -> StoreResult<SqliteSource> {
        refuse_file_size_limit()?;
        let _blocked = StopsBlocked::new();
        let path = location::check_trusted(path)?;
        // before and after: a restore may exchange the file in between
        let database = DatabasePath::open(&path)?;
        let (connection, _) = connect(&path, migration::TIME_LIMIT)?;
        database.check_unmoved()?;
        let check = |found| match found {
            VERSION => schema_check::check_schema(&connection),
            found => Err(migration::version_error(&connection, found)),
        };
        check(store_version(&connection)?)?;
        use_wal(&connection)?;
        connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|error| match StoreError::from(error) {
                StoreError::Busy => lock_holder::busy_error(&path),
                error => error,
            })?;
        check(user_version(&connection)?)?;
        database.check_unmoved()?;
        Ok(SqliteSource {
            connection,
            path,
            database,
            _blocked,
        })
    }

    pub(in crate::store) fn read(&self, sql: &str, row: ReadRow<'_>) -> StoreResult<()> {
        read(&self.connection, sql, row)
    }

    /// Returns the last number that a table gave; 0 before the first.
    pub(in crate::store) fn last_number(&self, table: &Table) -> StoreResult<i64> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
        let found = self
            .connection
            .query_row(sql, [&table.name], |row| row.get(0));
        Ok(found.optional()?.unwrap_or(0))
    }

    pub(in crate::store) fn mark_moved(self, mark: &TransferMark) -> StoreResult<()> {
        add_mark(&self.connection, mark)?;
        self.connection.pragma_update(None, "user_version", MOVED)?;
        self.database.check_unmoved()?;
        commit(&self.connection, &self.path)
    }
}

/// A store that is being filled, in a file that no other process uses.
pub(in crate::store) struct SqliteTarget {
    connection: Connection,
}

impl SqliteTarget {
    /// Creates the tables in an empty file.
    pub(in crate::store) fn begin(path: &Path, tables: &[Table]) -> StoreResult<SqliteTarget> {
        refuse_file_size_limit()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(path, flags)?;
        // an interrupted transfer begins with a new file
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "cache_size", -CACHED_KIB)?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.execute_batch("BEGIN")?;
        for table in tables {
            connection.execute_batch(&table.sql)?;
        }
        Ok(SqliteTarget { connection })
    }

    pub(in crate::store) fn write_row(
        &mut self,
        table: &Table,
        values: &[Value<'_>],
    ) -> StoreResult<()> {
        let places: Vec<&str> = values.iter().map(|_| "?").collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            table.name,
            table.column_list(),
            places.join(", ")
        );
        self.connection
            .prepare_cached(&sql)?
            .execute(params_from_iter(values))?;
        Ok(())
    }

    pub(in crate::store) fn set_last_number(&self, table: &Table, number: i64) -> StoreResult<()> {
        let remove = "DELETE FROM sqlite_sequence WHERE name = ?1";
        self.connection.execute(remove, [&table.name])?;
        let add = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
        self.connection.execute(add, (&table.name, number))?;
        Ok(())
    }

    pub(in crate::store) fn create_indexes(&self) -> StoreResult<()> {
        for sql in schema_indexes()? {
            self.connection.execute_batch(&sql)?;
        }
        Ok(())
    }

    pub(in crate::store) fn read(&self, sql: &str, row: ReadRow<'_>) -> StoreResult<()> {
        read(&self.connection, sql, row)
    }

    /// Completes the file. The caller makes it durable.
    pub(in crate::store) fn commit(self, mark: &TransferMark) -> StoreResult<()> {
        add_mark(&self.connection, mark)?;
        self.connection
            .pragma_update(None, "application_id", APPLICATION)?;
        self.connection
            .pragma_update(None, "user_version", INCOMPLETE)?;
        self.connection.execute_batch("COMMIT")?;
        self.connection.close().map_err(|(_, error)| error.into())
    }
}
