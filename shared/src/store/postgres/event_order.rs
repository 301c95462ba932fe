//! Order of audit events. Transactions that run at once take the numbers of their events before they
//! commit, so that an event may appear after one with a larger number. A reader of the log by
//! number, which goes on after the last one, waits here for the numbers before it.

use super::connection::DatabaseConnection;
use super::{PAUSE, PostgresStore, READING, WRITING};
use crate::store::StoreResult;
use std::collections::BTreeSet;
use std::time::Instant;

const LAST_NUMBER: &str =
    "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('event', 'id')::regclass), 0)";
/// Transactions that write events hold this lock from before they take a number to their end.
const WRITERS: &str = "SELECT string_agg(virtualtransaction, ' ') FROM pg_locks \
    WHERE locktype = 'relation' AND relation = 'event'::regclass AND mode = 'RowExclusiveLock' \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

impl PostgresStore {
    /// Returns a number up to which no event will be added any more, also by a transaction that is
    /// open now. `None` if such a transaction is still open after a while.
    pub(in crate::store) fn settled_event_number(&mut self) -> StoreResult<Option<i64>> {
        self.pool.with_connection(settled_event_number)
    }
}

fn settled_event_number(connection: &DatabaseConnection) -> StoreResult<Option<i64>> {
    let value = |sql| -> StoreResult<String> {
        let row = connection.run(sql, READING)?;
        Ok(row.into_iter().flatten().next().unwrap_or_default())
    };
    // in this order: who has taken a number up to the last one is among the writers, or has ended
    let number = value(LAST_NUMBER)?.parse().unwrap_or(0);
    let writers =
        |text: String| -> BTreeSet<String> { text.split_whitespace().map(str::to_owned).collect() };
    let mut open = writers(value(WRITERS)?);
    let began = Instant::now();
    while !open.is_empty() {
        if began.elapsed() > WRITING {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
        let still = writers(value(WRITERS)?);
        open.retain(|one| still.contains(one));
    }
    Ok(Some(number))
}
