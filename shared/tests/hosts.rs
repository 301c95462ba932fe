//! Several hosts on one store in PostgreSQL: what they have in common is the time of the database, and
//! each hears of a revocation. On PostgreSQL alone, since a store in a file has one host.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::config::file;
use postern_shared::engine::Engine;
use postern_shared::store::RevisionListener;
use postern_shared::system::clock;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use test_store::{TestStore, alice, attempt_at, code_at, is_postgres};

/// The configuration of the store, for a process that is another host.
const CONFIG: &str = "POSTERN_TEST_OTHER_HOST";
const INPUT: &str = "POSTERN_TEST_INPUT";

/// Runs a test of this file as another host whose clock is wrong by an offset of libfaketime.
fn at_another_host(test: &TestStore, name: &str, offset: &str, input: &str) -> Output {
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(CONFIG, test.folder.path().join("postern.toml"))
        .env(INPUT, input)
        .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1")
        .env("FAKETIME", offset)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .output();
    ran.unwrap()
}

/// A host enters an input at its own time. Prints the result and the time.
fn enter_as_another_host() -> bool {
    let Ok(path) = std::env::var(CONFIG) else {
        return false;
    };
    let config = file::read_config(path.as_ref()).unwrap().config;
    let mut engine = Engine::open(config).unwrap();
    let now = clock::now().unwrap();
    let host = clock::host_time().unwrap();
    let input = std::env::var(INPUT).unwrap();
    let origin = Origin::Unknown;
    let result = attempt_at(&mut engine, "alice", &origin, Phase::After, &input, now).result;
    let kind = match result {
        Ok(_) => "accepted".to_owned(),
        Err(Refusal::Delayed { .. }) => "delayed".to_owned(),
        Err(Refusal::Used { .. }) => "used".to_owned(),
        Err(other) => format!("{other:?}"),
    };
    println!("\nOTHER {kind} {} {}", now.0, host.0);
    true
}

/// Returns the result, the time of the store and the time of the clock there.
fn reported(output: &Output) -> (String, u64, u64) {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("OTHER "));
    let line = line.unwrap_or_else(|| panic!("{output:?}"));
    let words: Vec<&str> = line.split(' ').collect();
    (
        words[0].to_owned(),
        words[1].parse().unwrap(),
        words[2].parse().unwrap(),
    )
}

/// The fault: a user who had to wait after wrong codes went on at a host whose clock was ahead.
#[test]
fn a_host_whose_clock_is_wrong_has_the_time_of_the_database() {
    const NAME: &str = "a_host_whose_clock_is_wrong_has_the_time_of_the_database";
    if !is_postgres() || enter_as_another_host() {
        return;
    }
    let (mut test, app) = alice("");
    for number in 0..5 {
        let now = clock::now().unwrap();
        test.attempt("alice", &format!("00000{number}"), now);
    }
    for offset in ["+10m", "-10m", "+400d"] {
        let seconds = clock::now().unwrap().0;
        let (kind, time, host) = reported(&at_another_host(&test, NAME, offset, "000000"));
        assert!(host.abs_diff(seconds) > 500, "the clock there is wrong");
        assert!(time.abs_diff(seconds) < 30, "{offset}: {time}, {seconds}");
        assert_eq!(kind, "delayed", "{offset}");
    }
    let now = clock::now().unwrap();
    test.unlocks("alice", "root", now);
    // a code of this moment opens there, and here no more
    let code = code_at(&app, 0, clock::now().unwrap());
    let (kind, ..) = reported(&at_another_host(&test, NAME, "-10m", &code));
    assert_eq!(kind, "accepted");
    let again = test.attempt("alice", &code, clock::now().unwrap()).result;
    assert!(matches!(again, Err(Refusal::Used { .. })), "{again:?}");
}

#[test]
fn a_host_that_listens_hears_of_a_revocation_with_its_commit() {
    if !is_postgres() {
        return;
    }
    let (mut test, _) = alice("");
    let mut listener = RevisionListener::open(&test.config.store).unwrap().unwrap();
    let limit = Duration::from_secs(10);
    let is_heard = listener.wait(Duration::from_millis(100)).unwrap();
    assert!(!is_heard, "nothing was revoked yet");
    test.disables("alice", "root", test_store::NOW);
    let began = Instant::now();
    assert!(listener.wait(limit).unwrap());
    let waited = began.elapsed();
    assert!(waited < Duration::from_millis(500), "{waited:?}");
}

/// A listener that hears nothing any more says so, and does not look healthy.
#[test]
fn a_listener_whose_connection_is_cut_fails() {
    if !is_postgres() {
        return;
    }
    let (test, _) = alice("");
    let mut listener = RevisionListener::open(&test.config.store).unwrap().unwrap();
    test.changes(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    );
    let began = Instant::now();
    assert!(listener.wait(Duration::from_secs(10)).is_err());
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// The server may close connections between two acts, as at its restart.
#[test]
fn an_act_after_the_server_closed_its_connections_makes_new_ones() {
    if !is_postgres() {
        return;
    }
    let (mut test, app) = alice("");
    for offset in 0..2 {
        test.changes(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        let now = test_store::NOW.plus(offset * 30);
        test_store::accepted(&test.attempt("alice", &code_at(&app, 0, now), now));
    }
}
