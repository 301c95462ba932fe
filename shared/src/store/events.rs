//! What the store keeps for `postern log`.

use super::StoreError;
use crate::account::event::{AuditEvent, EventFilter};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedEvent {
    /// It stands in the log.
    Added,
    /// There were too many of its kind in a day.
    TooMany,
}

/// The event log's part of a transaction.
pub trait EventStore {
    /// Adds to the event log, within [`crate::account::event::What::daily_limit`], and forgets a few of those that are too many
    /// or too old.
    fn add_event(&mut self, event: &AuditEvent) -> Result<LoggedEvent, StoreError>;
    /// Events numbered after `after`, oldest first, at most `limit`.
    fn events(
        &mut self,
        filter: &EventFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEvent)>, StoreError>;
    /// Events numbered before `before`, newest first, at most `limit`.
    fn events_before(
        &mut self,
        filter: &EventFilter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEvent)>, StoreError>;
    /// The number after which the newest `count` come.
    fn number_before_newest(&mut self, filter: &EventFilter, count: u32)
    -> Result<i64, StoreError>;
}
