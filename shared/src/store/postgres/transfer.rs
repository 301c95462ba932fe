//! A store in PostgreSQL at both ends of a transfer: see `store/transfer.rs`.

use super::connection::{DatabaseConnection, Server};
use super::open_transaction::STORE_LOCK;
use super::schema::{STORAGE, VERSION_TABLE, has_store};
use super::{READING, VERSION, dialect};
use crate::config::StoreUrl;
use crate::store::column::{Columns, Row, Value};
use crate::store::sqlite::{StopsBlocked, schema_indexes};
use crate::store::table::{ColumnKind, Table};
use crate::store::transfer::{
    ADD_MARK, DROP_MARK, INCOMPLETE, MARK_TABLE, MOVED, READ_MARK, ReadRow, StoreState, TransferId,
    TransferMark,
};
use crate::store::{StoreError, StoreResult};
use bytes::Bytes;
use std::pin::Pin;
use std::time::Duration;
use tokio_postgres::Statement;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

/// Time limit of each statement.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(3600);
/// Rows that are fetched at once.
const FETCHED: u32 = 2000;
/// Rows of one COPY. The server keeps a note of each row until its end, to look at references.
const COPIED: u32 = 50_000;

/// Begins a transaction that no other writing transaction of the store runs beside.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; \
    SET LOCAL statement_timeout = '1h'; SET LOCAL idle_in_transaction_session_timeout = '10min'";

pub(super) fn begin(server: &Server) -> StoreResult<DatabaseConnection> {
    let connection = server.connect()?;
    connection.run(BEGIN, READING)?;
    let lock = format!("SELECT pg_advisory_xact_lock({STORE_LOCK})");
    connection.run(&lock, READING)?;
    Ok(connection)
}

/// Prepares a statement that is used in this file alone.
fn prepare(connection: &DatabaseConnection, sql: &str) -> StoreResult<Statement> {
    let text = dialect::statement(sql, false);
    connection.block_on(TIME_LIMIT, connection.client.prepare(&text))
}

fn query(
    connection: &DatabaseConnection,
    statement: &Statement,
) -> StoreResult<Vec<tokio_postgres::Row>> {
    connection.block_on(TIME_LIMIT, connection.client.query(statement, &[]))
}

pub(super) fn stored_version(connection: &DatabaseConnection) -> StoreResult<Option<i64>> {
    let found = connection.run("SELECT version FROM store_version", READING)?;
    let found = found.into_iter().flatten().next();
    Ok(found.and_then(|version| version.parse().ok()))
}

/// Returns what is in the database. Anything but a store is an error.
pub(in crate::store) fn transfer_state(server: &Server) -> StoreResult<StoreState> {
    let connection = server.connect()?;
    if !has_store(&connection)? {
        let sql = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                   AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (SELECT 1 FROM pg_depend \
                   WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e') LIMIT 1";
        let other = connection.run(sql, READING)?.into_iter().flatten().next();
        return match other {
            None => Ok(StoreState::Missing),
            Some(other) => Err(StoreError::NotEmpty(format!(
                "{} holds {other}, which is not of Postern",
                server.url
            ))),
        };
    }
    match stored_version(&connection)? {
        Some(VERSION) => Ok(StoreState::InForce),
        found => match read_mark(&connection, found)? {
            Some((version, mark)) => Ok(StoreState::of_mark(version, mark)),
            None => Err(super::version_error(found)),
        },
    }
}

/// Returns the mark of a store whose version says that it has one.
pub(super) fn read_mark(
    connection: &DatabaseConnection,
    found: Option<i64>,
) -> StoreResult<Option<(i64, TransferMark)>> {
    let Some(version) = found.filter(|found| [MOVED, INCOMPLETE].contains(found)) else {
        return Ok(None);
    };
    let rows = query(connection, &prepare(connection, READ_MARK)?)?;
    let missing = || StoreError::Damaged("the mark of a transfer".to_owned());
    let row = Row(rows.first().ok_or_else(missing)?);
    let mark = TransferMark::from_columns(row.get(0)?, row.get(1)?, row.get(2)?)?;
    Ok(Some((version, mark)))
}

/// Returns why a store of another version is not opened.
pub(super) fn version_error(connection: &DatabaseConnection, found: Option<i64>) -> StoreError {
    match read_mark(connection, found) {
        Ok(Some((version, mark))) => mark.error(version),
        Ok(None) => super::version_error(found),
        Err(error) => error,
    }
}

fn add_mark(connection: &DatabaseConnection, mark: &TransferMark) -> StoreResult<()> {
    connection.run(&dialect::schema(MARK_TABLE), TIME_LIMIT)?;
    let statement = prepare(connection, ADD_MARK)?;
    let at = i64::try_from(mark.at.0).unwrap_or(i64::MAX);
    let values = [
        Value::Blob(&mark.id.0),
        Value::Text(mark.url.to_string().into()),
        Value::Integer(at),
    ];
    let added = connection.client.execute_raw(&statement, &values);
    connection.block_on(TIME_LIMIT, added).map(drop)
}

pub(super) fn set_version(connection: &DatabaseConnection, version: i64) -> StoreResult<()> {
    let sql = format!("UPDATE store_version SET version = {version}");
    connection.run(&sql, TIME_LIMIT).map(drop)
}

/// Removes the mark of an incomplete store.
pub(in crate::store) fn put_in_force(server: &Server, id: TransferId) -> StoreResult<()> {
    let _blocked = StopsBlocked::new();
    let connection = begin(server)?;
    let found = stored_version(&connection)?;
    match read_mark(&connection, found)? {
        Some((INCOMPLETE, mark)) if mark.id == id => {}
        Some((version, mark)) => return Err(mark.error(version)),
        None => return Err(super::version_error(found)),
    }
    connection.run(DROP_MARK, TIME_LIMIT)?;
    set_version(&connection, VERSION)?;
    connection.run("COMMIT", TIME_LIMIT).map(drop)
}

/// Reads the rows of a query through a cursor, a few at a time.
fn read(
    connection: &DatabaseConnection,
    sql: &str,
    table: &str,
    read: ReadRow<'_>,
) -> StoreResult<()> {
    let cursor = format!("read_{table}");
    let declare = format!("DECLARE {cursor} NO SCROLL CURSOR FOR {sql}");
    connection.run(&declare, TIME_LIMIT)?;
    let fetch = format!("FETCH FORWARD {FETCHED} FROM {cursor}");
    let statement = prepare(connection, &fetch)?;
    loop {
        let rows = query(connection, &statement)?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let values: Vec<Value<'_>> = (0..row.len())
                .map(|column| row.value(column))
                .collect::<StoreResult<_>>()?;
            read(&values)?;
        }
    }
    connection
        .run(&format!("CLOSE {cursor}"), TIME_LIMIT)
        .map(drop)
}

/// A store that is locked against writes.
pub(in crate::store) struct PostgresSource {
    connection: DatabaseConnection,
    _blocked: StopsBlocked,
}

impl PostgresSource {
    pub(in crate::store) fn lock(server: &Server, tables: &[Table]) -> StoreResult<PostgresSource> {
        let _blocked = StopsBlocked::new();
        let connection = begin(server)?;
        match stored_version(&connection)? {
            Some(VERSION) => {}
            found => return Err(version_error(&connection, found)),
        }
        // against programs that do not take the lock of the store, such as psql
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let sql = format!("LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", "));
        connection.run(&sql, READING)?;
        Ok(PostgresSource {
            connection,
            _blocked,
        })
    }

    pub(in crate::store) fn read(
        &mut self,
        sql: &str,
        table: &str,
        row: ReadRow<'_>,
    ) -> StoreResult<()> {
        read(&self.connection, sql, table, row)
    }

    /// Returns the last number that a table gave; 0 before the first.
    pub(in crate::store) fn last_number(&self, table: &Table) -> StoreResult<i64> {
        let sql = format!("SELECT pg_get_serial_sequence('{}', 'id')", table.name);
        let sequence = self.connection.run(&sql, READING)?;
        let missing = || StoreError::Shape(format!("table {} numbers no rows", table.name));
        let sequence = sequence.into_iter().flatten().next().ok_or_else(missing)?;
        let sql = format!("SELECT last_value - (NOT is_called)::integer FROM {sequence}");
        let found = self.connection.run(&sql, READING)?;
        let found = found.into_iter().flatten().next();
        found
            .and_then(|number| number.parse().ok())
            .ok_or_else(missing)
    }

    pub(in crate::store) fn mark_moved(self, mark: &TransferMark) -> StoreResult<()> {
        add_mark(&self.connection, mark)?;
        set_version(&self.connection, MOVED)?;
        self.connection.run("COMMIT", TIME_LIMIT).map(drop)
    }
}

/// A store that is being filled. Nothing of it exists for others before its commit.
pub(in crate::store) struct PostgresTarget {
    connection: DatabaseConnection,
    /// The COPY of the current table, and how many rows it has.
    copying: Option<(Pin<Box<BinaryCopyInWriter>>, u32)>,
}

impl PostgresTarget {
    /// Creates the tables. Removes those of an interrupted transfer from the same place.
    pub(in crate::store) fn begin(
        server: &Server,
        tables: &[Table],
        from: &StoreUrl,
    ) -> StoreResult<PostgresTarget> {
        let connection = begin(server)?;
        if has_store(&connection)? {
            let found = stored_version(&connection)?;
            match read_mark(&connection, found)? {
                Some((INCOMPLETE, mark)) if mark.url == *from => {}
                _ => {
                    return Err(StoreError::NotEmpty(format!(
                        "{} holds a store",
                        server.url
                    )));
                }
            }
            let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
            let sql = format!("{DROP_MARK}, store_version, {}", names.join(", "));
            connection.run(&sql, TIME_LIMIT)?;
        }
        connection.run(VERSION_TABLE, TIME_LIMIT)?;
        for table in tables {
            let sql = dialect::schema(&format!("{};", table.sql));
            connection.run(&sql, TIME_LIMIT)?;
        }
        connection.run(STORAGE, TIME_LIMIT)?;
        Ok(PostgresTarget {
            connection,
            copying: None,
        })
    }

    pub(in crate::store) fn begin_table(&mut self, table: &Table) -> StoreResult<()> {
        let sql = format!(
            "COPY {} ({}) FROM STDIN (FORMAT binary)",
            table.name,
            table.column_list()
        );
        let kind = |kind| match kind {
            ColumnKind::Integer => Type::INT8,
            ColumnKind::Text => Type::TEXT,
            ColumnKind::Bytes => Type::BYTEA,
        };
        let kinds: Vec<Type> = table.columns.iter().map(|one| kind(one.kind)).collect();
        let sink = self.connection.block_on(
            TIME_LIMIT,
            self.connection.client.copy_in::<_, Bytes>(sql.as_str()),
        )?;
        self.copying = Some((Box::pin(BinaryCopyInWriter::new(sink, &kinds)), 0));
        Ok(())
    }

    pub(in crate::store) fn write_row(
        &mut self,
        table: &Table,
        values: &[Value<'_>],
    ) -> StoreResult<()> {
        if self
            .copying
            .as_ref()
            .is_some_and(|(_, rows)| *rows == COPIED)
        {
            self.end_table()?;
        }
        if self.copying.is_none() {
            self.begin_table(table)?;
        }
        if let Some((writer, rows)) = &mut self.copying {
            *rows += 1;
            let written = writer.as_mut().write_raw(values);
            self.connection.block_on(TIME_LIMIT, written)?;
        }
        Ok(())
    }

    pub(in crate::store) fn end_table(&mut self) -> StoreResult<()> {
        match self.copying.take() {
            Some((mut writer, _)) => {
                let ended = writer.as_mut().finish();
                self.connection.block_on(TIME_LIMIT, ended).map(drop)
            }
            None => Ok(()),
        }
    }

    pub(in crate::store) fn set_last_number(&self, table: &Table, number: i64) -> StoreResult<()> {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{}', 'id'), {}, {})",
            table.name,
            number.max(1),
            number >= 1
        );
        self.connection.run(&sql, TIME_LIMIT).map(drop)
    }

    pub(in crate::store) fn create_indexes(&self, tables: &[Table]) -> StoreResult<()> {
        for sql in schema_indexes()? {
            self.connection
                .run(&dialect::schema(&format!("{sql};")), TIME_LIMIT)?;
        }
        // Without it, the first statements are planned for empty tables. Of these tables alone: others
        // may be in use.
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let sql = format!("ANALYZE {}", names.join(", "));
        self.connection.run(&sql, TIME_LIMIT).map(drop)
    }

    pub(in crate::store) fn read(
        &mut self,
        sql: &str,
        table: &str,
        row: ReadRow<'_>,
    ) -> StoreResult<()> {
        read(&self.connection, sql, table, row)
    }

    pub(in crate::store) fn commit(self, mark: &TransferMark) -> StoreResult<()> {
        add_mark(&self.connection, mark)?;
        let sql = format!("INSERT INTO store_version (version) VALUES ({INCOMPLETE})");
        self.connection.run(&sql, TIME_LIMIT)?;
        self.connection.run("COMMIT", TIME_LIMIT).map(drop)
    }
}
