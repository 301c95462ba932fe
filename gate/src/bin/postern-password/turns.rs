//! How many questions there are at once: connections, and among them those that PAM is asked.

use shared::name::UserName;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Connections.
const PLACES: usize = 48;
/// Questions to PAM: after a wrong password most of their time is pam_unix's pause.
const AT_ONCE: usize = 16;
/// Of those, about one account: whoever makes a module hang keeps few turns.
const OF_ONE: usize = 2;

/// All of them.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<(Mutex<Counts>, Condvar)>);

#[derive(Default)]
struct Counts {
    places: usize,
    turns: usize,
    of_one: HashMap<UserName, usize>,
}

impl Counts {
    fn has_turn(&self, name: &UserName) -> bool {
        self.turns < AT_ONCE && self.of_one.get(name).is_none_or(|count| *count < OF_ONE)
    }
}

/// One connection's place; it is free again when this is dropped.
pub(crate) struct Seated(Turns);

/// One question's turn; it is over when this is dropped.
pub(crate) struct Turn<'a>(&'a Turns, UserName);

impl Turns {
    /// A place, if there is one.
    pub(crate) fn place(&self) -> Option<Seated> {
        let mut counts = self.counts();
        if counts.places >= PLACES {
            return None;
        }
        counts.places += 1;
        Some(Seated(self.clone()))
    }

    /// Whether nobody is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts().places == 0
    }

    /// Each change is one number at a time: a panic cannot leave it half done.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seated {
    /// Waits for a turn.
    pub(crate) fn turn(&self, name: &UserName, within: Duration) -> Option<Turn<'_>> {
        let Seated(turns) = self;
        let waited = turns.0.1.wait_timeout_while(turns.counts(), within, |counts| !counts.has_turn(name));
        let (mut counts, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !counts.has_turn(name) {
            return None;
        }
        counts.turns += 1;
        *counts.of_one.entry(name.clone()).or_default() += 1;
        Some(Turn(turns, name.clone()))
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.0.counts().places -= 1;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Turn(turns, name) = self;
        let mut counts = turns.counts();
        counts.turns -= 1;
        match counts.of_one.get(name).map_or(0, |count| count.saturating_sub(1)) {
            0 => counts.of_one.remove(name),
            left => counts.of_one.insert(name.clone(), left),
        };
        // whoever waits may wait for this account or for any
        turns.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[test]
    fn there_are_so_many_places_and_a_free_one_is_taken_again() {
        let turns = Turns::default();
        let mut seated: Vec<_> = (0..1000).map_while(|_| turns.place()).collect();
        assert_eq!(seated.len(), PLACES);
        seated.pop();
        seated.extend(turns.place());
        assert_eq!((seated.len(), turns.place().is_some()), (PLACES, false));
        drop(seated);
        assert!(turns.is_empty());
    }

    #[test]
    fn one_account_keeps_no_other_waiting() {
        let turns = Turns::default();
        let seated = turns.place().unwrap();
        let mut taken: Vec<_> = (0..9).map_while(|_| seated.turn(&name("alice"), Duration::ZERO)).collect();
        assert_eq!(taken.len(), OF_ONE);
        let others = (0..100).map_while(|n| seated.turn(&name(&format!("u{n}")), Duration::ZERO));
        taken.extend(others);
        assert_eq!(taken.len(), AT_ONCE);
        drop(taken);
        assert!(turns.counts().of_one.is_empty() && seated.turn(&name("alice"), Duration::ZERO).is_some());
    }

    #[test]
    fn who_waits_gets_the_turn_that_ends() {
        let turns = Turns::default();
        let seated = turns.place().unwrap();
        let taken: Vec<_> = (0..OF_ONE).filter_map(|_| seated.turn(&name("alice"), Duration::ZERO)).collect();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| seated.turn(&name("alice"), Duration::from_secs(60)).is_some());
            drop(taken);
            assert!(waits.join().unwrap());
        });
    }
}
