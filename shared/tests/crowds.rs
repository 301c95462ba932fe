//! A hundred inputs at the same moment, each in an engine of its own, as many hosts have them: one code
//! is accepted once, and load denies no one. On both databases.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::credential::otp::secret::Secret;
use postern_shared::engine::Engine;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::verify::decision::{Refusal, VerificationResult};
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use std::sync::Barrier;
use std::thread;
use test_store::{NOW, TestStore, alice, attempt_at, code_of, name};
use zeroize::Zeroizing;

const CROWD: usize = 100;

/// Enters each input in an engine of its own, all at the same moment.
fn at_once(test: &TestStore, inputs: &[(String, String)]) -> Vec<VerificationResult> {
    let (together, config) = (Barrier::new(inputs.len()), &test.config);
    let enters = |who: &str, typed: &str| {
        let mut engine = Engine::open(config.clone()).unwrap();
        together.wait();
        attempt_at(&mut engine, who, &Origin::Unknown, Phase::After, typed, NOW).result
    };
    thread::scope(|scope| {
        let running: Vec<_> = inputs
            .iter()
            .map(|(who, typed)| scope.spawn(|| enters(who, typed)))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn accepted(results: &[VerificationResult]) -> usize {
    results.iter().filter(|result| result.is_ok()).count()
}

#[test]
fn of_a_hundred_who_enter_one_code_at_once_one_is_accepted_and_the_others_are_told_why() {
    let (test, app) = alice("");
    let inputs = vec![("alice".to_owned(), code_of(&app, 0)); CROWD];
    let results = at_once(&test, &inputs);
    assert_eq!(accepted(&results), 1);
    let used = |result: &&VerificationResult| matches!(result, Err(Refusal::Used { .. }));
    assert_eq!(results.iter().filter(used).count(), CROWD - 1);
}

#[test]
fn a_hundred_who_enter_their_own_codes_at_once_are_all_accepted() {
    let mut test = TestStore::new("");
    let inputs: Vec<_> = (0..CROWD)
        .map(|number| {
            let who = format!("user{number}");
            let app = test.enrols(&who);
            (who, code_of(&app, 0))
        })
        .collect();
    assert_eq!(accepted(&at_once(&test, &inputs)), CROWD);
}

/// The floor belongs to the secret, and accounts are locked one by one: two accounts with one secret
/// must not each accept the same code.
#[test]
fn accounts_that_share_a_secret_accept_a_code_once_together() {
    for round in 0..8 {
        let mut test = TestStore::new("");
        let mut inputs = Vec::new();
        for number in 0..8 {
            let who = format!("user{number}");
            let secret = Secret::from_bytes(Zeroizing::new(vec![round + 1; 20])).unwrap();
            let app = PendingEnrollment::new(&test.config, &name(&who)).unwrap();
            let app = app.with_secret(secret);
            test.activates(&app);
            inputs.push((who, code_of(&app, 0)));
        }
        let results = at_once(&test, &inputs);
        assert_eq!(accepted(&results), 1, "{results:?}");
    }
}
