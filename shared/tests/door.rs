//! The engine on a real store in a temporary folder: the state that logins and administration of
//! one account leave in the store.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;

use home::{Home, NOW, accepted, alice, assert_contains, code_at, name, recovery, refused, remote};
use postern_shared::account::event::EventFilter;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::file;
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::Vault;
use postern_shared::engine::{AdministrationError, AfterRecovery, AppPasswordsAfter, Engine};
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::throttle::Phase;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn a_code_opens_once_and_survives_re_enrolment_of_the_same_secret() {
    let (mut home, app) = alice("");
    let code = code_at(&app, 0, NOW);
    accepted(&home.attempt("alice", &code, NOW));
    refused(
        &home.attempt("alice", &code, NOW),
        Refusal::Used { wait: 15 },
    );
    home.disables("alice", "root", NOW);
    home.activates(&app);
    refused(
        &home.attempt("alice", &code, NOW),
        Refusal::Used { wait: 15 },
    );
}

#[test]
fn strangers_elsewhere_cannot_use_up_the_tries_of_a_familiar_address() {
    let (mut home, app) = alice("");
    accepted(&home.attempt_from(
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
            &home.attempt_from("alice", &from, Phase::After, "000000", later),
            Refusal::Wrong,
        );
    }
    let from_elsewhere = home.attempt_from(
        "alice",
        &remote("198.51.100.9"),
        Phase::After,
        "000000",
        later,
    );
    refused(&from_elsewhere, Refusal::Delayed { wait: 30 });
    let owner = home.attempt_from(
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
    let (mut home, app) = alice("");
    let ahead = NOW.plus(365 * 86_400);
    for _ in 0..20 {
        home.attempt("alice", "000000", ahead);
    }
    let Err(Refusal::Delayed { wait }) = home.attempt("alice", "000000", NOW).result else {
        panic!("not delayed")
    };
    assert!(wait <= 3600, "{wait}");
    let later = NOW.plus(wait);
    accepted(&home.attempt("alice", &code_at(&app, 0, later), later));
}

#[test]
fn mending_the_clock_opens_no_used_code_again() {
    let (mut home, app) = alice("");
    let code = code_at(&app, 1, NOW);
    accepted(&home.attempt("alice", &code, NOW));
    assert_eq!(home.lowers_floors("alice", "root", NOW), 0);
    assert!(matches!(
        home.attempt("alice", &code, NOW).result,
        Err(Refusal::Used { .. })
    ));

    let back = NOW.minus(3600);
    let refusal = home.attempt("alice", &code_at(&app, 0, back), back).result;
    assert!(
        matches!(refusal, Err(Refusal::ClockSetBack { .. })),
        "{refusal:?}"
    );
    assert_eq!(home.lowers_floors("alice", "root", back), 1);
    accepted(&home.attempt("alice", &code_at(&app, 1, back), back));
}

#[test]
fn answers_that_cost_nothing_write_nothing() {
    let (mut home, app) = alice("");
    let code = code_at(&app, 0, NOW);
    accepted(&home.attempt("alice", &code, NOW));
    let events = home
        .audit_log()
        .list_events(&EventFilter::default(), 0, 1000)
        .unwrap()
        .len();
    for _ in 0..20 {
        home.attempt("alice", &code, NOW);
        home.attempt("alice", "no code", NOW);
    }
    assert_eq!(
        home.audit_log()
            .list_events(&EventFilter::default(), 0, 1000)
            .unwrap()
            .len(),
        events
    );
}

#[test]
fn a_second_factor_that_is_off_cannot_be_turned_off() {
    let (mut home, _) = alice("");
    home.disables("alice", "root", NOW);
    let again = home
        .accounts()
        .disable_second_factor(&name("alice"), "root", NOW);
    assert!(matches!(again, Err(AdministrationError::NotEnrolled(_))));
    assert_eq!(home.enrolled("alice"), Enrolled::No);
}

#[test]
fn with_disable_the_one_recovery_code_turns_the_second_factor_off() {
    let (mut home, app) = alice("[recovery]\non_use = \"disable\"");
    let sealed = home.sealed().remove(0);
    assert_eq!(app.recovery_codes().len(), 1);
    let outcome = home.attempt("alice", &recovery(&app, 0), NOW);
    accepted(&outcome);
    assert_eq!(
        outcome.after_login.recovery,
        Some(AfterRecovery::TurnedOff(AppPasswordsAfter::None))
    );
    assert_eq!(home.enrolled("alice"), Enrolled::No);
    assert!(!home.holds(&sealed));
}

#[test]
fn a_declaration_stands_in_place_of_what_was_enrolled() {
    let (mut home, app) = alice("");
    let old = code_at(&app, 0, NOW);
    let secret = home.folder.path().join("secret");
    fs::write(&secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let path = home.folder.path().join("postern.toml");
    let declared = format!(
        "[[account]]\nname = \"alice\"\nsecret_file = \"{}\"\n",
        secret.display()
    );
    fs::write(&path, fs::read_to_string(&path).unwrap() + &declared).unwrap();
    home.door = Engine::open(file::read_config(&path).unwrap().config).unwrap();
    refused(&home.attempt("alice", &old, NOW), Refusal::Wrong);
    assert!(matches!(
        home.accounts()
            .disable_second_factor(&name("alice"), "root", NOW),
        Err(AdministrationError::Declared(_))
    ));
}

#[test]
fn a_planted_journal_or_link_closes_the_door_and_is_left_alone() {
    let (home, _) = alice("");
    let config = home.config().clone();
    let store = home.folder.path().join("store");
    drop(home.door);
    let journal = store.join("db-journal");
    fs::write(&journal, "anything").unwrap();
    let error = Engine::open(config.clone()).err().unwrap().to_string();
    assert_contains(&error, "db-journal: unexpected file");
    assert!(journal.exists());
    fs::remove_file(&journal).unwrap();

    fs::rename(store.join("db"), home.folder.path().join("elsewhere")).unwrap();
    symlink(home.folder.path().join("elsewhere"), store.join("db")).unwrap();
    let error = Engine::open(config).err().unwrap().to_string();
    assert_contains(&error, "is a symbolic link");
}

#[test]
fn making_a_store_changes_no_folder_that_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let (masters, _) = MasterKeys::generate().unwrap();
    let url = format!("sqlite:{}", folder.path().join("db").display())
        .try_into()
        .unwrap();
    let made = postern_shared::store::create(&url, None, &Vault::create(&masters).unwrap());
    assert_contains(made.unwrap_err().to_string(), "too open");
    assert_eq!(
        fs::metadata(folder.path()).unwrap().permissions().mode() & 0o7777,
        0o777
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_of_another_version_is_refused_by_number() {
    let Home {
        folder,
        config,
        door,
    } = Home::new("");
    drop(door);
    let db = folder.path().join("store/db");
    let mut bytes = fs::read(&db).unwrap();
    // `user_version` of the SQLite header, a big-endian number at byte 60
    bytes[60..64].copy_from_slice(&7u32.to_be_bytes());
    fs::write(&db, bytes).unwrap();
    let error = Engine::open(config).err().unwrap().to_string();
    assert_contains(
        &error,
        "the store has version 7, this program knows version 5",
    );
}

#[test]
fn a_door_to_a_store_that_was_moved_away_or_replaced_opens_nothing() {
    let (mut home, _) = alice("");
    let (store, aside) = (
        home.folder.path().join("store/db"),
        home.folder.path().join("store/aside"),
    );
    let sets = |home: &mut Home| {
        home.accounts()
            .set_password(&name("alice"), &home::password("a password"), "root", NOW)
            .map(|_| ())
    };
    sets(&mut home).unwrap();
    fs::rename(&store, &aside).unwrap();
    assert_contains(
        sets(&mut home).unwrap_err().to_string(),
        "was moved or replaced",
    );
    fs::copy(&aside, &store).unwrap();
    assert_contains(
        sets(&mut home).unwrap_err().to_string(),
        "was moved or replaced",
    );
    fs::rename(&aside, &store).unwrap();
    sets(&mut home).unwrap();
}
