//! Audit events, for `postern log`.

use super::Transaction;
use super::convert::{damaged, signed, time};
use crate::account::event::{
    AuditEvent, DAILY_LIMIT_CAUSE, DAY, EventFilter, EventKind, MAX_EVENTS, RETENTION,
};
use crate::account::name::UserName;
use crate::store::{LoggedEvent, StoreResult};
use crate::system::clock::Timestamp;
use rusqlite::Row;

/// Conditions of an [`EventFilter`], in the order of `filter_parameters`.
const FILTER: &str = "(?1 IS NULL OR account = ?1) AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR service = ?3) \
                     AND (?4 IS NULL OR at >= ?4) AND (?5 IS NULL OR at <= ?5)";

type FilterParameters<'a> = (
    Option<&'a str>,
    Option<&'static str>,
    Option<&'a str>,
    Option<i64>,
    Option<i64>,
);

fn filter_parameters(filter: &EventFilter) -> FilterParameters<'_> {
    let time = |at: Option<Timestamp>| at.map(|at| signed(at.0));
    (
        filter.account.as_ref().map(UserName::as_str),
        filter.kind.map(EventKind::name),
        filter.service.as_deref(),
        time(filter.since),
        time(filter.until),
    )
}

impl Transaction<'_> {
    /// Returns the number of events of this kind and account in the day before this one; counts to
    /// `limit`.
    fn count_in_a_day(&mut self, event: &AuditEvent, limit: u32) -> StoreResult<u32> {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM event \
                   WHERE account = ?1 AND kind = ?2 AND at > ?3 AND at <= ?4 LIMIT ?5)";
        let AuditEvent {
            at, account, kind, ..
        } = event;
        let of_day = (
            account.as_str(),
            kind.name(),
            signed(at.minus(DAY).0),
            signed(at.0),
            limit,
        );
        self.query_row(sql, of_day, |row| Ok(row.get(0)?))
    }

    fn query_events(
        &mut self,
        filter: &EventFilter,
        position: &str,
        order: &str,
        (bound, limit): (i64, u32),
    ) -> StoreResult<Vec<(i64, AuditEvent)>> {
        // By number, not by an index for the filter: the pages are then one pass over the log.
        let sql = format!(
            "SELECT id, at, account, kind, service, origin, principal, cause FROM event NOT INDEXED \
             WHERE {position} AND {FILTER} ORDER BY {order} LIMIT ?7"
        );
        let read = |row: &Row<'_>| -> StoreResult<(i64, AuditEvent)> {
            let event = AuditEvent {
                at: time(row, 1)?,
                account: UserName::from_store(&row.get::<_, String>(2)?)
                    .map_err(|_| damaged("an event"))?,
                kind: EventKind::from_name(&row.get::<_, String>(3)?)
                    .ok_or_else(|| damaged("an event"))?,
                service: row.get(4)?,
                origin: row.get(5)?,
                principal: row.get(6)?,
                cause: row.get(7)?,
            };
            Ok((row.get(0)?, event))
        };
        let (account, kind, service, since, until) = filter_parameters(filter);
        self.query_rows(
            &sql,
            (account, kind, service, since, until, bound, limit),
            read,
        )
    }
}

impl Transaction<'_> {
    /// Adds an audit event, subject to [`crate::account::event::EventKind::daily_limit`]. Removes a
    /// few events that are too many or too old.
    pub fn add_event(&mut self, event: &AuditEvent) -> StoreResult<LoggedEvent> {
        let AuditEvent {
            at,
            account,
            kind,
            service,
            origin,
            principal,
            cause,
        } = event;
        let mut cause = cause.as_str();
        if let Some(limit) = kind.daily_limit() {
            match limit.saturating_sub(self.count_in_a_day(event, limit)?) {
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
            kind.name(),
            service,
            origin,
            principal,
            cause,
        );
        self.execute(sql, columns)?;
        let newest = self.last_insert_rowid();
        // Two for each new one: no sign-in pays for many, and a clock ahead of time removes few.
        let sql = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id <= ?1 ORDER BY id LIMIT 2)";
        self.execute(sql, [newest - i64::from(MAX_EVENTS)])?;
        let sql = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ?1 ORDER BY at LIMIT 2)";
        self.execute(sql, [signed(at.minus(RETENTION).0)])?;
        Ok(LoggedEvent::Added)
    }

    /// Returns at most `limit` events with numbers above `after`, oldest first.
    pub fn events(
        &mut self,
        filter: &EventFilter,
        after: i64,
        limit: u32,
    ) -> StoreResult<Vec<(i64, AuditEvent)>> {
        self.query_events(filter, "id > ?6", "id", (after, limit))
    }

    /// Returns at most `limit` events with numbers below `before`, newest first.
    pub fn events_before(
        &mut self,
        filter: &EventFilter,
        before: i64,
        limit: u32,
    ) -> StoreResult<Vec<(i64, AuditEvent)>> {
        self.query_events(filter, "id < ?6", "id DESC", (before, limit))
    }

    /// Returns the number after which the newest `count` events follow.
    pub fn number_before_newest(&mut self, filter: &EventFilter, count: u32) -> StoreResult<i64> {
        let sql = format!(
            "SELECT id FROM event NOT INDEXED WHERE {FILTER} ORDER BY id DESC LIMIT 1 OFFSET ?6"
        );
        let (account, kind, service, since, until) = filter_parameters(filter);
        let last_skipped: Option<i64> =
            self.find_row(&sql, (account, kind, service, since, until, count), |row| {
                Ok(row.get(0)?)
            })?;
        Ok(last_skipped.unwrap_or(0))
    }
}
