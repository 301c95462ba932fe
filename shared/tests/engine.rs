//! The engine on a real store in a temporary folder: the state that logins and administration of
//! one account leave in the store.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::EventFilter;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::{StoreConfig, file};
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::Vault;
use postern_shared::engine::{AdministrationError, AfterRecovery, AppPasswordsAfter, Engine};
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::throttle::Phase;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use test_store::{
    NOW, TestStore, accepted, alice, assert_contains, code_at, name, recovery, refused, remote,
};

#[test]
fn a_code_opens_once_and_survives_re_enrolment_of_the_same_secret() {
    let (mut test, app) = alice("");
    let code = code_at(&app, 0, NOW);
    accepted(&test.attempt("alice", &code, NOW));
    refused(
        &test.attempt("alice", &code, NOW),
        Refusal::Used { wait: 15 },
    );
    test.disables("alice", "root", NOW);
    test.activates(&app);
    refused(
        &test.attempt("alice", &code, NOW),
        Refusal::Used { wait: 15 },
    );
}

#[test]
fn attackers_elsewhere_cannot_use_up_the_tries_of_a_familiar_address() {
    let (mut test, app) = alice("");
    accepted(&test.attempt_from(
        "alice",
        &remote("192.0.2.7"),
        Phase::After,
        &code_at(&app, 0, NOW),
        NOW,
    ));
    let later = NOW.plus(1);
    for host in 1..=5 {
        let from = remote(&format!("198.51.100.{host}"));
        refused(
            &test.attempt_from("alice", &from, Phase::After, "000000", later),
            Refusal::Wrong,
        );
    }
    let from_elsewhere = test.attempt_from(
        "alice",
        &remote("198.51.100.9"),
        Phase::After,
        "000000",
        later,
    );
    refused(&from_elsewhere, Refusal::Delayed { wait: 30 });
    let owner = test.attempt_from(
        "alice",
        &remote("192.0.2.7"),
        Phase::After,
        &code_at(&app, 1, NOW),
        later,
    );
    accepted(&owner);
    let missed = owner.after_login.missed.unwrap();
    assert_eq!(
        (missed.count, missed.last_from.as_str()),
        (5, "198.51.100.5")
    );
}

#[test]
fn a_clock_set_ahead_and_back_delays_no_longer_than_max_delay() {
    let (mut test, app) = alice("");
    let ahead = NOW.plus(365 * 86_400);
    for _ in 0..20 {
        test.attempt("alice", "000000", ahead);
    }
    let Err(Refusal::Delayed { wait }) = test.attempt("alice", "000000", NOW).result else {
        panic!("not delayed")
    };
    assert!(wait <= 3600, "{wait}");
    let later = NOW.plus(wait);
    accepted(&test.attempt("alice", &code_at(&app, 0, later), later));
}

#[test]
fn lowering_the_floors_accepts_no_used_code_again() {
    let (mut test, app) = alice("");
    let code = code_at(&app, 1, NOW);
    accepted(&test.attempt("alice", &code, NOW));
    assert_eq!(test.lowers_floors("alice", "root", NOW), 0);
    assert!(matches!(
        test.attempt("alice", &code, NOW).result,
        Err(Refusal::Used { .. })
    ));

    let back = NOW.minus(3600);
    let refusal = test.attempt("alice", &code_at(&app, 0, back), back).result;
    assert!(
        matches!(refusal, Err(Refusal::ClockSetBack { .. })),
        "{refusal:?}"
    );
    assert_eq!(test.lowers_floors("alice", "root", back), 1);
    accepted(&test.attempt("alice", &code_at(&app, 1, back), back));
}

#[test]
fn answers_that_cost_nothing_write_nothing() {
    let (mut test, app) = alice("");
    let code = code_at(&app, 0, NOW);
    accepted(&test.attempt("alice", &code, NOW));
    let events = test
        .audit_log()
        .list_events(&EventFilter::default(), 0, 1000)
        .unwrap()
        .len();
    for _ in 0..20 {
        test.attempt("alice", &code, NOW);
        test.attempt("alice", "no code", NOW);
    }
    assert_eq!(
        test.audit_log()
            .list_events(&EventFilter::default(), 0, 1000)
            .unwrap()
            .len(),
        events
    );
}

#[test]
fn a_second_factor_that_is_off_cannot_be_turned_off() {
    let (mut test, _) = alice("");
    test.disables("alice", "root", NOW);
    let again = test
        .accounts()
        .disable_second_factor(&name("alice"), "root", NOW);
    assert!(matches!(again, Err(AdministrationError::NotEnrolled(_))));
    assert_eq!(test.enrolled("alice"), Enrolled::No);
}

#[test]
fn with_disable_the_one_recovery_code_turns_the_second_factor_off() {
    let (mut test, app) = alice("[recovery]\non_use = \"disable\"");
    let sealed = test.sealed().remove(0);
    assert_eq!(app.recovery_codes().len(), 1);
    let tried = test.attempt("alice", &recovery(&app, 0), NOW);
    accepted(&tried);
    assert_eq!(
        tried.after_login.recovery,
        Some(AfterRecovery::TurnedOff(AppPasswordsAfter::None))
    );
    assert_eq!(test.enrolled("alice"), Enrolled::No);
    assert!(!test.holds(&sealed));
}

#[test]
fn a_declaration_replaces_what_was_enrolled() {
    let (mut test, app) = alice("");
    let old = code_at(&app, 0, NOW);
    let secret = test.folder.path().join("secret");
    fs::write(&secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let path = test.folder.path().join("postern.toml");
    let declared = format!(
        "[[account]]\nname = \"alice\"\nsecret_file = \"{}\"\n",
        secret.display()
    );
    fs::write(&path, fs::read_to_string(&path).unwrap() + &declared).unwrap();
    test.engine = Engine::open(file::read_config(&path).unwrap().config).unwrap();
    refused(&test.attempt("alice", &old, NOW), Refusal::Wrong);
    assert!(matches!(
        test.accounts()
            .disable_second_factor(&name("alice"), "root", NOW),
        Err(AdministrationError::Declared(_))
    ));
}

#[test]
fn a_planted_journal_or_link_denies_access_and_is_left_alone() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (test, _) = alice("");
    let config = test.config().clone();
    let store = test.folder.path().join("store");
    drop(test.engine);
    let journal = store.join("db-journal");
    fs::write(&journal, "anything").unwrap();
    let error = Engine::open(config.clone()).err().unwrap().to_string();
    assert_contains(&error, "db-journal: unexpected file");
    assert!(journal.exists());
    fs::remove_file(&journal).unwrap();

    fs::rename(store.join("db"), test.folder.path().join("elsewhere")).unwrap();
    symlink(test.folder.path().join("elsewhere"), store.join("db")).unwrap();
    let error = Engine::open(config).err().unwrap().to_string();
    assert_contains(&error, "is a symbolic link");
}

#[test]
fn making_a_store_changes_no_folder_that_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let (masters, _) = MasterKeys::generate().unwrap();
    let url = format!("sqlite:{}", folder.path().join("db").display());
    let settings = StoreConfig {
        url: url.try_into().unwrap(),
        ..StoreConfig::default()
    };
    let made = postern_shared::store::create(&settings, None, &Vault::create(&masters).unwrap());
    assert_contains(made.unwrap_err().to_string(), "too open");
    assert_eq!(
        fs::metadata(folder.path()).unwrap().permissions().mode() & 0o7777,
        0o777
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_of_another_version_is_refused_by_number() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let TestStore {
        folder,
        config,
        engine,
    } = TestStore::new("");
    drop(engine);
    let db = folder.path().join("store/db");
    let mut bytes = fs::read(&db).unwrap();
    // `user_version` of the SQLite header, a big-endian number at byte 60
    bytes[60..64].copy_from_slice(&9u32.to_be_bytes());
    fs::write(&db, bytes).unwrap();
    let error = Engine::open(config).err().unwrap().to_string();
    assert_contains(
        &error,
        "the store has version 9, this program knows version 8",
    );
}

#[test]
fn an_engine_on_a_store_that_was_moved_away_or_replaced_opens_nothing() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, _) = alice("");
    let (store, aside) = (
        test.folder.path().join("store/db"),
        test.folder.path().join("store/aside"),
    );
    let sets = |test: &mut TestStore| {
        test.accounts()
            .set_password(
                &name("alice"),
                &test_store::password("a password"),
                "root",
                NOW,
            )
            .map(|_| ())
    };
    sets(&mut test).unwrap();
    fs::rename(&store, &aside).unwrap();
    assert_contains(
        sets(&mut test).unwrap_err().to_string(),
        "was moved or replaced",
    );
    fs::copy(&aside, &store).unwrap();
    assert_contains(
        sets(&mut test).unwrap_err().to_string(),
        "was moved or replaced",
    );
    fs::rename(&aside, &store).unwrap();
    sets(&mut test).unwrap();
}
