//! How much each host of a fleet may report of the time when no server answered: an attacker who has
//! taken a host over must not be able to push older events out of the audit log. Each server counts for
//! itself, in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Reports of a host in a day. A host keeps fewer than that.
const MOST: usize = 300;
const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Since when a host is counted, and how many it has reported.
#[derive(Default)]
pub(super) struct ReportLimit(Mutex<HashMap<i64, (Instant, usize)>>);

impl ReportLimit {
    /// Counts the reports of a host. Returns whether they are admitted.
    pub(super) fn admit(&self, host: i64, reports: usize) -> bool {
        self.admit_at(host, reports, Instant::now())
    }

    fn admit_at(&self, host: i64, reports: usize, now: Instant) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // one for each host that has joined, at most
        let (since, count) = counted.entry(host).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        let admitted = *count + reports <= MOST;
        if admitted {
            *count += reports;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_reports_a_bounded_number_in_a_day() {
        let (limit, now) = (ReportLimit::default(), Instant::now());
        assert!(limit.admit_at(1, MOST - 1, now));
        assert!(!limit.admit_at(1, 2, now));
        assert!(limit.admit_at(1, 1, now));
        assert!(!limit.admit_at(1, 1, now));
        assert!(limit.admit_at(2, 32, now));
        assert!(limit.admit_at(1, 1, now + WINDOW));
    }
}
