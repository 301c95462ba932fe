//! Notifications: audit events that are to be mailed to the owner of the account.

use super::Transaction;
use super::convert::{address, damaged, signed, time};
use crate::account::email::EmailAddress;
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;
use crate::store::{MAX_NOTIFICATIONS, Notification, StoreResult};
use crate::system::clock::Timestamp;
use rusqlite::Row;

impl Transaction<'_> {
    /// Adds a notification, unless the account has the maximum. Removes the account's notifications
    /// of events before `since`.
    pub fn add_notification(
        &mut self,
        to: &EmailAddress,
        event: &AuditEvent,
        since: Timestamp,
    ) -> StoreResult<()> {
        let AuditEvent {
            at,
            account,
            kind,
            service,
            origin,
            principal,
            cause,
        } = event;
        let sql = "DELETE FROM notification WHERE account = ?1 AND at < ?2";
        self.execute(sql, (account.as_str(), signed(since.0)))?;
        let sql = "INSERT INTO notification (address, due, at, account, kind, service, origin, principal, cause) \
                   SELECT ?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8 \
                   WHERE (SELECT count(*) FROM notification WHERE account = ?3) < ?9";
        let (to, at, kind) = (to.as_str(), signed(at.0), kind.name());
        self.execute(
            sql,
            (
                to,
                at,
                account.as_str(),
                kind,
                service,
                origin,
                principal,
                cause,
                MAX_NOTIFICATIONS,
            ),
        )
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
                   WHERE id IN (SELECT id FROM (SELECT id FROM notification WHERE due <= ?1 ORDER BY due LIMIT ?3) \
                   UNION SELECT id FROM (SELECT id FROM notification WHERE due > ?2 ORDER BY due LIMIT ?3)) \
                   ORDER BY id LIMIT ?3";
        let read = |row: &Row<'_>| -> StoreResult<Notification> {
            Ok(Notification {
                number: row.get(0)?,
                to: address(row.get(1)?)?,
                event: AuditEvent {
                    at: time(row, 2)?,
                    account: UserName::from_store(&row.get::<_, String>(3)?)
                        .map_err(|_| damaged("a notice"))?,
                    kind: EventKind::from_name(&row.get::<_, String>(4)?)
                        .ok_or_else(|| damaged("a notice"))?,
                    service: row.get(5)?,
                    origin: row.get(6)?,
                    principal: row.get(7)?,
                    cause: row.get(8)?,
                },
            })
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.query_rows(sql, (signed(now.0), signed(latest.0), limit), read)
    }

    /// Returns when the longest overdue notification was due.
    pub fn oldest_due_notification(&mut self, now: Timestamp) -> StoreResult<Option<Timestamp>> {
        let sql = "SELECT due FROM notification WHERE due <= ?1 ORDER BY due LIMIT 1";
        self.find_row(sql, [signed(now.0)], |row| time(row, 0))
    }

    pub fn postpone_notification(&mut self, number: i64, due: Timestamp) -> StoreResult<()> {
        self.execute(
            "UPDATE notification SET due = ?2 WHERE id = ?1",
            (number, signed(due.0)),
        )
    }

    pub fn remove_notification(&mut self, number: i64) -> StoreResult<()> {
        self.execute("DELETE FROM notification WHERE id = ?1", [number])
    }

    /// Removes at most a hundred notifications of events before `since`.
    pub fn remove_notifications_before(&mut self, since: Timestamp) -> StoreResult<()> {
        let sql = "DELETE FROM notification WHERE id IN (SELECT id FROM notification WHERE at < ?1 ORDER BY at LIMIT 100)";
        self.execute(sql, [signed(since.0)])
    }
}
