//! Pages of the audit log. Each page is one transaction: no reader holds the store open while its
//! output is read.

use crate::account::event::{AuditEvent, EventCount, EventFilter};
use crate::engine::{AuditLog, EngineError};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::host_clock::{ClockSuspicion, WITHIN, suspect_clock};

/// Most events in which a wrong clock of this host is looked for.
const MOST_EVENTS: u32 = 1000;
/// Most pairs of kind and service that are counted: a process of a user can name any service.
const MOST_COUNTS: u32 = 200;

impl AuditLog<'_> {
    /// Returns whether the codes of the last hour suggest that this host's clock is wrong.
    pub fn suspect_clock(&mut self, now: Timestamp) -> Result<Option<ClockSuspicion>, EngineError> {
        let mut tx = self.engine.begin(Intent::Read)?;
        let events = tx.events_between(now.minus(WITHIN), now, MOST_EVENTS)?;
        Ok(suspect_clock(events.iter()))
    }

    /// Counts the events of a time by kind and service.
    pub fn count_events(
        &mut self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<EventCount>, EngineError> {
        Ok(self
            .engine
            .begin(Intent::Read)?
            .event_counts(since, until, MOST_COUNTS)?)
    }

    /// Returns events numbered after `after`, oldest first, at most `limit`.
    pub fn list_events(
        &mut self,
        filter: &EventFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEvent)>, EngineError> {
        Ok(self
            .engine
            .begin(Intent::Read)?
            .events(filter, (after, i64::MAX), limit)?)
    }

    /// Returns a number up to which no event will be added any more; `None` if it is not known yet.
    pub fn settled_number(&mut self) -> Result<Option<i64>, EngineError> {
        Ok(self.engine.store.settled_event_number()?)
    }

    /// Returns events with numbers above `after` and up to `until`, oldest first, at most `limit`.
    pub fn list_events_until(
        &mut self,
        filter: &EventFilter,
        (after, until): (i64, i64),
        limit: u32,
    ) -> Result<Vec<(i64, AuditEvent)>, EngineError> {
        let mut transaction = self.engine.begin(Intent::Read)?;
        Ok(transaction.events(filter, (after, until), limit)?)
    }

    /// Returns the number that precedes the newest `count` events.
    pub fn before_newest(&mut self, filter: &EventFilter, count: u32) -> Result<i64, EngineError> {
        Ok(self
            .engine
            .begin(Intent::Read)?
            .number_before_newest(filter, count)?)
    }

    /// Returns events numbered before `before`, newest first, at most `limit`.
    pub fn newest_events(
        &mut self,
        filter: &EventFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEvent)>, EngineError> {
        let before = before.unwrap_or(i64::MAX);
        Ok(self
            .engine
            .begin(Intent::Read)?
            .events_before(filter, before, limit)?)
    }
}
