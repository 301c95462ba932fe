//! What the store keeps of notices: events that are to be mailed to the people whose accounts they concern.

use super::StoreError;
use crate::account::email::EmailAddress;
use crate::account::event::AuditEvent;
use crate::system::clock::Timestamp;

/// Notices that one account keeps at most; the oldest stay.
pub const MAX_NOTIFICATIONS: u32 = 20;

/// A notice that waits for posternd.
#[derive(Debug)]
pub struct Notification {
    /// Its number.
    pub number: i64,
    /// Where it goes.
    pub to: EmailAddress,
    /// What happened.
    pub event: AuditEvent,
}

/// The notices' part of a transaction.
pub trait NotificationStore {
    /// Leaves one for posternd, unless the account has as many as it may. Those of an event before `since` go.
    fn add_notification(
        &mut self,
        to: &EmailAddress,
        event: &AuditEvent,
        since: Timestamp,
    ) -> Result<(), StoreError>;
    /// Those that are due, oldest first, at most `limit`; also what is due later than `latest`, which a clock that ran
    /// ahead has put off.
    fn due_notifications(
        &mut self,
        now: Timestamp,
        latest: Timestamp,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError>;
    /// When the one was due that is due longest.
    fn oldest_due_notification(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;
    /// Puts one off.
    fn postpone_notification(&mut self, number: i64, due: Timestamp) -> Result<(), StoreError>;
    /// Removes one.
    fn remove_notification(&mut self, number: i64) -> Result<(), StoreError>;
    /// Removes those of events before `since`, at most a hundred.
    fn remove_notifications_before(&mut self, since: Timestamp) -> Result<(), StoreError>;
}
