//! Blocks the terminal's stop signals while this thread holds a lock of the store. Otherwise ^Z in
//! root's terminal would stop a command together with every process that waits for the lock.
//! Blocked signals are delivered afterwards.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Blocks the stop signals of this thread while it exists. MUST be dropped after the lock is
/// released.
#[must_use]
pub(crate) struct StopsBlocked(Option<SigSet>);

impl StopsBlocked {
    pub(crate) fn new() -> StopsBlocked {
        let stops: SigSet = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU]
            .into_iter()
            .collect();
        // cannot fail for a valid set
        StopsBlocked(stops.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
    }
}

impl Drop for StopsBlocked {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            let _ = before.thread_set_mask();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_blocked() -> bool {
        SigSet::thread_get_mask().unwrap().contains(Signal::SIGTSTP)
    }

    #[test]
    fn what_was_blocked_before_stays_blocked() {
        assert!(!is_blocked());
        let outer = StopsBlocked::new();
        let inner = StopsBlocked::new();
        drop(inner);
        assert!(is_blocked());
        drop(outer);
        assert!(!is_blocked());
    }

    #[test]
    fn a_transaction_is_not_stopped_from_the_terminal() {
        use crate::store::Intent;
        let folder = tempfile::tempdir().unwrap();
        let mut store = crate::store::sqlite::new_store(&folder);
        for intent in [Intent::Read, Intent::Write] {
            let transaction = store.begin(intent).unwrap();
            assert!(is_blocked());
            transaction.commit().unwrap();
            assert!(!is_blocked());
            drop(store.begin(intent).unwrap());
            assert!(!is_blocked());
        }
    }
}
