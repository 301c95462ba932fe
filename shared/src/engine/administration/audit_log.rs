//! Reading the event log, page by page: no reader holds the store open while somebody reads what it printed.

use crate::account::event::{Event, Filter};
use crate::engine::{Door, DoorError};
use crate::store::Intent;

impl Door {
    /// Events numbered after `after`, oldest first, at most `limit`.
    pub fn events(
        &mut self,
        filter: &Filter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Event)>, DoorError> {
        Ok(self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .events(filter, after, limit)?)
    }

    /// The number after which the newest `count` come.
    pub fn before_newest(&mut self, filter: &Filter, count: u32) -> Result<i64, DoorError> {
        Ok(self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .before_newest(filter, count)?)
    }

    /// Events numbered before `before`, newest first, at most `limit`.
    pub fn newest_events(
        &mut self,
        filter: &Filter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, Event)>, DoorError> {
        let before = before.unwrap_or(i64::MAX);
        Ok(self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .events_before(filter, before, limit)?)
    }
}
