//! The table of uses: one session, many, clocks that jump, many threads.

use super::*;
use crate::http::cookies::sample_session;
use postern_shared::token::session::SecondFactorMethod;

const TIMEOUT: u64 = 900;
const BEGIN: Timestamp = Timestamp(1_800_000_015);

fn session(number: u64) -> Session {
    // as random as the real ones in both halves
    let mixed = |factor: u64| number.wrapping_add(1).wrapping_mul(factor).to_be_bytes();
    let mut id = [0; 16];
    id[..8].copy_from_slice(&mixed(0x9e37_79b9_7f4a_7c15));
    id[8..].copy_from_slice(&mixed(0xd6e8_feb8_6659_fd93));
    Session {
        opened: BEGIN,
        ..sample_session("alice", SessionId(id), SecondFactorMethod::Code)
    }
}

#[test]
fn a_session_ends_once_it_is_not_used_for_the_timeout_and_a_minute_at_most() {
    let (uses, used) = (SessionUses::new(), session(1));
    let mut now = BEGIN;
    for pause in [0, 1, 59, 60, 300, 899, 899] {
        now = now.plus(pause);
        assert!(uses.record_use(&used, TIMEOUT, now), "{pause}");
    }
    assert!(uses.record_use(&used, TIMEOUT, now.plus(899)));
    let last = now.plus(899);
    assert!(!uses.record_use(&used, TIMEOUT, last.plus(TIMEOUT + 60)));
    assert!(
        !uses.record_use(&used, TIMEOUT, last.plus(TIMEOUT + 61)),
        "what is refused is no use"
    );
    // one that was never used counts from when it was opened
    let fresh = session(2);
    assert!(!uses.record_use(&fresh, TIMEOUT, BEGIN.plus(TIMEOUT)));
    assert!(uses.record_use(&fresh, TIMEOUT, BEGIN.plus(TIMEOUT - 1)));
}

/// A clock that ran ahead and was set back extends no session.
#[test]
fn a_use_in_the_future_is_none() {
    let (uses, used) = (SessionUses::new(), session(1));
    let ahead = Session {
        opened: BEGIN.plus(86_400),
        ..used.clone()
    };
    assert!(uses.record_use(&ahead, TIMEOUT, BEGIN.plus(86_400)));
    assert!(!uses.record_use(&used, TIMEOUT, BEGIN.plus(TIMEOUT)));
    assert!(uses.record_use(&used, TIMEOUT, BEGIN.plus(TIMEOUT - 1)));
    assert!(
        uses.record_use(&used, TIMEOUT, BEGIN.plus(2 * TIMEOUT - 2)),
        "it is known again"
    );
    uses.learn(used.id, BEGIN.plus(86_400), TIMEOUT, BEGIN);
    assert!(!uses.record_use(&used, TIMEOUT, BEGIN.plus(4 * TIMEOUT)));
}

/// None takes the place of another, and the places of those that are over are used again. (A million
/// took a minute in a debug build, and were known all.)
#[test]
fn many_sessions_are_known_and_the_memory_is_bounded() {
    const MANY: u64 = 40_000;
    let uses = SessionUses::new();
    let later = BEGIN.plus(TIMEOUT - 60);
    for round in 0..2 {
        let (start, end) = (round * MANY, (round + 1) * MANY);
        let at = |time: Timestamp| time.plus(round * 10 * TIMEOUT);
        for number in start..end {
            let one = Session {
                opened: at(BEGIN),
                ..session(number)
            };
            assert!(uses.record_use(&one, TIMEOUT, at(later)));
        }
        let known = (start..end).filter(|number| {
            let one = Session {
                opened: at(BEGIN),
                ..session(*number)
            };
            uses.record_use(&one, TIMEOUT, at(later).plus(TIMEOUT - 60))
        });
        assert_eq!(known.count() as u64, MANY, "round {round}");
    }
    assert!(uses.levels[4].get().is_none(), "levels that are not needed");
    let slots: usize = LEVELS.iter().sum::<usize>() * SLOTS;
    assert!(slots * 8 < 28 * 1024 * 1024);
}

#[test]
fn threads_that_use_sessions_in_the_same_places_lose_none() {
    let uses = SessionUses::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..20_000 {
                    assert!(uses.record_use(&session(number), TIMEOUT, BEGIN.plus(600)));
                }
            });
        }
    });
    let known =
        (0..20_000).filter(|number| uses.record_use(&session(*number), TIMEOUT, BEGIN.plus(1400)));
    assert_eq!(known.count(), 20_000);
}

/// What one gate stored, another one learns; what it knows better, it keeps.
#[test]
fn the_later_of_two_uses_counts() {
    let (uses, used) = (SessionUses::new(), session(1));
    let now = BEGIN.plus(800);
    uses.learn(used.id, BEGIN.plus(700), TIMEOUT, now);
    assert_eq!(
        uses.last_use(used.id),
        Some(Timestamp(BEGIN.plus(700).0 / 60 * 60))
    );
    uses.learn(used.id, BEGIN.plus(500), TIMEOUT, now);
    assert!(uses.record_use(&used, TIMEOUT, BEGIN.plus(1500)));
    assert_eq!(uses.used_since(minute_of(BEGIN.plus(1500))).len(), 1);
    assert!(uses.used_since(minute_of(BEGIN.plus(1560))).is_empty());
    uses.learn(session(2).id, BEGIN, TIMEOUT, BEGIN.plus(5000));
    assert_eq!(uses.last_use(session(2).id), None, "it is over");
}
