//! The connection limit of a socket: open conversations, counted by origin, and connections that
//! have not sent their opening. At the limit, the conversation ends that has waited longest for
//! its user among those of the origin with the most.
//!
//! MUST NOT end a conversation after the first factor for one before it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The open conversations of one socket.
pub struct ConnectionLimit<K> {
    most: usize,
    most_of_one: usize,
    state: Arc<Mutex<LimitState<K>>>,
}

struct LimitState<K> {
    next: u64,
    open: HashMap<u64, LimitedConversation<K>>,
}

struct LimitedConversation<K> {
    origin: K,
    proven: bool,
    end: Box<dyn Fn() + Send>,
}

/// An admitted conversation, until this is dropped.
pub struct ConversationPermit<K: Eq + Hash> {
    number: u64,
    state: Arc<Mutex<LimitState<K>>>,
}

impl<K: Clone + Eq + Hash> ConnectionLimit<K> {
    /// Returns a limit of `most` conversations, of which one origin has `most_of_one` before the
    /// first factor, and as many after it.
    pub fn new(most: usize, most_of_one: usize) -> ConnectionLimit<K> {
        let state = Arc::new(Mutex::new(LimitState {
            next: 0,
            open: HashMap::new(),
        }));
        ConnectionLimit {
            most,
            most_of_one,
            state,
        }
    }

    /// Admits a conversation of an origin; `proven` if its first factor has passed. `end` shuts
    /// its connection down, and may be called at any time. Returns `None` where no other
    /// conversation may be ended for it.
    pub fn admit(
        &self,
        origin: K,
        proven: bool,
        end: impl Fn() + Send + 'static,
    ) -> Option<ConversationPermit<K>> {
        let mut state = lock(&self.state);
        while let Some(oldest) = state.oldest_to_evict(self.most_of_one, &origin, proven) {
            state.end(oldest);
        }
        while state.open.len() >= self.most {
            let evicted = state.evict(&origin, proven)?;
            state.end(evicted);
        }
        Some(self.insert(&mut state, origin, proven, Box::new(end)))
    }

    /// The same for a client that can connect again soon. Returns `None` also where its own origin
    /// has more conversations than every other, so that many connections of one origin do not end
    /// its own.
    pub fn admit_or_wait(
        &self,
        origin: K,
        end: impl Fn() + Send + 'static,
    ) -> Option<ConversationPermit<K>> {
        let mut state = lock(&self.state);
        if state.connections_of(&origin, false) >= self.most_of_one {
            return None;
        }
        if state.open.len() >= self.most {
            let evicted = state.evict(&origin, false)?;
            if state.open[&evicted].origin == origin {
                return None;
            }
            state.end(evicted);
        }
        Some(self.insert(&mut state, origin, false, Box::new(end)))
    }

    fn insert(
        &self,
        state: &mut LimitState<K>,
        origin: K,
        proven: bool,
        end: Box<dyn Fn() + Send>,
    ) -> ConversationPermit<K> {
        let number = state.next;
        state.next += 1;
        state.open.insert(
            number,
            LimitedConversation {
                origin,
                proven,
                end,
            },
        );
        ConversationPermit {
            number,
            state: Arc::clone(&self.state),
        }
    }

    /// Returns the number of open conversations.
    pub fn open(&self) -> usize {
        lock(&self.state).open.len()
    }
}

impl<K: Clone + Eq + Hash> LimitState<K> {
    fn end(&mut self, number: u64) {
        if let Some(open) = self.open.remove(&number) {
            (open.end)();
        }
    }

    fn connections_of(&self, origin: &K, proven: bool) -> usize {
        self.open
            .values()
            .filter(|open| open.origin == *origin && open.proven == proven)
            .count()
    }

    /// Returns the oldest conversation of an origin that has reached its limit.
    fn oldest_to_evict(&self, most: usize, origin: &K, proven: bool) -> Option<u64> {
        if self.connections_of(origin, proven) < most {
            return None;
        }
        let of_it = self
            .open
            .iter()
            .filter(|(_, open)| open.origin == *origin && open.proven == proven);
        of_it.map(|(number, _)| *number).min()
    }

    /// Returns the oldest conversation of the origin with the most. The new conversation of
    /// `origin` counts already: if that origin has the most, one of its own ends. Conversations
    /// after the first factor are chosen only where no others are left.
    fn evict(&self, origin: &K, proven: bool) -> Option<u64> {
        let any_stranger = self.open.values().any(|open| !open.proven);
        if !any_stranger && !proven {
            return None;
        }
        let mut held: HashMap<&K, usize> = HashMap::new();
        for open in self
            .open
            .values()
            .filter(|open| open.proven != any_stranger)
        {
            *held.entry(&open.origin).or_default() += 1;
        }
        if proven != any_stranger {
            *held.entry(origin).or_default() += 1;
        }
        let most = held.values().copied().max()?;
        let greediest = self
            .open
            .iter()
            .filter(|(_, open)| open.proven != any_stranger && held[&open.origin] == most);
        greediest.map(|(number, _)| *number).min()
    }
}

impl<K: Eq + Hash> Drop for ConversationPermit<K> {
    fn drop(&mut self) {
        lock(&self.state).open.remove(&self.number);
    }
}

fn lock<K>(state: &Mutex<LimitState<K>>) -> MutexGuard<'_, LimitState<K>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Hall {
        all: ConnectionLimit<String>,
        ended: Arc<Mutex<Vec<String>>>,
        places: Vec<ConversationPermit<String>>,
    }

    impl Hall {
        fn of(most: usize) -> Hall {
            Hall {
                all: ConnectionLimit::new(most, most.div_ceil(2) + 2),
                ended: Arc::default(),
                places: Vec::new(),
            }
        }

        fn enters(&mut self, origin: &str, name: &str, proven: bool) -> bool {
            let (ended, name) = (Arc::clone(&self.ended), name.to_owned());
            let end = move || ended.lock().unwrap().push(name.clone());
            let place = self.all.admit(origin.to_owned(), proven, end);
            let entered = place.is_some();
            self.places.extend(place);
            entered
        }

        fn ended(&self) -> Vec<String> {
            self.ended.lock().unwrap().clone()
        }
    }

    #[test]
    fn the_oldest_conversation_of_the_greediest_origin_makes_room() {
        let mut hall = Hall::of(5);
        hall.enters("alice", "a1", false);
        for name in ["m1", "m2", "m3", "m4"] {
            assert!(hall.enters("mallory", name, false));
        }
        assert!(hall.enters("bob", "b1", false));
        assert_eq!(hall.ended(), ["m1"]);
        assert!(
            hall.enters("mallory", "m5", false),
            "it takes the place of its own oldest one"
        );
        assert_eq!(hall.ended(), ["m1", "m2"]);
        assert_eq!(hall.all.open(), 5);
    }

    /// Five thousand conversations from invented addresses, of one connection each, end one
    /// another, and none that has passed the first factor.
    #[test]
    fn conversations_from_made_up_addresses_end_none_whose_first_factor_has_passed() {
        let mut hall = Hall::of(64);
        assert!(hall.enters("alice", "a1", true));
        for number in 0..5_000 {
            assert!(hall.enters(&format!("2001:db8::{number}"), &format!("m{number}"), false));
        }
        assert!(hall.enters("bob", "b1", true));
        let ended = hall.ended();
        assert!(
            !ended.contains(&"a1".to_owned()) && !ended.contains(&"b1".to_owned()),
            "{ended:?}"
        );
        assert_eq!(hall.all.open(), 64);
    }

    #[test]
    fn strangers_take_no_place_of_those_whose_first_factor_has_passed() {
        let mut hall = Hall::of(3);
        for name in ["a1", "a2", "a3"] {
            assert!(hall.enters("alice", name, true));
        }
        assert!(!hall.enters("mallory", "m1", false));
        assert!(
            hall.enters("bob", "b1", true),
            "the greediest of its like makes room"
        );
        assert_eq!(hall.ended(), ["a1"]);
    }

    /// Even after the first factor, the connections of one user are limited.
    #[test]
    fn an_origin_has_a_bounded_share_of_each_kind() {
        let mut hall = Hall::of(64);
        for number in 0..1_000 {
            assert!(hall.enters("mallory", &format!("m{number}"), false));
            assert!(hall.enters("mallory", &format!("p{number}"), true));
        }
        assert_eq!(hall.all.open(), 64);
        assert!(hall.enters("alice", "a1", true));
        for number in 1_000..2_000 {
            assert!(hall.enters("mallory", &format!("p{number}"), true));
        }
        assert!(!hall.ended().contains(&"a1".to_owned()));
    }

    /// One user stops connections before they send an opening: the user waits, and no other client
    /// does.
    #[test]
    fn the_origin_that_holds_most_waits_and_others_enter() {
        let all = ConnectionLimit::new(8, 8);
        let ended = Arc::new(AtomicUsize::new(0));
        let end = || {
            let ended = Arc::clone(&ended);
            move || {
                ended.fetch_add(1, Ordering::SeqCst);
            }
        };
        let mut places: Vec<_> = (0..2_000)
            .filter_map(|_| all.admit_or_wait("mallory", end()))
            .collect();
        assert_eq!((places.len(), ended.load(Ordering::SeqCst)), (8, 0));
        for name in ["alice", "root", "root"] {
            places.push(all.admit_or_wait(name, end()).unwrap());
        }
        assert_eq!((all.open(), ended.load(Ordering::SeqCst)), (8, 3));
        let bounded = ConnectionLimit::new(8, 2);
        let places: Vec<_> = (0..9)
            .filter_map(|_| bounded.admit_or_wait("mallory", end()))
            .collect();
        assert_eq!(places.len(), 2);
    }

    #[test]
    fn a_place_is_given_back() {
        let all = ConnectionLimit::new(1, 1);
        let ended = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let ended = Arc::clone(&ended);
            let place = all.admit("alice", false, move || {
                ended.fetch_add(1, Ordering::SeqCst);
            });
            assert_eq!(all.open(), 1);
            drop(place);
        }
        assert_eq!((all.open(), ended.load(Ordering::SeqCst)), (0, 0));
    }
}
