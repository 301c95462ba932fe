//! Writes that would lock the store for long, and rows without a bound.

use super::throttle::{WRONG, app_password};
use crate::test_store::{NOW, TestStore, accepted, alice, assert_contains, code_of, name, remote};
use postern_shared::engine::{ImportMode, ImportReport};
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::throttle::Phase;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The fault: each wrong app password added a row, and each later attempt read all of them.
#[test]
fn an_address_has_no_more_rows_than_fill_its_count() {
    let (mut test, _) = alice("");
    let address = postern_shared::system::network::address::Address::parse("198.51.100.7").unwrap();
    for minute in 0..3 {
        let wrong = vec![(address, NOW.plus(60 * minute)); 500];
        test.app_passwords()
            .record_app_password_use(&[], &wrong)
            .unwrap();
    }
    let rows: i64 = test.number("SELECT count(*) FROM address_failure");
    assert_eq!(rows, 10);
    let from = remote("198.51.100.7");
    let attempt = test.attempt_from("alice", &from, Phase::Before, WRONG, NOW);
    assert!(matches!(
        attempt.result,
        Err(Refusal::AddressDelayed { .. })
    ));
}

/// Rows that no present bucket reads are removed too: those of buckets that are no longer used, and
/// those of addresses of unused accounts.
#[test]
fn what_is_older_than_thirty_days_is_cleared_a_little_with_every_write() {
    let (mut test, app) = alice("");
    let from = |number: u32| remote(&format!("198.51.100.{number}"));
    for number in 0..40 {
        test.attempt_from(
            &format!("nobody{number}"),
            &from(number),
            Phase::Before,
            WRONG,
            NOW,
        );
    }
    let count = |test: &TestStore, table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        test.number(&sql)
    };
    assert_eq!(
        (count(&test, "failure"), count(&test, "address_failure")),
        (40, 40)
    );
    accepted(&test.attempt_from("alice", &from(99), Phase::After, &code_of(&app, 0), NOW));
    let later = NOW.plus(31 * 86_400);
    let before = count(&test, "failure");
    test.attempt_from("somebody", &from(98), Phase::Before, WRONG, later);
    assert_eq!(count(&test, "failure"), before - 4 + 1, "a few at once");
    assert_eq!(count(&test, "familiar_address"), 1);
    test.app_passwords().remove_expired_rows(later).unwrap();
    assert_eq!(
        (count(&test, "failure"), count(&test, "address_failure")),
        (1, 1)
    );
    assert_eq!(count(&test, "familiar_address"), 0);
}

/// The fault: no login was answered during an import of thousands of accounts.
#[test]
fn an_import_takes_over_a_few_accounts_at_a_time() {
    let mut test = TestStore::new("");
    // Base32 has no 0, 1, 8 and 9, so the digits are written as letters.
    let unique = |number: usize| -> String {
        format!("{number:08}")
            .bytes()
            .map(|digit| char::from(digit - b'0' + b'A'))
            .collect()
    };
    let line = |number: usize| {
        let secret = format!("GEZDGNBVGY3TQOJQGEZDGNBV{}", unique(number));
        format!(
            "otpauth://totp/x:user{}?secret={secret}&issuer=x",
            number % 120
        )
    };
    let text = (0..180).map(line).collect::<Vec<_>>().join("\n");
    let found = postern_shared::credential::import::parse_import_file(
        postern_shared::credential::import::ImportFormat::Otpauth,
        text.as_bytes(),
    )
    .unwrap()
    .found;
    let revision = |test: &TestStore| -> i64 { test.number("SELECT number FROM revision") };
    let before = revision(&test);
    let distinct = postern_shared::account::name::Distinct::No;
    let tried = test
        .accounts()
        .import_authenticators(&found, ImportMode::DryRun, distinct, "root", NOW)
        .unwrap();
    assert_eq!(revision(&test), before, "a trial keeps nothing");
    let done = test
        .accounts()
        .import_authenticators(&found, ImportMode::Commit, distinct, "root", NOW)
        .unwrap();
    assert_eq!(tried, done);
    let taken = done
        .iter()
        .filter(|one| matches!(one, ImportReport::Imported(_)))
        .count();
    let transactions = revision(&test) - before;
    assert!(
        taken > 50 && transactions >= taken as i64 / 50,
        "{taken} in {transactions} transactions"
    );
    let again = test
        .accounts()
        .import_authenticators(&found, ImportMode::Commit, distinct, "root", NOW)
        .unwrap();
    assert!(
        again
            .iter()
            .all(|one| *one == ImportReport::AlreadyEnrolled)
    );
}

/// The fault: a read transaction had no fixed snapshot before its first read.
#[test]
fn a_reading_transaction_sees_the_store_as_it_was_when_it_began() {
    let (mut test, _) = alice("");
    let mut store = postern_shared::store::open(&test.config.store).unwrap();
    let mut reading = store.begin(postern_shared::store::Intent::Read).unwrap();
    test.adds_account("bob");
    assert!(reading.find_account(&name("bob")).unwrap().is_none());
    assert!(reading.find_account(&name("alice")).unwrap().is_some());
}

/// The body of the process that a test below stops. It does nothing in a normal run.
#[test]
#[ignore = "run by the test below"]
fn holds_the_store() {
    let Some(store) = std::env::var_os("HELD_STORE") else {
        return;
    };
    let engine = rusqlite::Connection::open(store).unwrap();
    engine.execute_batch("BEGIN IMMEDIATE").unwrap();
    println!("held");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// A process that its user stopped inside a transaction blocks every other process. The error names
/// that process.
#[test]
fn a_user_who_finds_the_store_held_learns_by_whom() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, _) = alice("");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store_load::holds_the_store",
            "--ignored",
            "--nocapture",
        ])
        .env("HELD_STORE", test.folder.path().join("store/db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(holder.stdout.take().unwrap());
    assert!(
        out.lines()
            .map_while(Result::ok)
            .any(|line| line.contains("held")),
        "it did not begin"
    );
    let pid = holder.id();
    assert!(
        Command::new("kill")
            .args(["-STOP", &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
    let failed = test
        .accounts()
        .add_account(
            &name("bob"),
            postern_shared::account::name::Distinct::No,
            "root",
            NOW,
        )
        .unwrap_err()
        .to_string();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_contains(&failed, format!("held by process {pid} ("));
    assert_contains(&failed, "user ");
    assert_contains(&failed, "stopped");
    test.adds_account("bob");
}

/// The fault: of four commands at the same time, one waited for five seconds and failed.
#[test]
fn commands_that_are_run_at_once_all_get_their_turn() {
    let mut test = TestStore::new("");
    for number in 0..8 {
        test.enrols(&format!("user{number}"));
    }
    std::thread::scope(|scope| {
        for number in 0..8 {
            let mut engine = test.another();
            scope.spawn(move || {
                engine
                    .accounts()
                    .disable_second_factor(&name(&format!("user{number}")), "root", NOW)
                    .unwrap()
            });
        }
    });
}

/// The fault: a gate read all app passwords under the write lock after each new one.
#[test]
fn a_gate_that_reads_many_app_passwords_delays_no_user() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, _) = alice("");
    app_password(&mut test);
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) \
               INSERT INTO app_password (hash, account, name, scope, created, revision) \
               SELECT randomblob(32), account, 'n' || i, scope, created, revision FROM n, app_password";
    test.changes(sql);
    let (ended, store) = (AtomicBool::new(false), test.folder.path().join("store/db"));
    let (looked, longest) = std::thread::scope(|scope| {
        // measures the longest wait of a process that requests the write lock all the time
        let polls = scope.spawn(|| {
            let engine = rusqlite::Connection::open(&store).unwrap();
            engine.busy_timeout(Duration::ZERO).unwrap();
            let (mut free, mut longest) = (Instant::now(), Duration::ZERO);
            while !ended.load(Ordering::SeqCst) {
                if engine.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
                    longest = longest.max(free.elapsed());
                    free = Instant::now();
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            longest.max(free.elapsed())
        });
        let began = Instant::now();
        let mut notified = 0;
        test.sessions()
            .update_revocations(&[7; 16], None, NOW, |seen| {
                notified = seen.app_passwords[0].all.len()
            })
            .unwrap();
        let looked = began.elapsed();
        ended.store(true, Ordering::SeqCst);
        assert_eq!(notified, 60_001);
        (looked, polls.join().unwrap())
    });
    assert!(longest < looked / 2, "held for {longest:?} of {looked:?}");
}
