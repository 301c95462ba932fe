//! A store of version 4 in PostgreSQL is migrated. No release made one: the schema of version 4 and
//! its migration show that older versions are. The server is that of tests/postgres; without it,
//! these tests end at once.

use super::*;
use crate::config::{StoreConfig, StoreUrl};
use crate::crypto::master_key::MasterKeys;
use crate::crypto::vault::Vault;
use crate::store::postgres::dialect;
use crate::store::{self, StoreError};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

pub(super) const FROM_VERSION_4: PostgresMigration = PostgresMigration {
    from: 4,
    schema: include_str!("../../sqlite/migration/schema_4.sql"),
    statements: "
        ALTER TABLE failure RENAME stage TO phase; ALTER TABLE failure RENAME place TO scope;
        ALTER TABLE failure RENAME wrong TO factor; ALTER INDEX failure_row RENAME TO failure_bucket;
        ALTER TABLE row_lock RENAME TO bucket_lock;
        ALTER TABLE bucket_lock RENAME stage TO phase; ALTER TABLE bucket_lock RENAME place TO scope;
        ALTER INDEX row_lock_of_address RENAME TO bucket_lock_of_address;
        ALTER TABLE familiar_address RENAME door TO service;
        ALTER TABLE login_ticket RENAME TO login_token;
        ALTER INDEX login_ticket_expires RENAME TO login_token_expires;
        ALTER INDEX login_ticket_account RENAME TO login_token_account;
        ALTER TABLE notice RENAME TO notification;
        ALTER TABLE notification RENAME what TO kind; ALTER TABLE notification RENAME door TO service;
        ALTER TABLE notification RENAME actor TO principal;
        ALTER INDEX notice_account RENAME TO notification_account;
        ALTER INDEX notice_due RENAME TO notification_due; ALTER INDEX notice_at RENAME TO notification_at;
        ALTER TABLE event RENAME what TO kind; ALTER TABLE event RENAME door TO service;
        ALTER TABLE event RENAME actor TO principal;
        UPDATE event SET kind = 'clock-unlocked' WHERE kind = 'clock-mended'",
};

/// A database of its own, which is removed at the end.
struct TestDatabase {
    server: String,
    name: String,
    settings: StoreConfig,
}

impl TestDatabase {
    fn new(name: &str) -> Option<TestDatabase> {
        let server = std::env::var("POSTERN_TEST_POSTGRES").ok()?;
        let name = format!("upgrade_{name}_{}", std::process::id());
        let database = TestDatabase {
            settings: settings(&format!("{server}/{name}")),
            server,
            name,
        };
        database.at_server(&format!("CREATE DATABASE {}", database.name));
        Some(database)
    }

    fn at_server(&self, sql: &str) {
        run(&settings(&format!("{}/postgres", self.server)), sql);
    }

    fn run(&self, sql: &str) -> Vec<Option<String>> {
        run(&self.settings, sql)
    }

    fn error(&self) -> String {
        let opened = store::open(&self.settings);
        opened.err().expect("the store is not opened").to_string()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.at_server(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn settings(url: &str) -> StoreConfig {
    StoreConfig {
        url: StoreUrl::try_from(url.to_owned()).unwrap(),
        ..StoreConfig::default()
    }
}

fn run(settings: &StoreConfig, sql: &str) -> Vec<Option<String>> {
    let StoreUrl::Postgres(url) = &settings.url else {
        panic!("not of PostgreSQL")
    };
    let connection = Server::new(url, settings).connect().unwrap();
    connection.run(sql, LIMIT).unwrap()
}

/// Creates a store of version 4 with a used code, a session, a failure, a lock and an event.
fn version_4(name: &str) -> Option<TestDatabase> {
    let database = TestDatabase::new(name)?;
    let schema = dialect::schema(FROM_VERSION_4.schema);
    database.run(&format!(
        "CREATE TABLE store_version (version BIGINT NOT NULL); INSERT INTO store_version VALUES (4); {schema}"
    ));
    database.run(
        "INSERT INTO account (name, name_key, created) VALUES ('alice', 'alice', 1);
         INSERT INTO floor VALUES ('\\x01', 7); INSERT INTO secret VALUES (1, '\\x0203');
         INSERT INTO session (id, account, name, address, created, last_seen, expires)
             VALUES ('\\x04', 1, 'Test', '192.0.2.1', 1, 2, 3);
         INSERT INTO failure (owner, stage, place, at, cost, wrong) VALUES (1, 1, 'elsewhere', 5, 1, 'code');
         INSERT INTO row_lock VALUES (1, 1, 'elsewhere', 6);
         INSERT INTO event (at, account, what, door, origin, actor, cause)
             VALUES (8, 'alice', 'clock-mended', 'sshd', '-', 'root', '')",
    );
    Some(database)
}

#[test]
fn a_store_of_an_older_version_is_refused_with_the_command_and_opens_after_it() {
    let Some(database) = version_4("older") else {
        return;
    };
    let refused = database.error();
    assert!(
        refused.contains("has version 4, this program knows version 8"),
        "{refused}"
    );
    assert!(refused.contains("run postern upgrade as root"), "{refused}");
    assert!(!store::has_current_version(&database.settings).unwrap());
    let upgraded = store::upgrade(&database.settings).unwrap();
    let expected = UpgradeResult::Upgraded {
        from: 4,
        to: 8,
        backup: None,
    };
    assert_eq!(upgraded, expected);
    store::open(&database.settings).unwrap();
    let again = store::upgrade(&database.settings).unwrap();
    assert_eq!(again, UpgradeResult::UpToDate(8));
    for (sql, expected) in [
        ("SELECT step FROM floor", "7"),
        ("SELECT sealed FROM secret", "\\x0203"),
        ("SELECT id FROM session", "\\x04"),
        ("SELECT scope || factor FROM failure", "elsewherecode"),
        ("SELECT at FROM bucket_lock WHERE phase = 1", "6"),
        (
            "SELECT kind || service || principal FROM event",
            "clock-unlockedsshdroot",
        ),
        // a number is never given twice
        (
            "INSERT INTO event (at, account, kind, service, origin, principal, cause) \
          VALUES (9, 'a', 'b', 'c', 'd', 'e', 'f') RETURNING id",
            "2",
        ),
    ] {
        assert_eq!(database.run(sql), [Some(expected.to_owned())], "{sql}");
    }
}

#[test]
fn an_upgrade_that_fails_leaves_the_old_store() {
    let Some(database) = version_4("failing") else {
        return;
    };
    // in the way of a new name
    database.run("CREATE TABLE login_token (n int)");
    store::upgrade(&database.settings).unwrap_err();
    assert_eq!(
        database.run("SELECT version FROM store_version"),
        [Some("4".to_owned())]
    );
    database.run("SELECT stage FROM failure; DROP TABLE login_token");
    store::upgrade(&database.settings).unwrap();
}

#[test]
fn an_older_store_with_other_tables_than_those_of_its_version_is_not_touched() {
    let Some(database) = version_4("altered") else {
        return;
    };
    database.run("ALTER TABLE floor ADD note TEXT");
    let refused = store::upgrade(&database.settings).unwrap_err();
    assert!(matches!(refused, StoreError::Shape(_)), "{refused}");
    database.run("SELECT stage FROM failure");
}

#[test]
fn a_newer_store_and_one_without_a_way_are_refused_with_both_versions() {
    let Some(database) = version_4("newer") else {
        return;
    };
    for (version, remedy) in [
        (9, "restart this program"),
        (2, "install the Postern that made it"),
    ] {
        database.run(&format!("UPDATE store_version SET version = {version}"));
        let both = format!("has version {version}, this program knows version 8");
        for refused in [
            database.error(),
            store::upgrade(&database.settings).unwrap_err().to_string(),
        ] {
            assert!(
                refused.contains(&both) && refused.contains(remedy),
                "{refused}"
            );
        }
    }
}

#[test]
fn a_store_with_other_columns_or_with_triggers_is_refused_by_name() {
    let Some(database) = TestDatabase::new("columns") else {
        return;
    };
    let (masters, _) = MasterKeys::generate().unwrap();
    let keys = Vault::create(&masters).unwrap();
    store::create(&database.settings, None, &keys).unwrap();
    store::open(&database.settings).unwrap();
    // what is not of Postern does not matter
    database.run("CREATE VIEW other AS SELECT 1; CREATE TABLE another (n int)");
    store::open(&database.settings).unwrap();
    for (change, undo, expected) in [
        (
            "ALTER TABLE floor ADD note TEXT",
            "ALTER TABLE floor DROP note",
            "column floor.note is unexpected",
        ),
        (
            "ALTER TABLE floor ALTER step TYPE integer",
            "ALTER TABLE floor ALTER step TYPE bigint",
            "column floor.step differs",
        ),
        (
            "ALTER TABLE event ALTER cause TYPE text COLLATE \"POSIX\"",
            "ALTER TABLE event ALTER cause TYPE text COLLATE \"C\"",
            "column event.cause differs",
        ),
        (
            "ALTER TABLE session ALTER expires DROP NOT NULL",
            "ALTER TABLE session ALTER expires SET NOT NULL",
            "column session.expires differs",
        ),
        (
            "ALTER TABLE gate RENAME TO gates",
            "ALTER TABLE gates RENAME TO gate",
            "column gate.id is missing",
        ),
        (
            "CREATE RULE forget AS ON INSERT TO accepted_step DO INSTEAD NOTHING",
            "DROP RULE forget ON accepted_step",
            "rule forget is unexpected",
        ),
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER forget BEFORE INSERT ON floor FOR EACH ROW EXECUTE FUNCTION f()",
            "DROP TRIGGER forget ON floor",
            "trigger forget is unexpected",
        ),
        (
            "ALTER TABLE floor ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE floor DISABLE ROW LEVEL SECURITY",
            "row security of table floor is unexpected",
        ),
    ] {
        database.run(change);
        let refused = database.error();
        assert!(refused.contains(expected), "{refused}");
        database.run(undo);
    }
    store::open(&database.settings).unwrap();
}
