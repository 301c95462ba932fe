//! SQL of [`NotificationStore`], and the conversion of its rows.

use super::mail::address;
use super::transaction::{SqliteTransaction, damaged, signed, time};
use crate::account::email::EmailAddress;
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;
use crate::store::{MAX_NOTIFICATIONS, Notification, NotificationStore, StoreError};
use crate::system::clock::Timestamp;
use rusqlite::{OptionalExtension, Row};

type Result<T> = std::result::Result<T, StoreError>;

impl NotificationStore for SqliteTransaction<'_> {
    fn add_notification(
        &mut self,
        to: &EmailAddress,
        event: &AuditEvent,
        since: Timestamp,
    ) -> Result<()> {
        let AuditEvent {
            at,
            account,
            kind: what,
            service: door,
            origin,
            principal: actor,
            cause,
        } = event;
        let sql = "DELETE FROM notification WHERE account = ?1 AND at < ?2";
        self.execute(sql, (account.as_str(), signed(since.0)))?;
        let sql = "INSERT INTO notification (address, due, at, account, kind, service, origin, principal, cause) \
                   SELECT ?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8 \
                   WHERE (SELECT count(*) FROM notification WHERE account = ?3) < ?9";
        let (to, at, what) = (to.as_str(), signed(at.0), what.name());
        self.execute(
            sql,
            (
                to,
                at,
                account.as_str(),
                what,
                door,
                origin,
                actor,
                cause,
                MAX_NOTIFICATIONS,
            ),
        )
    }

    fn due_notifications(
        &mut self,
        now: Timestamp,
        latest: Timestamp,
        limit: usize,
    ) -> Result<Vec<Notification>> {
        let sql = "SELECT id, address, at, account, kind, service, origin, principal, cause FROM notification \
                   WHERE id IN (SELECT id FROM (SELECT id FROM notification WHERE due <= ?1 ORDER BY due LIMIT ?3) \
                   UNION SELECT id FROM (SELECT id FROM notification WHERE due > ?2 ORDER BY due LIMIT ?3)) \
                   ORDER BY id LIMIT ?3";
        type Columns = (
            i64,
            String,
            Timestamp,
            String,
            String,
            String,
            String,
            String,
            String,
        );
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            let (number, to, at) = (row.get(0)?, row.get(1)?, time(row, 2)?);
            let text = |column| row.get(column);
            Ok((
                number,
                to,
                at,
                text(3)?,
                text(4)?,
                text(5)?,
                text(6)?,
                text(7)?,
                text(8)?,
            ))
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = self.all(sql, (signed(now.0), signed(latest.0), limit), read)?;
        let notice = |(number, to, at, account, what, door, origin, actor, cause): Columns| {
            let account = UserName::from_store(&account).map_err(|_| damaged("a notice"))?;
            let what = EventKind::from_name(&what).ok_or_else(|| damaged("a notice"))?;
            let event = AuditEvent {
                at,
                account,
                kind: what,
                service: door,
                origin,
                principal: actor,
                cause,
            };
            Ok(Notification {
                number,
                to: address(to)?,
                event,
            })
        };
        found.into_iter().map(notice).collect()
    }

    fn oldest_due_notification(&mut self, now: Timestamp) -> Result<Option<Timestamp>> {
        let sql = "SELECT due FROM notification WHERE due <= ?1 ORDER BY due LIMIT 1";
        Ok(self
            .0
            .query_row(sql, [signed(now.0)], |row| time(row, 0))
            .optional()?)
    }

    fn postpone_notification(&mut self, number: i64, due: Timestamp) -> Result<()> {
        self.execute(
            "UPDATE notification SET due = ?2 WHERE id = ?1",
            (number, signed(due.0)),
        )
    }

    fn remove_notification(&mut self, number: i64) -> Result<()> {
        self.execute("DELETE FROM notification WHERE id = ?1", [number])
    }

    fn remove_notifications_before(&mut self, since: Timestamp) -> Result<()> {
        let sql = "DELETE FROM notification WHERE id IN (SELECT id FROM notification WHERE at < ?1 ORDER BY at LIMIT 100)";
        self.execute(sql, [signed(since.0)])
    }
}
