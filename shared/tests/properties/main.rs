//! Properties of every sequence of attempts, clock changes, restarts and administrative acts, with
//! real engines on a real store. No code is accepted twice, no limit is exceeded, no attacker keeps
//! the owner out, and no refusal changes more than a count. A sequence that breaks a property is
//! reduced to its shortest form, printed, and kept in `failures` for every later run.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod act;
mod model;
mod owner;
mod store;
#[path = "../test_store/mod.rs"]
mod test_store;
mod world;

use act::Act;
use owner::Owner;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestError, TestRunner};
use std::cell::RefCell;
use world::{Tally, World};

/// Runs the given number of sequences, and returns how often each reply occurred.
#[track_caller]
fn all(
    cases: u32,
    sequences: impl Strategy<Value = Vec<Act>>,
    lives: impl Fn(Vec<Act>) -> Tally,
) -> Tally {
    let failures = FileFailurePersistence::Direct("tests/properties/failures");
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(failures)),
        ..Config::default()
    };
    let total = RefCell::new(Tally::new());
    let attempt = TestRunner::new(config).run(&sequences, |acts| {
        for (what, count) in lives(acts) {
            *total.borrow_mut().entry(what).or_default() += count;
        }
        Ok(())
    });
    match attempt {
        Ok(()) => total.into_inner(),
        Err(TestError::Fail(reason, acts)) => {
            let acts: Vec<_> = acts.iter().map(|act| format!("{act:?}\n")).collect();
            panic!("{reason}\nafter:\n{}", acts.concat())
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn nothing_opens_twice_no_count_is_exceeded_and_no_refusal_changes_more_than_a_count() {
    let tally = all(40, act::anything(), |acts| {
        let mut world = World::new();
        acts.into_iter().for_each(|act| world.does(act));
        world.tally
    });
    for what in [
        "access",
        "the next page",
        "no charge",
        "a charge",
        "a delay",
        "a delay of the address",
        "a lock",
    ] {
        assert!(
            tally.contains_key(what),
            "no sequence met {what}: {tally:?}"
        );
    }
}

/// An attacker who guesses codes cannot keep the owner out.
#[test]
fn whatever_attackers_do_the_owner_gets_in() {
    let tally = all(16, act::attackers(), |acts| {
        let mut world = World::new();
        let owner = Owner::moves_in(&mut world);
        acts.into_iter()
            .chain(act::last_guesses())
            .for_each(|act| world.does(act));
        owner.gets_in_everywhere(&mut world);
        world.tally
    });
    for what in ["a charge", "a delay", "a delay of the address", "a lock"] {
        assert!(
            tally.contains_key(what),
            "no stranger met {what}: {tally:?}"
        );
    }
}
