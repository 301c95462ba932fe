//! Audit events, for `postern log`, and notifications: those that are to be mailed to the owner of
//! the account.

use super::Transaction;
use super::convert::{ColumnResult, Row, ToColumn, named, signed};
use crate::account::email::EmailAddress;
use crate::account::event::{
    AuditEvent, DAILY_LIMIT_CAUSE, DAY, EventCount, EventFilter, EventKind, MAX_EVENTS, RETENTION,
};
use crate::account::name::UserName;
use crate::store::{LoggedEvent, MAX_NOTIFICATIONS, Notification, StoreResult};
use crate::system::clock::Timestamp;

/// Conditions of an [`EventFilter`], in the order of its fields.
const FILTER: &str = "(CAST(?1 AS TEXT) IS NULL OR account = ?1) AND (CAST(?2 AS TEXT) IS NULL OR kind = ?2) \
                     AND (CAST(?3 AS TEXT) IS NULL OR service = ?3) \
                     AND (CAST(?4 AS BIGINT) IS NULL OR at >= ?4) AND (CAST(?5 AS BIGINT) IS NULL OR at <= ?5)";

/// Reads an event whose columns begin with column `first`.
fn audit_event(row: &Row<'_>, first: usize, what: &str) -> ColumnResult<AuditEvent> {
    Ok(AuditEvent {
        at: row.get(first)?,
        account: named(row.get(first + 1), what)?,
        kind: named(row.get(first + 2), what)?,
        service: row.get(first + 3)?,
        origin: row.get(first + 4)?,
        principal: row.get(first + 5)?,
        cause: row.get(first + 6)?,
    })
}

/// Returns the columns of an event, as [`audit_event`] reads them.
fn event_columns(event: &AuditEvent) -> [&dyn ToColumn; 7] {
    [
        &event.at,
        &event.account,
        &event.kind,
        &event.service,
        &event.origin,
        &event.principal,
        &event.cause,
    ]
}

impl Transaction<'_> {
    /// Returns the number of events of this kind and account in the day before this one; counts to
    /// `limit`.
    fn count_in_a_day(&mut self, event: &AuditEvent, limit: u32) -> StoreResult<u32> {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM event \
                   WHERE account = ?1 AND kind = ?2 AND at > ?3 AND at <= ?4 LIMIT ?5) AS found";
        let (since, until) = (event.at.minus(DAY), event.at);
        let of_day = (&event.account, event.kind, since, until, limit);
        self.query_row(sql, of_day, |row| row.get(0))
    }

    /// Returns the origins of the events of this kind and account since `since`.
    pub fn event_origins(
        &mut self,
        account: &UserName,
        kind: EventKind,
        since: Timestamp,
    ) -> StoreResult<Vec<String>> {
        let sql = "SELECT DISTINCT origin FROM event WHERE account = ?1 AND kind = ?2 AND at >= ?3";
        self.query_rows(sql, (account, kind, since), |row| row.get(0))
    }

    /// Returns when the account last had an event of this kind and cause.
    pub fn last_event(
        &mut self,
        account: &UserName,
        kind: EventKind,
        cause: &str,
    ) -> StoreResult<Option<Timestamp>> {
        let sql = "SELECT at FROM event WHERE account = ?1 AND kind = ?2 AND cause = ?3 \
                   ORDER BY at DESC LIMIT 1";
        self.find_row(sql, (account, kind, cause), |row| row.get(0))
    }

    fn query_events(
        &mut self,
        filter: &EventFilter,
        position: &str,
        order: &str,
        (bound, until, limit): (i64, i64, u32),
    ) -> StoreResult<Vec<(i64, AuditEvent)>> {
        // By number, not by an index for the filter: the pages are then one pass over the log.
        let sql = format!(
            "SELECT id, at, account, kind, service, origin, principal, cause FROM event NOT INDEXED \
             WHERE {position} AND id <= ?7 AND {FILTER} ORDER BY {order} LIMIT ?8"
        );
        let (account, kind, service) = (&filter.account, filter.kind, &filter.service);
        let (since, filter_until) = (filter.since, filter.until);
        let parameters: Vec<&dyn ToColumn> = vec![
            account,
            &kind,
            service,
            &since,
            &filter_until,
            &bound,
            &until,
            &limit,
        ];
        self.query_rows(&sql, parameters, |row| {
            Ok((row.get(0)?, audit_event(row, 1, "an event")?))
        })
    }

    /// Adds an audit event, subject to [`crate::account::event::EventKind::daily_limit`]. Removes a
    /// few events that are too many or too old.
    pub fn add_event(&mut self, event: &AuditEvent) -> StoreResult<LoggedEvent> {
        let mut columns = event_columns(event);
        if let Some(limit) = event.kind.daily_limit() {
            match limit.saturating_sub(self.count_in_a_day(event, limit)?) {
                0 => return Ok(LoggedEvent::TooMany),
                1 => columns[6] = &DAILY_LIMIT_CAUSE,
                _ => {}
            }
        }
        let sql = "INSERT INTO event (at, account, kind, service, origin, principal, cause) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id";
        let newest: i64 = self.query_row(sql, columns, |row| row.get(0))?;
        // Two for each new one: no sign-in pays for many, and a clock ahead of time removes few.
        let sql = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id <= ?1 ORDER BY id LIMIT 2 \
                   /*+ FOR UPDATE SKIP LOCKED */)";
        self.execute(sql, [newest - i64::from(MAX_EVENTS)])?;
        let sql = "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at < ?1 ORDER BY at LIMIT 2 \
                   /*+ FOR UPDATE SKIP LOCKED */)";
        self.execute(sql, [event.at.minus(RETENTION)])?;
        Ok(LoggedEvent::Added)
    }

    /// Returns at most `limit` events with numbers above `after` and up to `until`, oldest first.
    pub fn events(
        &mut self,
        filter: &EventFilter,
        (after, until): (i64, i64),
        limit: u32,
    ) -> StoreResult<Vec<(i64, AuditEvent)>> {
        self.query_events(filter, "id > ?6", "id", (after, until, limit))
    }

    /// Returns at most `limit` events with numbers below `before`, newest first.
    pub fn events_before(
        &mut self,
        filter: &EventFilter,
        before: i64,
        limit: u32,
    ) -> StoreResult<Vec<(i64, AuditEvent)>> {
        self.query_events(filter, "id < ?6", "id DESC", (before, i64::MAX, limit))
    }

    /// Returns the newest events of a time, newest first, at most `limit`.
    pub fn events_between(
        &mut self,
        since: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<AuditEvent>> {
        let sql = "SELECT at, account, kind, service, origin, principal, cause FROM event \
                   WHERE at >= ?1 AND at <= ?2 ORDER BY at DESC, id DESC LIMIT ?3";
        self.query_rows(sql, (since, until, limit), |row| {
            audit_event(row, 0, "an event")
        })
    }

    /// Counts the events of a time by kind and service: the greatest numbers, at most `limit`.
    pub fn event_counts(
        &mut self,
        since: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<EventCount>> {
        let sql = "SELECT kind, service, count(*) AS number FROM event WHERE at >= ?1 AND at <= ?2 \
                   GROUP BY kind, service ORDER BY number DESC, kind, service LIMIT ?3";
        self.query_rows(sql, (since, until, limit), |row| {
            Ok(EventCount {
                kind: row.get(0)?,
                service: row.get(1)?,
                count: row.get(2)?,
            })
        })
    }

    /// Returns the number after which the newest `count` events follow.
    pub fn number_before_newest(&mut self, filter: &EventFilter, count: u32) -> StoreResult<i64> {
        let sql = format!(
            "SELECT id FROM event NOT INDEXED WHERE {FILTER} ORDER BY id DESC LIMIT 1 OFFSET ?6"
        );
        let (account, kind, service) = (&filter.account, filter.kind, &filter.service);
        let parameters = (account, kind, service, filter.since, filter.until, count);
        let last_skipped = self.find_row(&sql, parameters, |row| row.get(0))?;
        Ok(last_skipped.unwrap_or(0))
    }

    /// Adds a notification, unless the account has the maximum. Removes the account's notifications
    /// of events before `since`.
    pub fn add_notification(
        &mut self,
        to: &EmailAddress,
        event: &AuditEvent,
        since: Timestamp,
    ) -> StoreResult<()> {
        let sql = "DELETE FROM notification WHERE account = ?1 AND at < ?2";
        self.execute(sql, (&event.account, since))?;
        let sql = "INSERT INTO notification (at, account, kind, service, origin, principal, cause, address, due) \
                   SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?1 \
                   WHERE (SELECT count(*) FROM notification WHERE account = ?2) < ?9";
        let more: [&dyn ToColumn; 2] = [to, &MAX_NOTIFICATIONS];
        self.execute(sql, [&event_columns(event)[..], &more].concat())
    }

    /// Returns at most `limit` notifications that are due, oldest first. Includes those due after
    /// `latest`, which a clock ahead of time postponed.
    pub fn due_notifications(
        &mut self,
        now: Timestamp,
        latest: Timestamp,
        limit: usize,
    ) -> StoreResult<Vec<Notification>> {
        let sql = "SELECT id, address, at, account, kind, service, origin, principal, cause FROM notification \
                   WHERE id IN (SELECT id FROM (SELECT id FROM notification WHERE due <= ?1 ORDER BY due LIMIT ?3) AS due \
                   UNION SELECT id FROM (SELECT id FROM notification WHERE due > ?2 ORDER BY due LIMIT ?3) AS ahead) \
                   AND (due <= ?1 OR due > ?2) ORDER BY id LIMIT ?3 /*+ FOR UPDATE SKIP LOCKED */";
        let parameters = (now, latest, signed(limit as u64));
        self.query_rows(sql, parameters, |row| {
            Ok(Notification {
                number: row.get(0)?,
                to: row.get(1)?,
                event: audit_event(row, 2, "a notice")?,
            })
        })
    }

    /// Returns when the longest overdue notification was due.
    pub fn oldest_due_notification(&mut self, now: Timestamp) -> StoreResult<Option<Timestamp>> {
        let sql = "SELECT due FROM notification WHERE due <= ?1 ORDER BY due LIMIT 1";
        self.find_row(sql, [now], |row| row.get(0))
    }

    pub fn postpone_notification(&mut self, number: i64, due: Timestamp) -> StoreResult<()> {
        let sql = "UPDATE notification SET due = ?2 WHERE id = ?1";
        self.execute(sql, (number, due))
    }

    pub fn remove_notification(&mut self, number: i64) -> StoreResult<()> {
        self.execute("DELETE FROM notification WHERE id = ?1", [number])
    }

    /// Removes at most a hundred notifications of events before `since`.
    pub fn remove_notifications_before(&mut self, since: Timestamp) -> StoreResult<()> {
        let sql = "DELETE FROM notification WHERE id IN (SELECT id FROM notification WHERE at < ?1 ORDER BY at LIMIT 100 \
                   /*+ FOR UPDATE SKIP LOCKED */)";
        self.execute(sql, [since])
    }
}
