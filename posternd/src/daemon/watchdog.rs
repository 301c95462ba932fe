//! The activities that must make progress: the accepting threads and the operations of workers.
//! The service manager's watchdog is notified as long as none of them is late, so that a daemon
//! that hangs is restarted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub static ACTIVITIES: Activities = Activities::new();

/// The current activities, each with its deadline for progress.
pub struct Activities(Mutex<UnderWay>);

struct UnderWay {
    next: u64,
    /// The name and the deadline of each activity.
    due: BTreeMap<u64, (&'static str, Instant)>,
}

/// A current activity, until this is dropped.
#[must_use]
pub struct WorkerActivity<'a> {
    activities: &'a Activities,
    number: u64,
}

impl Activities {
    pub const fn new() -> Activities {
        Activities(Mutex::new(UnderWay {
            next: 0,
            due: BTreeMap::new(),
        }))
    }

    /// Begins an activity that makes progress within `bound`.
    pub fn begin(&self, what: &'static str, bound: Duration) -> WorkerActivity<'_> {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.due.insert(number, (what, Instant::now() + bound));
        WorkerActivity {
            activities: self,
            number,
        }
    }

    /// Returns an activity that should have made progress before `now`.
    pub fn late(&self, now: Instant) -> Option<&'static str> {
        self.state()
            .due
            .values()
            .find(|(_, due)| *due < now)
            .map(|(what, _)| *what)
    }

    fn state(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Activities {
    fn default() -> Activities {
        Activities::new()
    }
}

impl WorkerActivity<'_> {
    /// Records progress; the next is due within `bound`.
    pub fn goes_on(&self, bound: Duration) {
        if let Some((_, due)) = self.activities.state().due.get_mut(&self.number) {
            *due = Instant::now() + bound;
        }
    }
}

impl Drop for WorkerActivity<'_> {
    fn drop(&mut self) {
        self.activities.state().due.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(40);
    const LATER: Duration = Duration::from_secs(41);

    #[test]
    fn one_activity_that_hangs_is_late_whatever_the_others_do() {
        let activities = Activities::new();
        assert_eq!(activities.late(Instant::now() + LATER), None);
        let accepting = activities.begin("accepting", BOUND);
        let hanging = activities.begin("an act", BOUND);
        let began = Instant::now();
        assert_eq!(activities.late(began), None);
        accepting.goes_on(2 * LATER);
        drop(activities.begin("an act", BOUND));
        assert_eq!(activities.late(began + LATER), Some("an act"));
        drop(hanging);
        assert_eq!(activities.late(began + LATER), None);
        assert_eq!(
            activities.late(began + 3 * LATER),
            Some("accepting"),
            "it must go on, too"
        );
    }

    #[test]
    fn an_act_that_panics_is_not_late() {
        let activities = Activities::new();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _act = activities.begin("an act", BOUND);
            panic!("in an act");
        }));
        assert!(panicked.is_err());
        assert_eq!(activities.late(Instant::now() + LATER), None);
    }
}
