//! `postern upgrade` on stores of earlier versions: their content keeps working.
//! `stores/version-3/CONTENTS.md` describes the store of version 3.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::EventFilter;
use postern_shared::account::name::Distinct;
use postern_shared::config::Config;
use postern_shared::credential::otp::secret::Secret;
use postern_shared::credential::otp::totp::{
    Algorithm, OtpKind, OtpParameters, Step, generate_code,
};
use postern_shared::engine::Engine;
use postern_shared::protocol::status::SecondFactorState;
use postern_shared::store::{self, UpgradeResult};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::{Refusal, VerificationResult};
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use test_store::{TestFolder, TestStore, assert_contains, attempt_at, name, request};

/// The time when the store was created.
const MADE: Timestamp = Timestamp(1_795_913_156);
const NOW: Timestamp = Timestamp(MADE.0 + 90);

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores")
}

/// Returns a folder with a store of version 3 that no process has open.
fn version_3(extra: &str) -> (TestFolder, Config) {
    let TestStore {
        folder,
        config,
        engine,
    } = TestStore::new(extra);
    drop(engine);
    for suffix in ["-wal", "-shm"] {
        fs::File::create(folder.path().join(format!("store/db{suffix}"))).unwrap();
    }
    let made = stores().join("version-3");
    fs::write(
        folder.path().join("store/db"),
        fs::read(made.join("postern.db")).unwrap(),
    )
    .unwrap();
    fs::write(
        folder.path().join("etc/key"),
        fs::read(made.join("postern.key")).unwrap(),
    )
    .unwrap();
    (folder, config)
}

/// Returns a folder with a store that a schema creates.
fn made_by(schema: &str, version: i64) -> (TestFolder, Config) {
    let TestStore {
        folder,
        config,
        engine: opened,
    } = TestStore::new("");
    drop(opened);
    let path = folder.path().join("store/db");
    for suffix in ["", "-wal", "-shm"] {
        fs::File::create(folder.path().join(format!("store/db{suffix}"))).unwrap();
    }
    let engine = rusqlite::Connection::open(&path).unwrap();
    let of = "PRAGMA journal_mode = DELETE; PRAGMA application_id = 0x506f7374";
    engine
        .execute_batch(&format!("{of}; PRAGMA user_version = {version}; {schema}"))
        .unwrap();
    (folder, config)
}

fn refused_open(config: &Config) -> String {
    Engine::open(config.clone())
        .err()
        .expect("the store is not opened")
        .to_string()
}

fn refused_upgrade(config: &Config) -> String {
    store::upgrade(&config.store)
        .expect_err("the store is not upgraded")
        .to_string()
}

#[track_caller]
fn upgraded(config: &Config) -> PathBuf {
    let UpgradeResult::Upgraded {
        from: 3,
        to: 8,
        backup: Some(backup),
    } = store::upgrade(&config.store).unwrap()
    else {
        panic!("not from version 3 to version 8")
    };
    backup
}

fn verify(engine: &mut Engine, who: &str, typed: &str, now: Timestamp) -> VerificationResult {
    attempt_at(engine, who, &Origin::Unknown, Phase::After, typed, now).result
}

fn is_accepted(engine: &mut Engine, who: &str, typed: &str, now: Timestamp) -> bool {
    verify(engine, who, typed, now).is_ok()
}

fn totp(secret: &str, now: Timestamp) -> String {
    let secret = Secret::from_base32(secret).unwrap();
    let parameters = OtpParameters {
        algorithm: Algorithm::Sha1,
        digits: 6,
        moving: OtpKind::Time { period: 30 },
    };
    generate_code(&secret, parameters, Step(now.0 / 30)).to_string()
}

#[test]
fn a_store_of_version_3_is_refused_with_the_remedy_and_opens_after_it() {
    let (folder, config) = version_3("");
    let path = folder.path().join("store/db");
    let before = fs::read(&path).unwrap();
    let refused = refused_open(&config);
    assert_contains(
        &refused,
        "the store has version 3, this program knows version 8",
    );
    assert_contains(&refused, "run postern upgrade as root");
    assert_eq!(fs::read(&path).unwrap(), before, "nothing was written");

    let backup = upgraded(&config);
    assert_eq!(
        backup,
        path.canonicalize().unwrap().with_file_name("db.before-8")
    );
    let (store, copy) = (path.metadata().unwrap(), backup.metadata().unwrap());
    assert_eq!(
        (copy.mode(), copy.uid(), copy.gid()),
        (store.mode(), store.uid(), store.gid())
    );
    Engine::open(config.clone()).unwrap();
    assert_eq!(
        store::upgrade(&config.store).unwrap(),
        UpgradeResult::UpToDate(8)
    );
    let names = fs::read_dir(folder.path().join("store")).unwrap();
    assert_eq!(
        names.count(),
        4,
        "the store, what is beside it, and the copy"
    );

    // The copy is the old store, which can be restored and upgraded again.
    fs::copy(&backup, &path).unwrap();
    for suffix in ["-wal", "-shm"] {
        fs::File::create(format!("{}{suffix}", path.display())).unwrap();
    }
    assert_contains(refused_open(&config), "run postern upgrade as root");
    upgraded(&config);
    Engine::open(config).unwrap();
}

#[test]
fn what_a_store_of_version_3_holds_keeps_working() {
    const ALICE: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let (folder, config) = version_3("");
    upgraded(&config);
    let mut opened = Engine::open(config).unwrap();

    // The accepted time step is still refused, and later ones are accepted.
    let used = verify(&mut opened, "alice", &totp(ALICE, MADE), MADE);
    assert!(matches!(used, Err(Refusal::Used { .. })), "{used:?}");
    assert!(is_accepted(&mut opened, "alice", &totp(ALICE, NOW), NOW));
    assert!(is_accepted(
        &mut opened,
        "bob",
        &totp("OJWCBJZLH7BOYSRDMK3PFYNS5E7SCCVH", NOW),
        NOW
    ));
    let seed = Secret::from_seed("3132333435363738393031323334353637383941").unwrap();
    let parameters = OtpParameters {
        algorithm: Algorithm::Sha1,
        digits: 6,
        moving: OtpKind::Counter,
    };
    let by_counter = generate_code(&seed, parameters, Step(0));
    assert!(
        is_accepted(&mut opened, "alice", &by_counter, NOW),
        "the token by counter"
    );
    let recovery = [
        "KXPED-KFJGX",
        "ESZDN-XVN5X",
        "AMV8U-A9BD8",
        "3SB9Q-RTUDR",
        "NVVVQ-YDWRS",
        "HG4XT-EBJN6",
    ];
    for typed in recovery {
        assert!(is_accepted(&mut opened, "alice", typed, NOW), "{typed}");
        let again = verify(&mut opened, "alice", typed, NOW);
        assert!(matches!(again, Err(Refusal::Used { .. })), "{again:?}");
    }

    let carol = opened.accounts().account_status(&name("carol")).unwrap();
    assert!(!matches!(carol.state, SecondFactorState::On));
    assert!(
        opened
            .accounts()
            .one_time_code_expiry(&name("carol"), NOW)
            .unwrap()
            .is_some()
    );
    let groups = opened
        .accounts()
        .change_groups(&name("carol"), &[], &[], "root", NOW)
        .unwrap();
    assert_eq!(
        groups
            .iter()
            .map(|group| group.as_str())
            .collect::<Vec<_>>(),
        ["staff"]
    );
    let app_passwords = opened.app_passwords().list_app_passwords(None).unwrap();
    assert_eq!(app_passwords.len(), 1);
    assert_eq!(
        app_passwords[0].scope.to_string(),
        "web:cloud.example.com/dav"
    );
    assert_eq!(
        opened
            .accounts()
            .unconfirmed_email(&name("alice"))
            .unwrap()
            .as_str(),
        "alice@example.com"
    );
    assert!(
        opened
            .audit_log()
            .list_events(&EventFilter::default(), 0, 100)
            .unwrap()
            .len()
            >= 13
    );

    // Another spelling belongs to the existing account, and no account number is used twice.
    assert!(
        opened
            .accounts()
            .add_account(&name("Bob"), Distinct::No, "root", NOW)
            .is_err()
    );
    opened
        .accounts()
        .add_account(&name("dora"), Distinct::No, "root", NOW)
        .unwrap();
    let engine = rusqlite::Connection::open(folder.path().join("store/db")).unwrap();
    let number = |sql: &str| {
        engine
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(number("SELECT id FROM account WHERE name = 'dora'"), 4);
    assert_eq!(
        number("SELECT account FROM account_group WHERE name = 'staff'"),
        3
    );
    assert_eq!(number("SELECT issued FROM one_time_code"), MADE.0 as i64);
}

/// Numbers of removed accounts are not used again, because sealed secrets and hashes are bound to
/// them.
#[test]
fn numbers_that_were_given_before_are_not_given_again() {
    let (folder, config) = version_3("");
    let engine = rusqlite::Connection::open(folder.path().join("store/db")).unwrap();
    engine
        .execute_batch("PRAGMA foreign_keys = ON; DELETE FROM account; DELETE FROM app_password")
        .unwrap();
    drop(engine);
    upgraded(&config);
    let engine = rusqlite::Connection::open(folder.path().join("store/db")).unwrap();
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    for (table, last) in [("account", 3), ("app_password", 1)] {
        assert_eq!(
            engine
                .query_row(sql, [table], |row| row.get::<_, i64>(0))
                .unwrap(),
            last,
            "{table}"
        );
    }
}

#[test]
fn a_copy_of_an_interrupted_upgrade_is_replaced() {
    let (folder, config) = version_3("");
    let store = folder.path().join("store");
    fs::write(store.join("db.before-8"), "half").unwrap();
    fs::write(store.join(".db.before-8.4194304.new"), "half").unwrap();
    let backup = upgraded(&config);
    let copy = rusqlite::Connection::open(backup).unwrap();
    assert_eq!(
        copy.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
            .unwrap(),
        3
    );
    assert!(!store.join(".db.before-8.4194304.new").exists());
}

/// Some of these stores have version 3 in their header.
#[test]
fn stores_that_were_never_released_are_refused_by_their_commit() {
    for (commit, version) in [
        ("a537922", 1),
        ("7d66434", 2),
        ("c4ca64a", 3),
        ("7ea6c5b", 3),
    ] {
        let schema = fs::read_to_string(stores().join(format!("unreleased/{commit}.sql"))).unwrap();
        let (folder, config) = made_by(&schema, version);
        let before = fs::read(folder.path().join("store/db")).unwrap();
        for refused in [refused_upgrade(&config), refused_open(&config)] {
            let named =
                format!("the schema of commit {commit}, which calls itself version {version}");
            assert_contains(&refused, &named);
            assert_contains(&refused, "run postern init and enroll everyone again");
        }
        assert_eq!(
            fs::read(folder.path().join("store/db")).unwrap(),
            before,
            "{commit}: nothing was written"
        );
        assert!(!folder.path().join("store/db.before-8").exists());
    }
}

/// A view or a trigger would run as root.
#[test]
fn a_store_of_version_3_that_another_hand_changed_is_not_upgraded() {
    for (crafted, named) in [
        (
            "CREATE VIEW seen AS SELECT * FROM account",
            "view seen is unexpected",
        ),
        (
            "CREATE TRIGGER twice AFTER INSERT ON event BEGIN DELETE FROM floor; END",
            "trigger twice is unexpected",
        ),
        ("DROP TABLE floor", "table floor is missing"),
        (
            "PRAGMA user_version = 2",
            "version 2, this program knows version 8; install the Postern that made it",
        ),
        (
            "PRAGMA user_version = 9",
            "version 9, this program knows version 8; restart this program, or install the Postern that made the store or a newer one",
        ),
        ("PRAGMA application_id = 1", "it is not a store of Postern"),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM account WHERE name = 'bob'",
            "a row refers to an account that is gone",
        ),
    ] {
        let (folder, config) = version_3("");
        let engine = rusqlite::Connection::open(folder.path().join("store/db")).unwrap();
        engine.execute_batch(crafted).unwrap();
        drop(engine);
        let refused = refused_upgrade(&config);
        assert!(refused.contains(named), "{crafted}: {refused}");
    }
}

/// Only root may create files in the folder, because root's SQLite acts on the files it finds
/// there.
#[test]
fn a_folder_that_others_can_write_is_no_place_for_an_upgrade() {
    let (folder, config) = version_3("");
    fs::set_permissions(
        folder.path().join("store"),
        PermissionsExt::from_mode(0o770),
    )
    .unwrap();
    assert_contains(refused_upgrade(&config), "chmod it to 0750");
    fs::set_permissions(
        folder.path().join("store"),
        PermissionsExt::from_mode(0o750),
    )
    .unwrap();
    upgraded(&config);
}

/// A daemon of this version keeps running while a newer `postern upgrade` changes its store.
#[test]
fn an_open_store_that_was_upgraded_meanwhile_is_refused_with_both_versions() {
    let TestStore {
        folder,
        config,
        engine: mut opened,
    } = TestStore::new("");
    let engine = rusqlite::Connection::open(folder.path().join("store/db")).unwrap();
    let version: i64 = engine
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let found = |opened: &mut Engine| {
        let read = opened.load_policy_facts(&name("alice")).map(|_| ());
        let written = opened.verification().verify_input(
            &postern_shared::engine::VerificationRequest {
                phase: Phase::Before,
                ..request(&name("alice"), &Origin::Unknown)
            },
            &postern_shared::credential::input::Input::parse(b"123456"),
            NOW,
        );
        [read, written.map(|_| ())].map(|result| result.err().map(|error| error.to_string()))
    };
    assert_eq!(found(&mut opened), [None, None]);
    let newer = version + 1;
    let upgraded = format!(
        "BEGIN; ALTER TABLE account RENAME TO person; PRAGMA user_version = {newer}; COMMIT"
    );
    engine.execute_batch(&upgraded).unwrap();
    for refused in found(&mut opened) {
        let refused = refused.unwrap();
        let versions =
            [version, newer].map(|version| refused.contains(&format!("version {version}")));
        assert_eq!(versions, [true, true], "{refused}");
    }
    assert_contains(refused_open(&config), format!("version {newer}"));
    // the store as after an upgrade that was undone from its copy
    let undone = format!(
        "BEGIN; ALTER TABLE person RENAME TO account; PRAGMA user_version = {version}; COMMIT"
    );
    engine.execute_batch(&undone).unwrap();
    assert_eq!(found(&mut opened), [None, None]);
}

/// Version 5 finds the rows of version 4 under other names, with the same numbers.
#[test]
fn a_store_of_version_4_keeps_its_rows_under_other_names() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite/migration");
    let schema = fs::read_to_string(sources.join("schema_4.sql")).unwrap();
    let (folder, config) = made_by(&schema, 4);
    let path = folder.path().join("store/db");
    let rows = "INSERT INTO account (id, name, name_key, created) VALUES (1, 'alice', 'alice', 5);
        INSERT INTO failure VALUES (7, 1, 1, 'elsewhere', 10, 1, 'code', '192.0.2.1');
        INSERT INTO row_lock VALUES (1, 1, 'elsewhere', 11);
        INSERT INTO familiar_address VALUES (1, '192.0.2.1', 'sshd', 12, 13);
        INSERT INTO login_ticket VALUES (x'01', 1, 14, 2, 0);
        INSERT INTO notice VALUES (8, 'a@example.com', 15, 16, 'alice', 'clock-mended', 'web', '-', 'root', '');
        INSERT INTO event VALUES (9, 17, 'alice', 'code-asked', 'sshd', '-', 'alice', 'x');
        INSERT INTO event VALUES (10, 18, 'alice', 'accepted', 'sshd', '-', 'alice', 'code');
        DELETE FROM failure WHERE id = 7;
        INSERT INTO failure VALUES (3, 1, 0, 'elsewhere', 10, 1, 'password', NULL);";
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(rows)
        .unwrap();
    let upgraded = store::upgrade(&config.store).unwrap();
    assert!(
        matches!(upgraded, UpgradeResult::Upgraded { from: 4, to: 8, .. }),
        "{upgraded:?}"
    );
    let engine = rusqlite::Connection::open(&path).unwrap();
    for (sql, expected) in [
        (
            "SELECT id || phase || scope || factor FROM failure",
            "30elsewherepassword",
        ),
        (
            "SELECT phase || scope || at FROM bucket_lock",
            "1elsewhere11",
        ),
        (
            "SELECT service || at || code_at FROM familiar_address",
            "sshd1213",
        ),
        ("SELECT expires || wrong || used FROM login_token", "1420"),
        (
            "SELECT id || kind || service || principal FROM notification",
            "8clock-unlockedwebroot",
        ),
        (
            "SELECT group_concat(id || kind || service || principal) FROM event",
            "9code-requestedsshdalice,10acceptedsshdalice",
        ),
        (
            "SELECT seq FROM sqlite_sequence WHERE name = 'failure'",
            "7",
        ),
        (
            "SELECT seq FROM sqlite_sequence WHERE name = 'notification'",
            "8",
        ),
        (
            "SELECT count(*) FROM sqlite_sequence WHERE name LIKE 'former%'",
            "0",
        ),
    ] {
        let sql = format!("SELECT CAST(({sql}) AS TEXT)");
        let found: String = engine.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, expected, "{sql}");
    }
}
