//! A restore that is interrupted, or meets another one: the store is the old one, the new one, or
//! none, and never one beside the WAL of the other.

use super::backup::{backs_up, restore, steps, temporary_files, verdict};
use std::path::Path;
use std::process::Stdio;
use testhost::{
    Host, Postern, STORE, STORE_FOLDER, Store, assert_contains, delayed_at_call, failing_at_calls,
    has_failed, killed_at_calls, wait_until, was_killed,
};

/// A code that was accepted after the backup is not accepted again, at whatever step the restore is
/// killed, and the store is the old one, the new one, or none.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_restore_killed_at_any_step_leaves_a_whole_store_or_none() {
    let host = Host::without_posternd();
    let phone = host.person("alice").enrols();
    backs_up();
    host.clock.forward(30);
    let used = phone.code();
    assert_eq!(verdict(&used), "accepted");
    let (mut old, mut none) = (0, 0);
    // strace counts each call for itself
    for (call, at) in steps() {
        host.clock.forward(1);
        let output = Postern::under(killed_at_calls(call, at, restore().command())).run();
        if !was_killed() {
            assert_eq!(output.exit, Some(0), "{}", output.all());
            continue;
        }
        if Path::new(STORE).exists() {
            Store::open().is_sound();
            old += 1;
            let later = Postern::call("verify alice --json").input(&used).run();
            assert!(!later.out.contains("\"accepted\""), "killed at {call} {at}");
        } else {
            none += 1;
            let output = Postern::call("status alice").refuses();
            assert_contains(&output.err, "restore the store from its backup");
        }
        restore().does();
        assert_ne!(verdict(&used), "accepted", "killed at {call} {at}");
        Store::open().is_sound();
        let left = temporary_files(STORE_FOLDER);
        assert_eq!(left, [""; 0], "killed at {call} {at}");
    }
    assert!(
        old > 10 && none > 3,
        "{old} times a whole store, {none} times none"
    );
    host.clock.forward(120);
    assert_eq!(verdict(&phone.code()), "accepted");
}

/// Whatever call fails, from there on or only once, the store is the old one with all that it knows,
/// the new one, or none.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_restore_of_which_a_call_fails_leaves_a_whole_store_or_none() {
    let host = Host::without_posternd();
    let phone = host.person("alice").enrols();
    backs_up();
    let (mut old, mut none) = (0, 0);
    for call in ["renameat2", "fsync", "chown", "chmod"] {
        for when in [
            "1", "2", "3", "4", "5", "6", "1+", "2+", "3+", "4+", "5+", "6+",
        ] {
            host.clock.forward(120);
            let used = phone.code();
            // only the WAL knows it
            assert_eq!(verdict(&used), "accepted");
            let command = failing_at_calls(call, when, restore().command());
            let output = Postern::under(command).run();
            if !has_failed() {
                continue;
            }
            if Path::new(STORE).exists() {
                old += 1;
                Store::open().is_sound();
            } else {
                none += 1;
                assert_contains(&output.err, "could not be put back");
                restore().does();
            }
            assert_ne!(verdict(&used), "accepted", "{call} {when} failed");
            let left = temporary_files(STORE_FOLDER);
            assert_eq!(left, [""; 0], "{call} {when} failed");
        }
    }
    assert!(
        old > 10 && none > 0,
        "{old} times a whole store, {none} times none"
    );
}

/// The fault: while one restore was between two renames, a second one moved the WAL of the store
/// that it put in place, and with it codes that were used since.
#[test]
#[ignore = "needs the test host: tests/run"]
fn of_two_restores_at_once_one_is_refused() {
    let host = Host::without_posternd();
    let phone = host.person("alice").enrols();
    backs_up();
    host.clock.forward(30);
    let used = phone.code();
    assert_eq!(verdict(&used), "accepted");
    let mut slow = delayed_at_call("renameat2", 3, restore().command())
        .stdout(Stdio::null())
        .spawn()
        .expect("strace runs");
    wait_until("the old store has been moved", || {
        Ok(!Path::new(STORE).exists())
    });
    let output = restore().refuses();
    assert_contains(&output.err, "another restore is running");
    assert!(slow.wait().expect("it ends").success());
    assert_eq!(temporary_files(STORE_FOLDER), [""; 0]);
    assert_ne!(verdict(&used), "accepted");
    Store::open().is_sound();

    // Whichever comes first, each restores a whole store or is refused.
    host.clock.forward(120);
    let used = phone.code();
    assert_eq!(verdict(&used), "accepted");
    let mut both = [(); 2].map(|()| {
        let mut command = restore().command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("postern runs")
    });
    let ended = both.each_mut().map(|one| one.wait().expect("it ends"));
    assert!(ended.iter().any(|status| status.success()), "{ended:?}");
    assert_eq!(temporary_files(STORE_FOLDER), [""; 0]);
    assert_ne!(verdict(&used), "accepted");
    Store::open().is_sound();
    host.clock.forward(120);
    assert_eq!(verdict(&phone.code()), "accepted");
}
