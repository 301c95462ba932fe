//! Stores that an attacker changed, or that a disk error damaged.

use crate::test_store::{NOW, TestStore, alice, assert_contains, name};
use postern_shared::engine::Engine;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

/// Changes a store by SQL, opens it, and returns the refusal.
#[track_caller]
fn refusal_after(crafted: &str) -> String {
    let (test, _) = alice("");
    let TestStore {
        folder,
        config,
        engine: opened,
    } = test;
    drop(opened);
    let engine = rusqlite::Connection::open(folder.path().join("store/db")).unwrap();
    engine.execute_batch(crafted).unwrap();
    drop(engine);
    let began = Instant::now();
    let refused = Engine::open(config).err().map(|error| error.to_string());
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    refused.unwrap_or_else(|| panic!("opened after {crafted}"))
}

/// Triggers and views in a schema run in the process that opens the store, which may be root's.
#[test]
fn a_store_with_an_object_of_another_owner_is_refused_by_name() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let virtual_table = "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema \
         VALUES ('table', 'words', 'words', 0, 'CREATE VIRTUAL TABLE words USING fts5(a)');";
    for (crafted, named) in [
        ("CREATE TABLE more (a)", "table more is unexpected"),
        (
            "CREATE VIEW seen AS SELECT * FROM account",
            "view seen is unexpected",
        ),
        (
            "CREATE TRIGGER twice AFTER INSERT ON event BEGIN DELETE FROM floor; END",
            "trigger twice is unexpected",
        ),
        (
            "CREATE INDEX by_kind ON event (kind)",
            "index by_kind is unexpected",
        ),
        ("ANALYZE", "table sqlite_stat1 is unexpected"),
        (virtual_table, "table words is unexpected"),
        ("DROP INDEX event_at", "index event_at is missing"),
        (
            "DROP INDEX event_at; CREATE INDEX event_at ON event (id)",
            "index event_at differs",
        ),
        (
            "DROP TABLE revision; CREATE VIEW revision AS SELECT 1 AS number",
            "view revision differs from this program's",
        ),
        (
            "ALTER TABLE account RENAME TO a; CREATE TABLE account AS SELECT * FROM a; DROP TABLE a",
            "table account differs",
        ),
    ] {
        let refused = refusal_after(crafted);
        assert!(refused.contains(named), "{crafted}: {refused}");
        assert_contains(&refused, "install the Postern that made");
    }
}

/// The fault: builds of one version had three other schemas. With those stores some operations of
/// this program failed, and others continued.
#[test]
fn a_store_of_an_earlier_build_of_the_same_version_is_refused_by_name() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    for (earlier, named) in [
        ("DROP TABLE login_token", "table login_token is missing"),
        (
            "ALTER TABLE session DROP COLUMN refreshed",
            "table session differs",
        ),
        (
            "ALTER TABLE familiar_address DROP COLUMN code_at",
            "table familiar_address differs",
        ),
    ] {
        let refused = refusal_after(earlier);
        assert!(refused.contains(named), "{earlier}: {refused}");
    }
}

/// The fault: millions of rows in a table that holds few made a login take half a minute and a
/// gigabyte of memory.
#[test]
fn a_small_table_with_many_rows_is_refused_at_once() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)";
    for (table, insert) in [
        (
            "data_key",
            "INSERT INTO data_key SELECT 'p' || i, x'00', x'00' FROM n",
        ),
        ("renewal", "INSERT INTO renewal SELECT i FROM n"),
        ("revision", "INSERT INTO revision (number) SELECT i FROM n"),
        (
            "app_password_revision",
            "INSERT INTO app_password_revision SELECT i FROM n",
        ),
        ("gate", "INSERT INTO gate SELECT cast(i AS BLOB), i FROM n"),
        (
            "sqlite_sequence",
            "INSERT INTO sqlite_sequence SELECT 't' || i, i FROM n",
        ),
    ] {
        let refused = refusal_after(&format!("{many} {insert}"));
        assert_contains(&refused, format!("table {table} holds more than"));
    }
}

/// A login does not read a value of half a gigabyte into memory.
#[test]
fn a_value_that_is_too_long_is_refused() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let refused = refusal_after("UPDATE data_key SET wrapped = zeroblob(50000000)");
    assert_contains(&refused, "holds a value that is too long");
}

/// A user who can write the folder could replace the files that root opens, and could make root
/// remove other files.
#[test]
fn no_user_but_the_owner_makes_or_removes_files_beside_the_store() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (test, _) = alice("");
    let store = test.folder.path().join("store");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&store), 0o750);
    for file in ["db", "db-wal", "db-shm"] {
        assert_eq!(mode(&store.join(file)), 0o660, "{file}");
    }
    assert_eq!(fs::read_dir(&store).unwrap().count(), 3);

    for (open, named) in [
        (0o2770, "has mode 2770, too open; chmod it to 0750"),
        (0o755, "chmod it to 0750"),
    ] {
        fs::set_permissions(&store, PermissionsExt::from_mode(open)).unwrap();
        let refused = Engine::open(test.config.clone()).err().unwrap().to_string();
        assert_contains(&refused, named);
    }
    fs::set_permissions(&store, PermissionsExt::from_mode(0o750)).unwrap();
    fs::set_permissions(store.join("db-shm"), PermissionsExt::from_mode(0o666)).unwrap();
    let refused = Engine::open(test.config.clone()).err().unwrap().to_string();
    assert_contains(
        &refused,
        "db-shm: has mode 0666, too open; chmod it to 0660",
    );
}

/// The group that shares the store cannot create these files again.
#[test]
fn closing_the_store_leaves_its_files_in_place() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let mut test = TestStore::new("");
    let store = test.folder.path().join("store");
    let inode = |file: &str| fs::metadata(store.join(file)).unwrap().ino();
    let before = ["db", "db-wal", "db-shm"].map(inode);
    test.accounts()
        .set_password(
            &name("alice"),
            &crate::test_store::password("a password"),
            "root",
            NOW,
        )
        .unwrap();
    let (config, another) = (test.config.clone(), test.another());
    drop((test.engine, another));
    drop(Engine::open(config).unwrap());
    assert_eq!(["db", "db-wal", "db-shm"].map(inode), before);
}

/// A store is created inside its folder, which may be a mount point. Files left by an incomplete
/// store are not used.
#[test]
fn a_store_is_made_in_its_folder_alone_and_whole() {
    let (test, _) = alice("");
    let folder = test.folder.path().join("mount");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o750)).unwrap();
    let (masters, _) = postern_shared::crypto::master_key::MasterKeys::generate().unwrap();
    let keys = postern_shared::crypto::vault::Vault::create(&masters).unwrap();
    let settings = postern_shared::config::StoreConfig {
        url: format!("sqlite:{}", folder.join("db").display())
            .try_into()
            .unwrap(),
        ..Default::default()
    };
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    // a file of a killed process; no process has a number this high
    for left in [
        ".db.99999999.new",
        ".db.99999999.new-wal",
        ".db.99999999.new-shm",
        "db-wal",
    ] {
        fs::write(folder.join(left), "").unwrap();
    }
    let beside = || fs::read_dir(test.folder.path()).unwrap().count();
    let before = beside();
    postern_shared::store::create(&settings, None, &keys).unwrap();
    assert_eq!(names(), ["db", "db-shm", "db-wal"]);
    assert_eq!(beside(), before);

    // A store is not created over an existing one, nor with its remaining files.
    assert!(postern_shared::store::create(&settings, None, &keys).is_err());
    fs::remove_file(folder.join("db")).unwrap();
    fs::write(folder.join("db-wal"), "frames").unwrap();
    let refused = postern_shared::store::create(&settings, None, &keys)
        .unwrap_err()
        .to_string();
    assert_contains(&refused, "db-wal: belongs to another store");
    assert_eq!(names(), ["db-shm", "db-wal"]);
}
