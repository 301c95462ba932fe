//! How many connections each user of the host may have at once, and all of them together: whoever opens thousands
//! keeps nobody else out. A service that asks about others has more.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of one user.
const OF_ONE: usize = 3;
/// Of one that asks about others.
const OF_A_SERVICE: usize = 24;
/// Of all. Their descriptors are among those that the web's connections leave: 128 for stores, listeners and these.
const OF_ALL: usize = 48;

/// Who is in.
#[derive(Clone, Default)]
pub(crate) struct Guests {
    counts: Arc<Mutex<HashMap<u32, usize>>>,
    services: Arc<HashSet<u32>>,
}

/// One connection's place; it is free again when this is dropped.
pub(crate) struct Admitted {
    guests: Guests,
    uid: u32,
}

impl Guests {
    /// Nobody is in yet; these users ask about others.
    pub(crate) fn with_services(services: HashSet<u32>) -> Guests {
        Guests { counts: Arc::default(), services: Arc::new(services) }
    }

    /// Whoever is in stays in; these users ask about others from now on.
    pub(crate) fn under(&self, services: HashSet<u32>) -> Guests {
        Guests { counts: Arc::clone(&self.counts), services: Arc::new(services) }
    }

    /// Lets one more of a user's in, if there is room.
    pub(crate) fn admit(&self, uid: u32) -> Option<Admitted> {
        let mut counts = self.counts();
        if counts.values().sum::<usize>() >= OF_ALL {
            return None;
        }
        let most = if self.services.contains(&uid) { OF_A_SERVICE } else { OF_ONE };
        let of_one = counts.entry(uid).or_default();
        if *of_one >= most {
            return None;
        }
        *of_one += 1;
        Some(Admitted { guests: self.clone(), uid })
    }

    /// Each change is one number: a panic cannot leave it half done.
    fn counts(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.guests.counts();
        let left = counts.get(&self.uid).map_or(0, |count| count.saturating_sub(1));
        match left {
            0 => counts.remove(&self.uid),
            left => counts.insert(self.uid, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_too_many_keeps_nobody_else_out() {
        let guests = Guests::default();
        let mut of_one: Vec<_> = (0..1000).filter_map(|_| guests.admit(1000)).collect();
        assert_eq!(of_one.len(), OF_ONE);
        assert!(guests.admit(1001).is_some());
        of_one.pop();
        of_one.extend(guests.admit(1000));
        assert_eq!((of_one.len(), guests.admit(1000).is_some()), (OF_ONE, false));
        drop(of_one);
        assert!(guests.counts().is_empty());
    }

    #[test]
    fn a_service_that_asks_about_others_has_more_and_leaves_room() {
        let guests = Guests::with_services([990].into());
        let of_service: Vec<_> = (0..1000).filter_map(|_| guests.admit(990)).collect();
        assert_eq!(of_service.len(), OF_A_SERVICE);
        assert!(guests.admit(1000).is_some());
    }

    #[test]
    fn there_is_a_most_over_all_users() {
        let guests = Guests::default();
        let all: Vec<_> = (0..1000).filter_map(|uid| guests.admit(uid)).collect();
        assert_eq!(all.len(), OF_ALL);
    }
}
