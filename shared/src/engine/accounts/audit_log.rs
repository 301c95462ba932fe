//! Pages of the audit log. Each page is one transaction: no reader holds the store open while its
//! output is read.

use crate::account::event::{AuditEvent, EventFilter};
use crate::engine::{AuditLog, EngineError};
use crate::store::Intent;
use crate::system::clock::Timestamp;
use crate::verify::host_clock::{ClockSuspicion, WITHIN, suspect_clock};

/// Most events in which a wrong clock of this host is looked for.
const MOST_EVENTS: u32 = 1000;

impl AuditLog<'_> {
    /// Returns whether the codes of the last hour suggest that this host's clock is wrong.
    pub fn suspect_clock(&mut self, now: Timestamp) -> Result<Option<ClockSuspicion>, EngineError> {
        let mut tx = self.engine.begin(Intent::Read)?;
        let events = tx.events_between(now.minus(WITHIN), now, MOST_EVENTS)?;
        Ok(suspect_clock(events.iter()))
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
            .events(filter, after, limit)?)
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
