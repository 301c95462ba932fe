//! SQL of [`EventStore`], and the conversion of its rows.

use super::transaction::{SqliteTransaction, damaged, signed, time};
use crate::account::event::{
    AuditEvent, DAILY_LIMIT_CAUSE, DAY, EventFilter, EventKind, MAX_EVENTS, RETENTION,
};
use crate::account::name::UserName;
use crate::store::{EventStore, LoggedEvent, StoreError};
use crate::system::clock::Timestamp;
use rusqlite::{OptionalExtension, Row};

type Result<T> = std::result::Result<T, StoreError>;

/// Conditions of an [`EventFilter`], in the order of `filter_parameters`.
const MEANT: &str = "(?1 IS NULL OR account = ?1) AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR service = ?3) \
                     AND (?4 IS NULL OR at >= ?4) AND (?5 IS NULL OR at <= ?5)";

type Meant<'a> = (
    Option<&'a str>,
    Option<&'static str>,
    Option<&'a str>,
    Option<i64>,
    Option<i64>,
);

fn meant(filter: &EventFilter) -> Meant<'_> {
    let time = |at: Option<Timestamp>| at.map(|at| signed(at.0));
    (
        filter.account.as_ref().map(UserName::as_str),
        filter.kind.map(EventKind::name),
        filter.service.as_deref(),
        time(filter.since),
        time(filter.until),
    )
}

impl SqliteTransaction<'_> {
    /// Returns the number of events of this kind and account in the day before this one; counts to
    /// `limit`.
    fn in_a_day(&mut self, event: &AuditEvent, limit: u32) -> Result<u32> {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM event \
                   WHERE account = ?1 AND kind = ?2 AND at > ?3 AND at <= ?4 LIMIT ?5)";
        let AuditEvent {
            at,
            account,
            kind: what,
            ..
        } = event;
        let of_day = (
            account.as_str(),
            what.name(),
            signed(at.minus(DAY).0),
            signed(at.0),
            limit,
        );
        Ok(self.0.query_row(sql, of_day, |row| row.get(0))?)
    }
}

impl SqliteTransaction<'_> {
    fn events_of(
        &mut self,
        filter: &EventFilter,
        place: &str,
        order: &str,
        (border, limit): (i64, u32),
    ) -> Result<Vec<(i64, AuditEvent)>> {
        // By number, not by an index for the filter: the pages are then one pass over the log.
        let sql = format!(
            "SELECT id, at, account, kind, service, origin, principal, cause FROM event NOT INDEXED \
             WHERE {place} AND {MEANT} ORDER BY {order} LIMIT ?7"
        );
        type Columns = (
            i64,
            Timestamp,
            String,
            String,
            String,
            String,
            String,
            String,
        );
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            let number = row.get(0)?;
            Ok((
                number,
                time(row, 1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
                row.get(6)?,
                row.get(7)?,
            ))
        };
        let (account, what, door, since, until) = meant(filter);
        let found = self.all(
            &sql,
            (account, what, door, since, until, border, limit),
            read,
        )?;
        let event = |(id, at, account, what, door, origin, actor, cause): Columns| {
            let account = UserName::from_store(&account).map_err(|_| damaged("an event"))?;
            let what = EventKind::from_name(&what).ok_or_else(|| damaged("an event"))?;
            Ok((
                id,
                AuditEvent {
                    at,
                    account,
                    kind: what,
                    service: door,
                    origin,
                    principal: actor,
                    cause,
                },
            ))
        };
        found.into_iter().map(event).collect()
    }
}

impl EventStore for SqliteTransaction<'_> {
    fn add_event(&mut self, event: &AuditEvent) -> Result<LoggedEvent> {
        let AuditEvent {
            at,
            account,
            kind: what,
            service: door,
            origin,
            principal: actor,
            cause,
        } = event;
        let mut cause = cause.as_str();
        if let Some(limit) = what.daily_limit() {
            match limit.saturating_sub(self.in_a_day(event, limit)?) {
                0 => return Ok(LoggedEvent::TooMany),
                1 => cause = DAILY_LIMIT_CAUSE,
                _ => {}
            }
        }
        let sql = "INSERT INTO event (at, account, kind, service, origin, principal, cause) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let columns = (
            signed(at.0),
            account.as_str(),
            what.name(),
            door,
            origin,
            actor,
            cause,
        );
        self.execute(sql, columns)?;
        let newest = self.0.last_insert_rowid();
        // Two for each new one: no sign-in pays for many, and a clock ahead of time removes few.
        let sql = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id <= ?1 ORDER BY id LIMIT 2)";
        self.execute(sql, [newest - i64::from(MAX_EVENTS)])?;
        let sql = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ?1 ORDER BY at LIMIT 2)";
        self.execute(sql, [signed(at.minus(RETENTION).0)])?;
        Ok(LoggedEvent::Added)
    }

    fn events(
        &mut self,
        filter: &EventFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEvent)>> {
        self.events_of(filter, "id > ?6", "id", (after, limit))
    }

    fn events_before(
        &mut self,
        filter: &EventFilter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEvent)>> {
        self.events_of(filter, "id < ?6", "id DESC", (before, limit))
    }

    fn number_before_newest(&mut self, filter: &EventFilter, count: u32) -> Result<i64> {
        let sql = format!(
            "SELECT id FROM event NOT INDEXED WHERE {MEANT} ORDER BY id DESC LIMIT 1 OFFSET ?6"
        );
        let (account, what, door, since, until) = meant(filter);
        let last_left_out: Option<i64> = self
            .0
            .query_row(&sql, (account, what, door, since, until, count), |row| {
                row.get(0)
            })
            .optional()?;
        Ok(last_left_out.unwrap_or(0))
    }
}
