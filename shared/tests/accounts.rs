//! Accounts: they are added, removed and renamed, and their groups change.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::name::Group;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::engine::AdministrationError;
use postern_shared::policy::session_groups::SessionGroups;
use postern_shared::protocol::status::SecondFactorState;
use postern_shared::token::session::{
    CompletedFactors, FactorTimes, FirstFactorMethod, RevokedSessions, SecondFactorMethod, Session,
    SessionId,
};
use postern_shared::verify::decision::Refusal;
use std::time::{Duration, Instant};
use test_store::{NOW, TestStore, accepted, alice, code_of, name, refused};

/// Sets up alice's account as after a web sign-in.
fn had_a_session(test: &TestStore) {
    test.changes("UPDATE account SET had_session = 1");
}

/// Returns a session of alice that was opened before the change.
fn session(account: i64) -> Session {
    Session {
        id: SessionId::random().unwrap(),
        account,
        generation: 1,
        revision: 0,
        passed: CompletedFactors {
            first: FirstFactorMethod::Password,
            second: SecondFactorMethod::Code,
        },
        passed_at: FactorTimes {
            first: NOW,
            second: NOW,
        },
        issued: NOW,
        opened: NOW,
        expires: NOW.plus(12 * 3600),
        name: name("alice"),
        scope: "example.com".to_owned(),
        groups: Vec::new(),
        host_groups: SessionGroups::default(),
        email: None,
    }
}

fn revoked(test: &mut TestStore) -> RevokedSessions {
    let mut seen = None;
    test.sessions()
        .update_revocations(&[7; 16], None, NOW, |found| seen = Some(found.revoked))
        .unwrap();
    test.sessions().remove_gate(&[7; 16]).unwrap();
    seen.unwrap()
}

fn groups(names: &[&str]) -> Vec<Group> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn a_removed_account_leaves_its_used_codes_and_nothing_else() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, app) = alice("");
    accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
    let connection = rusqlite::Connection::open(test.folder.path().join("store/db")).unwrap();
    let sealed: Vec<u8> = connection
        .query_row("SELECT sealed FROM secret", [], |row| row.get(0))
        .unwrap();
    drop(connection);
    assert!(test.holds(&sealed));
    test.accounts()
        .remove_account(&name("alice"), "root", NOW)
        .unwrap();
    assert!(!test.holds(&sealed), "its secret is gone");
    assert!(
        revoked(&mut test).covers(&session(1)),
        "its sessions are over"
    );
    assert_eq!(test.enrolled("alice"), Enrolled::No);
    assert!(matches!(
        test.accounts().remove_account(&name("alice"), "root", NOW),
        Err(AdministrationError::UnknownAccount(_))
    ));
    for table in [
        "authenticator",
        "recovery_code",
        "failure",
        "bucket_lock",
        "familiar_address",
        "account",
    ] {
        let connection = rusqlite::Connection::open(test.folder.path().join("store/db")).unwrap();
        let sql = format!("SELECT count(*) FROM {table}");
        let left: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{table}");
    }
    test.activates(&app);
    refused(
        &test.attempt("alice", &code_of(&app, 0), NOW),
        Refusal::Used { wait: 15 },
    );
    assert!(
        !revoked(&mut test).covers(&session(2)),
        "the new account is another one"
    );
}

#[test]
fn a_renamed_account_keeps_its_second_factor() {
    let (mut test, app) = alice("");
    had_a_session(&test);
    accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
    test.accounts()
        .rename_account(
            &name("alice"),
            &name("ünal"),
            postern_shared::account::name::Distinct::No,
            "root",
            NOW,
        )
        .unwrap();
    refused(
        &test.attempt("alice", &code_of(&app, 1), NOW),
        Refusal::NotEnrolled,
    );
    refused(
        &test.attempt("ünal", &code_of(&app, 0), NOW),
        Refusal::Used { wait: 15 },
    );
    accepted(&test.attempt("ünal", &code_of(&app, 1), NOW));
    accepted(&test.attempt("ünal", app.recovery_codes()[0].plain(), NOW));
    assert!(revoked(&mut test).covers(&session(1)));

    test.adds_account("bob");
    let taken = test.accounts().rename_account(
        &name("bob"),
        &name("ünal"),
        postern_shared::account::name::Distinct::No,
        "root",
        NOW,
    );
    assert!(matches!(taken, Err(AdministrationError::AccountExists(_))));
}

#[test]
fn groups_come_and_go_and_end_sessions() {
    let (mut test, _) = alice("");
    // gates do not keep groups of an account that never had a session
    test.accounts()
        .change_groups(&name("alice"), &groups(&["first"]), &[], "root", NOW)
        .unwrap();
    test.accounts()
        .change_groups(&name("alice"), &[], &groups(&["first"]), "root", NOW)
        .unwrap();
    assert!(!revoked(&mut test).covers(&session(1)));
    had_a_session(&test);
    let mut change = |add: &[&str], remove: &[&str]| {
        test.accounts()
            .change_groups(&name("alice"), &groups(add), &groups(remove), "root", NOW)
    };
    assert_eq!(
        change(&["ops", "ad min"], &[]).unwrap(),
        groups(&["ad min", "ops"])
    );
    assert_eq!(
        change(&["ops"], &["nobody"]).unwrap(),
        groups(&["ad min", "ops"])
    );
    assert_eq!(change(&[], &["ad min"]).unwrap(), groups(&["ops"]));
    let many: Vec<String> = (0..20).map(|n| format!("{n}{}", "x".repeat(60))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(matches!(
        change(&many, &[]),
        Err(AdministrationError::TooManyGroups(..))
    ));
    assert_eq!(
        test.load_policy_facts(&name("alice")).unwrap().groups,
        groups(&["ops"])
    );
    assert!(revoked(&mut test).covers(&session(1)));
}

#[test]
fn what_the_configuration_declares_is_not_for_commands() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (mut test, _) = alice(&format!(
        "[[account]]\nname = \"carol\"\nsecret_file = \"{}\"\n",
        secret.display()
    ));
    let (alice, carol) = (name("alice"), name("carol"));
    for refused in [
        test.accounts().remove_account(&carol, "root", NOW),
        test.accounts().rename_account(
            &carol,
            &name("dora"),
            postern_shared::account::name::Distinct::No,
            "root",
            NOW,
        ),
        test.accounts().rename_account(
            &alice,
            &carol,
            postern_shared::account::name::Distinct::No,
            "root",
            NOW,
        ),
        test.accounts()
            .change_groups(&carol, &groups(&["ops"]), &[], "root", NOW)
            .map(drop),
    ] {
        assert!(matches!(refused, Err(AdministrationError::Declared(_))));
    }
    assert_eq!(
        test.accounts().account_status(&carol).unwrap().state,
        SecondFactorState::Declared
    );
    let all: Vec<_> = test
        .accounts()
        .account_statuses()
        .unwrap()
        .iter()
        .map(|status| status.tally.name.clone())
        .collect();
    assert_eq!(all, [alice, carol]);
}

/// The list of 100,000 accounts takes one second in a release build. The test allows more, for
/// debug code on a slow machine.
#[test]
fn a_hundred_thousand_accounts_are_listed_quickly() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, _) = alice("");
    let connection = rusqlite::Connection::open(test.folder.path().join("store/db")).unwrap();
    connection
        .execute_batch(
            "BEGIN;
             INSERT INTO account (name, name_key, created)
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                 SELECT 'user' || i, 'user' || i, 0 FROM n;
             INSERT INTO authenticator (account, name, algorithm, digits, period, created)
                 SELECT id, 'app', 'SHA1', 6, 30, 1 FROM account WHERE id > 1;
             INSERT INTO recovery_code (account, hash, length)
                 SELECT account.id, randomblob(32), 10 FROM account, (VALUES (1), (2), (3)) WHERE account.id > 1;
             COMMIT;",
        )
        .unwrap();
    drop(connection);
    let began = Instant::now();
    let all = test.accounts().account_statuses().unwrap();
    let took = began.elapsed();
    assert_eq!((all.len(), all[7].tally.authenticators), (100_001, 1));
    assert!(took < Duration::from_secs(5), "{took:?}");
}
