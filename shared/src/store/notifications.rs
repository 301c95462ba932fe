//! Notifications in the store: audit events that are to be mailed to the owner of the account.

use super::StoreError;
use crate::account::email::EmailAddress;
use crate::account::event::AuditEvent;
use crate::system::clock::Timestamp;

/// Maximum of stored notifications per account. The oldest are kept.
pub const MAX_NOTIFICATIONS: u32 = 20;

/// Notification that waits for posternd.
#[derive(Debug)]
pub struct Notification {
    pub number: i64,
    pub to: EmailAddress,
    pub event: AuditEvent,
}

pub trait NotificationStore {
    /// Adds a notification, unless the account has the maximum. Removes the account's notifications
    /// of events before `since`.
    fn add_notification(
        &mut self,
        to: &EmailAddress,
        event: &AuditEvent,
        since: Timestamp,
    ) -> Result<(), StoreError>;
    /// Returns at most `limit` notifications that are due, oldest first. Includes those due after
    /// `latest`, which a clock ahead of time postponed.
    fn due_notifications(
        &mut self,
        now: Timestamp,
        latest: Timestamp,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError>;
    /// Returns when the longest overdue notification was due.
    fn oldest_due_notification(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;
    fn postpone_notification(&mut self, number: i64, due: Timestamp) -> Result<(), StoreError>;
    fn remove_notification(&mut self, number: i64) -> Result<(), StoreError>;
    /// Removes at most a hundred notifications of events before `since`.
    fn remove_notifications_before(&mut self, since: Timestamp) -> Result<(), StoreError>;
}
