//! Audit events in the store, for `postern log`.

use super::StoreError;
use crate::account::event::{AuditEvent, EventFilter};

/// Result of adding an audit event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedEvent {
    Added,
    /// The account has too many events of this kind in one day.
    TooMany,
}

pub trait EventStore {
    /// Adds an audit event, subject to [`crate::account::event::EventKind::daily_limit`]. Removes a
    /// few events that are too many or too old.
    fn add_event(&mut self, event: &AuditEvent) -> Result<LoggedEvent, StoreError>;
    /// Returns at most `limit` events with numbers above `after`, oldest first.
    fn events(
        &mut self,
        filter: &EventFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEvent)>, StoreError>;
    /// Returns at most `limit` events with numbers below `before`, newest first.
    fn events_before(
        &mut self,
        filter: &EventFilter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEvent)>, StoreError>;
    /// Returns the number after which the newest `count` events follow.
    fn number_before_newest(&mut self, filter: &EventFilter, count: u32)
    -> Result<i64, StoreError>;
}
