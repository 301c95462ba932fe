//! A store of an older Postern: access is denied until `postern upgrade` has run. The upgrade loses
//! nothing, also when it is interrupted.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use testhost::{
    Disk, Host, KEY, Phone, Postern, STORE, STORE_FOLDER, Store, as_user, assert_contains,
    killed_at, was_killed,
};

/// Secret of alice, from `shared/tests/stores/version-3/CONTENTS.md`.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Replaces the host's store and key by those of version 3.
#[track_caller]
fn puts_version_3() {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/stores/version-3");
    let group = fs::metadata(STORE_FOLDER)
        .expect("the store's folder")
        .gid();
    let put = |to: String, bytes: Vec<u8>, mode: u32| {
        fs::write(&to, bytes).expect("the host can be changed");
        chown(&to, Some(0), Some(group)).expect("root may do it");
        fs::set_permissions(&to, PermissionsExt::from_mode(mode)).expect("root may do it");
    };
    let read = |name: &str| fs::read(made.join(name)).expect("the fixture");
    put(STORE.to_owned(), read("postern.db"), 0o660);
    put(format!("{STORE}-wal"), Vec::new(), 0o660);
    put(format!("{STORE}-shm"), Vec::new(), 0o660);
    put(KEY.to_owned(), read("postern.key"), 0o640);
}

#[track_caller]
fn version() -> i64 {
    Store::open().number("PRAGMA user_version")
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_store_of_version_3_denies_all_access_until_it_is_upgraded() {
    const REMEDY: &str = "run postern upgrade as root";
    let host = Host::fresh();
    let alice = host.person("alice");
    let phone = Phone::scans(SECRET);
    host.configure(
        "[gate]\nurl = \"https://auth.example.test/\"\ncookie_domain = \"example.test\"\n",
    );
    puts_version_3();

    alice.with_key().is_turned_away();
    let line = host.journal.says("refused cause=unavailable");
    assert_contains(&line, REMEDY);
    let mut gate = as_user("postern-gate", "postern");
    gate.args(["/usr/bin/postern-gate"]);
    let text = gate.output().expect("the gate runs");
    assert!(!text.status.success());
    assert!(
        String::from_utf8_lossy(&text.stderr).contains(REMEDY),
        "{text:?}"
    );
    assert_contains(&Postern::call("status").refuses().err, REMEDY);

    let text = Postern::call("upgrade").does();
    let backup = format!("{STORE}.before-8");
    assert_contains(&text.out, "had version 3 and has version 8 now");
    assert_contains(&text.out, &backup);
    let (store, copy) = (fs::metadata(STORE), fs::metadata(&backup));
    let (store, copy) = (store.expect("the store"), copy.expect("the copy"));
    assert_eq!(
        (store.mode(), store.uid(), store.gid()),
        (copy.mode(), copy.uid(), copy.gid())
    );
    assert_eq!(copy.mode() & 0o7777, 0o660);
    assert_contains(
        &Postern::call("upgrade").does().out,
        "has version 8 already",
    );

    alice.with_key().enters_with(&phone.code());
    alice.with_key().is_refused(&phone.code(), "used already");
    Store::open().is_sound();
}

/// At every write, the disk holds either the complete old store or the complete new one.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_upgrade_killed_at_any_write_leaves_a_whole_store() {
    let _host = Host::fresh();
    let (mut at, mut old) = (0, 0);
    loop {
        at += 1;
        puts_version_3();
        let output = Postern::under(killed_at(at, Postern::call("upgrade").command())).run();
        if !was_killed() {
            assert_contains(&output.out, "has version 8 now");
            break;
        }
        let left = version();
        assert!(
            left == 3 || left == 8,
            "version {left}, killed at write {at}"
        );
        old += u32::from(left == 3);
        Store::open().is_sound();
        Postern::call("upgrade").does();
        Postern::call("status alice").does();
        Store::open().is_sound();
    }
    assert!(old >= 4, "of {at} kills {old} came before the commit");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn an_upgrade_on_a_full_disk_or_of_a_store_that_is_held_changes_nothing() {
    let _host = Host::fresh();
    puts_version_3();
    // The disk has space for the store alone, then for its copy too, but not for a journal.
    for size in ["260k", "480k"] {
        let disk = Disk::over(STORE_FOLDER, size);
        let output = Postern::call("upgrade").refuses();
        assert!(
            output.err.contains("the disk is full; make room"),
            "{size}: {}",
            output.err
        );
        assert_eq!(version(), 3, "{size}");
        Store::open().is_sound();
        drop(disk);
    }
    let held = Store::open();
    held.changes("BEGIN IMMEDIATE");
    let output = Postern::call("upgrade").refuses();
    let named = format!("held by process {}", std::process::id());
    assert_contains(&output.err, &named);
    held.changes("ROLLBACK");
    drop(held);
    assert_eq!(version(), 3);
    Postern::call("upgrade").does();
}
