//! Many simultaneous processes, one of which is killed.

use crate::acts::{at_once, attempts, gives_password, opened};
use crate::test_store::{
    NOW, TestStore, alice, alice_at_the_web, attempt_at, code_of, refused, remote,
};
use postern_shared::engine::{AfterPassword, EngineError};
use postern_shared::store::StoreError;
use postern_shared::verify::decision::{Refusal, VerificationResult};
use postern_shared::verify::throttle::Phase;
use rusqlite::Connection;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;

#[test]
fn trap_12_throttle_only_by_address_only_in_memory_only_for_passwords_or_not_under_parallel_load() {
    let (test, _) = alice("");
    let guesses: Vec<_> = (0..24)
        .map(|number| ("alice", format!("{number:06}")))
        .collect();
    let verdicts = at_once(&test, &guesses);
    let delayed =
        |result: &&VerificationResult| matches!(result, Err(Refusal::Delayed { wait: 30 }));
    assert_eq!(
        verdicts.iter().filter(delayed).count(),
        24 - 5,
        "{verdicts:?}"
    );

    // As many addresses as guesses, each in a process of its own without state.
    let (test, _) = alice_at_the_web("");
    let from = |number: u32| remote(&format!("198.51.100.{number}"));
    for number in 1..=5 {
        let guessed = attempt_at(
            &mut test.another(),
            "alice",
            &from(number),
            Phase::After,
            "000000",
            NOW,
        );
        refused(&guessed, Refusal::Wrong);
        let guessed = gives_password(&mut test.another(), &from(number), None, "wrong horse");
        assert!(matches!(guessed, AfterPassword::Refused(Refusal::Wrong)));
    }
    let sixth = attempt_at(
        &mut test.another(),
        "alice",
        &from(6),
        Phase::After,
        "000000",
        NOW,
    );
    refused(&sixth, Refusal::Delayed { wait: 30 });
    let sixth = gives_password(&mut test.another(), &from(6), None, "wrong horse");
    assert!(matches!(
        sixth,
        AfterPassword::Refused(Refusal::Delayed { wait: 30 })
    ));
}

/// A process is killed while it has the store locked. Then many people sign in at once.
#[test]
fn trap_18_a_lock_file_of_a_killed_process_locks_everyone_out_or_two_people_block_each_other() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    const NAME: &str = "crowds::trap_18_a_lock_file_of_a_killed_process_locks_everyone_out_or_two_people_block_each_other";
    const STORE: &str = "POSTERN_TRAP_18";
    if let Ok(path) = std::env::var(STORE) {
        // the process that is killed
        let engine = Connection::open(path).unwrap();
        engine
            .execute_batch("BEGIN IMMEDIATE; UPDATE account SET created = 0")
            .unwrap();
        println!("\nholding");
        loop {
            thread::park();
        }
    }
    let mut test = TestStore::new("");
    let people: Vec<_> = (0..8).map(|number| format!("person{number}")).collect();
    let apps: Vec<_> = people.iter().map(|who| test.enrols(who)).collect();
    test.enrols("alice");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", NAME])
        .env(STORE, test.folder.path().join("store/db"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"));
    let meanwhile = attempts(&mut test.another(), "000000");
    assert!(matches!(
        meanwhile,
        Err(EngineError::Store(StoreError::Busy | StoreError::Held(_)))
    ));
    holder.kill().unwrap();
    holder.wait().unwrap();

    let codes = people
        .iter()
        .zip(&apps)
        .map(|(who, app)| (who.as_str(), code_of(app, 0)));
    assert_eq!(opened(&at_once(&test, &codes.collect::<Vec<_>>())), 8);
}
