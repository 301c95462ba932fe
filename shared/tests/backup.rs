//! Backup and restoring of a store: a restored store accepts nothing that was used or revoked since
//! the backup, whether the replaced store can be read or not.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::EventKind;
use postern_shared::account::name::Label;
use postern_shared::config::{Config, StoreUrl};
use postern_shared::credential::otp::totp::{OtpKind, OtpParameters, Step};
use postern_shared::credential::scope::AppPasswordScope;
use postern_shared::crypto::backup_file::BackupHeader;
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{Engine, EngineError, RestoreOptions, RestoreReport};
use postern_shared::store::{self, STORE_VERSION};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::Session;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::throttle::Phase;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use test_store::*;

/// What the test does with the replaced store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replaced {
    Readable,
    Lost,
}

fn user() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid()
}

/// Writes a backup as `postern backup` does.
fn backup(test: &mut TestStore) -> Vec<u8> {
    let temporary = store::create_temporary(&test.config.store.url, user()).unwrap();
    let mut file = Vec::new();
    test.engine
        .backups()
        .write_backup(&temporary, None, &mut file, NOW)
        .unwrap();
    temporary.remove();
    test.engine.backups().log_backup("root", NOW).unwrap();
    file
}

/// Restores a backup as `postern restore` does, and opens the store again.
fn restore(
    test: &mut TestStore,
    file: &[u8],
    replaced: Replaced,
    options: RestoreOptions,
    now: Timestamp,
) -> RestoreReport {
    try_restore(test, file, replaced, options, now).unwrap()
}

fn try_restore(
    test: &mut TestStore,
    mut file: &[u8],
    replaced: Replaced,
    options: RestoreOptions,
    now: Timestamp,
) -> Result<RestoreReport, EngineError> {
    let header = BackupHeader::read(&mut file).unwrap();
    let masters = MasterKeys::read_file(&test.key_file()).unwrap();
    let store = test.config.store.url.sqlite_path().unwrap().to_owned();
    let temporary = store::create_temporary(&test.config.store.url, user()).unwrap();
    let mut to = fs::File::create(temporary.path()).unwrap();
    header.open(&masters, &mut file, &mut to).unwrap();
    temporary.become_store().unwrap();
    let config = Config {
        store: postern_shared::config::StoreConfig {
            url: StoreUrl::try_from(format!("sqlite:{}", temporary.path().display())).unwrap(),
            ..test.config.store.clone()
        },
        ..test.config.clone()
    };
    let mut old = (replaced == Replaced::Readable).then(|| test.another());
    let mut lock = old.as_mut().map(|old| old.lock_replaced().unwrap());
    let mut engine = Engine::open(config).unwrap();
    let report = engine
        .backups()
        .end_revived(lock.as_mut(), header.created, options, "root", now);
    drop(engine);
    let Ok(report) = report else {
        temporary.remove();
        return report;
    };
    let kept = temporary.replace(&store, ".before").unwrap().unwrap();
    assert!(kept.ends_with("db.before"));
    drop(lock);
    test.engine = Engine::open(test.config.clone()).unwrap();
    Ok(report)
}

fn restored(test: &mut TestStore, file: &[u8], replaced: Replaced) -> RestoreReport {
    restore(test, file, replaced, RestoreOptions::default(), NOW)
}

/// Returns whether a session's cookie is valid at a gate that starts now.
fn is_valid(test: &mut TestStore, cookie: &str) -> bool {
    Session::from_cookie(cookie, &test.engine.token_keys()).is_some()
}

fn with_counter(test: &mut TestStore) -> PendingEnrollment {
    let parameters = OtpParameters {
        moving: OtpKind::Counter,
        ..test.config.totp.otp_parameters()
    };
    let pending = PendingEnrollment::further(&test.config, &name("alice"))
        .unwrap()
        .with_label("token".parse().unwrap())
        .with_parameters(parameters, Step(0));
    test.activates(&pending);
    pending
}

#[test]
fn a_restored_store_accepts_no_code_that_was_used_since_the_backup() {
    for replaced in [Replaced::Readable, Replaced::Lost] {
        let (mut test, app) = alice("");
        let file = backup(&mut test);
        accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
        accepted(&test.attempt("alice", &code_of(&app, 1), NOW));
        assert!(matches!(
            test.attempt("alice", &code_of(&app, 1), NOW).result,
            Err(Refusal::Used { .. })
        ));
        restored(&mut test, &file, replaced);
        for offset in [-1, 0, 1] {
            let later = NOW.plus(if offset > 0 { 30 } else { 0 });
            let found = test.attempt("alice", &code_of(&app, offset), later).result;
            assert!(
                matches!(found, Err(Refusal::Used { .. })),
                "{offset}: {found:?}"
            );
        }
        // nor when an administrator lowers the floor
        test.lowers_floors("alice", "root", NOW);
        for offset in [0, 1] {
            let found = test.attempt("alice", &code_of(&app, offset), NOW);
            assert!(found.result.is_err(), "{offset}: {:?}", found.result);
        }
        // the code after these is accepted
        let later = NOW.plus(90);
        accepted(&test.attempt("alice", &code_at(&app, 0, later), later));
    }
}

/// A secret that the configuration declares has its floor in the store too.
#[test]
fn a_code_of_a_declared_account_is_refused_too() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let declared = format!(
        "[[account]]\nname = \"alice\"\nsecret_file = \"{}\"\n",
        secret.display()
    );
    let mut test = TestStore::new(&declared);
    let app = PendingEnrollment::new(&test.config, &name("alice")).unwrap();
    let bytes = zeroize::Zeroizing::new(b"12345678901234567890".to_vec());
    let app = app
        .with_secret(postern_shared::credential::otp::secret::Secret::from_bytes(bytes).unwrap());
    let file = backup(&mut test);
    accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
    // of a secret that cannot be read no code can be refused
    let aside = folder.path().join("aside");
    fs::rename(&secret, &aside).unwrap();
    let options = RestoreOptions::default();
    let unread = try_restore(&mut test, &file, Replaced::Lost, options, NOW);
    let named = secret.display().to_string();
    assert_contains(unread.unwrap_err().to_string(), named);
    fs::rename(&aside, &secret).unwrap();
    restored(&mut test, &file, Replaced::Lost);
    assert!(
        test.attempt("alice", &code_of(&app, 0), NOW)
            .result
            .is_err()
    );
    let later = NOW.plus(90);
    accepted(&test.attempt("alice", &code_at(&app, 0, later), later));
}

#[test]
fn counters_are_known_from_the_replaced_store_or_else_refused() {
    for replaced in [Replaced::Readable, Replaced::Lost] {
        let (mut test, _) = alice("");
        let token = with_counter(&mut test);
        let counter = |counter: i64| code_at(&token, counter, Timestamp(0));
        let file = backup(&mut test);
        accepted(&test.attempt("alice", &counter(3), NOW));
        let report = restored(&mut test, &file, replaced);
        assert!(test.attempt("alice", &counter(3), NOW).result.is_err());
        let next = test.attempt("alice", &counter(4), NOW);
        let refused = report
            .renew
            .get(&name("alice"))
            .map_or(0, |renew| renew.refused_counters);
        match replaced {
            Replaced::Readable => {
                accepted(&next);
                assert_eq!(refused, 0);
            }
            Replaced::Lost => {
                assert!(next.result.is_err());
                assert_eq!(refused, 1);
                // two codes in a row do not open it either
                let two = counter(5) + &counter(6);
                assert!(test.attempt("alice", &two, NOW).result.is_err());
            }
        }
    }
}

/// The second time, the replaced store is one that was restored: it does not know what was used
/// before.
#[test]
fn a_restored_store_is_no_witness_of_what_was_used_before_it() {
    let (mut test, app) = alice("");
    let token = with_counter(&mut test);
    let file = backup(&mut test);
    accepted(&test.attempt("alice", &recovery(&app, 0), NOW));
    accepted(&test.attempt("alice", &code_at(&token, 3, Timestamp(0)), NOW));
    restored(&mut test, &file, Replaced::Lost);
    for suffix in ["", "-wal", "-shm"] {
        let kept = test.folder.path().join(format!("store/db.before{suffix}"));
        fs::remove_file(kept).unwrap();
    }
    let report = restored(&mut test, &file, Replaced::Readable);
    assert!(!report.uses_are_known);
    assert_eq!(report.renew[&name("alice")].refused_counters, 1);
    let again = test.attempt("alice", &code_at(&token, 3, Timestamp(0)), NOW);
    assert!(again.result.is_err());
}

#[test]
fn recovery_codes_are_used_where_the_replaced_store_knows_it_and_are_reported() {
    for replaced in [Replaced::Readable, Replaced::Lost] {
        let (mut test, app) = alice("");
        let file = backup(&mut test);
        accepted(&test.attempt("alice", &recovery(&app, 0), NOW));
        let report = restored(&mut test, &file, replaced);
        let again = test.attempt("alice", &recovery(&app, 0), NOW);
        let count = report.renew[&name("alice")].recovery_codes;
        match replaced {
            Replaced::Readable => {
                refused(&again, Refusal::Used { wait: 0 });
                assert_eq!(count, 5);
            }
            Replaced::Lost => assert_eq!(count, 6),
        }
        assert_eq!(report.uses_are_known, replaced == Replaced::Readable);
    }
    let (mut test, app) = alice("");
    let file = backup(&mut test);
    let options = RestoreOptions {
        revoke_recovery_codes: true,
        ..RestoreOptions::default()
    };
    let report = restore(&mut test, &file, Replaced::Lost, options, NOW);
    assert!(report.renew.is_empty());
    let attempt = test.attempt("alice", &recovery(&app, 0), NOW);
    assert!(attempt.result.is_err());
}

#[test]
fn one_time_codes_end() {
    let (mut test, _) = alice("");
    let (code, _) = test.issues_one_time_code("alice", NOW);
    let code = code.grouped().to_string();
    let file = backup(&mut test);
    accepted(&test.attempt("alice", &code, NOW));
    restored(&mut test, &file, Replaced::Lost);
    assert!(test.attempt("alice", &code, NOW).result.is_err());
}

#[test]
fn a_session_that_was_revoked_after_the_backup_is_over_after_the_restore() {
    let (mut test, app) = alice_at_the_web("");
    let from = remote("192.0.2.7");
    let opened = opens(&mut test, &from, &code_of(&app, 0), NOW);
    let cookie = opened.session.to_cookie(&opened.keys);
    assert!(is_valid(&mut test, &cookie));
    let file = backup(&mut test);
    let revision = test
        .sqlite()
        .query_row("SELECT number FROM revision", [], |row| {
            row.get::<_, i64>(0)
        });
    let alice = name("alice");
    test.sessions()
        .revoke_sessions(&alice, None, "root", NOW)
        .unwrap();
    restored(&mut test, &file, Replaced::Readable);
    assert!(!is_valid(&mut test, &cookie));
    assert!(test.sessions_of("alice", NOW).is_empty());
    assert!(test.trusted_browsers_of("alice", NOW).is_empty());
    let after = test
        .sqlite()
        .query_row("SELECT number FROM revision", [], |row| {
            row.get::<_, i64>(0)
        });
    assert!(after.unwrap() > revision.unwrap() + 1_000_000);
    // a new one is accepted, and can be revoked
    let later = NOW.plus(90);
    let opened = opens(&mut test, &from, &code_at(&app, 0, later), later);
    let cookie = opened.session.to_cookie(&opened.keys);
    assert!(is_valid(&mut test, &cookie));
    assert_eq!(test.sessions_of("alice", later).len(), 1);
}

#[test]
fn app_passwords_are_reported_or_revoked() {
    for revoke_app_passwords in [false, true] {
        let (mut test, _) = alice("");
        let scope: AppPasswordScope = "pam:imap".parse().unwrap();
        let label: Label = "mail".parse().unwrap();
        test.app_passwords()
            .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
            .unwrap();
        let file = backup(&mut test);
        let options = RestoreOptions {
            revoke_app_passwords,
            ..RestoreOptions::default()
        };
        let report = restore(&mut test, &file, Replaced::Lost, options, NOW);
        let count = report.renew[&name("alice")].app_passwords;
        assert_eq!(count, u64::from(!revoke_app_passwords));
    }
}

fn adds_app_password(test: &mut TestStore) {
    let scope: AppPasswordScope = "pam:imap".parse().unwrap();
    let label: Label = "mail".parse().unwrap();
    test.app_passwords()
        .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
        .unwrap();
}

/// The clock of a host that was set back would let the codes pass that were used since.
#[test]
fn a_restore_with_a_clock_behind_the_backup_or_a_store_is_refused() {
    let (mut test, app) = alice("");
    let file = backup(&mut test);
    let options = RestoreOptions::default();
    let before = Timestamp(NOW.0 - 1);
    let refused = try_restore(&mut test, &file, Replaced::Lost, options, before);
    let error = refused.unwrap_err().to_string();
    assert_contains(&error, before.to_string());
    assert_contains(&error, NOW.to_string());
    let later = NOW.plus(60);
    accepted(&test.attempt("alice", &code_at(&app, 0, later), later));
    let refused = try_restore(&mut test, &file, Replaced::Readable, options, NOW.plus(59));
    assert_contains(refused.unwrap_err().to_string(), later.to_string());
    assert!(
        test.attempt("alice", &code_at(&app, 0, later), later)
            .result
            .is_err()
    );
    restore(&mut test, &file, Replaced::Readable, options, later);
}

#[test]
fn what_the_replaced_store_lacks_was_revoked_or_removed() {
    for replaced in [Replaced::Readable, Replaced::Lost] {
        let (mut test, _) = alice("");
        test.enrols("bob");
        adds_app_password(&mut test);
        let file = backup(&mut test);
        test.app_passwords()
            .revoke_app_passwords(&name("alice"), None, "root", NOW)
            .unwrap();
        test.accounts()
            .remove_account(&name("bob"), "root", NOW)
            .unwrap();
        let report = restored(&mut test, &file, replaced);
        let alice = report.renew[&name("alice")];
        match replaced {
            Replaced::Readable => {
                assert_eq!((alice.app_passwords, alice.recovery_codes), (0, 6));
                assert_eq!(report.removed, [name("bob")].into());
                assert!(!report.renew.contains_key(&name("bob")));
            }
            Replaced::Lost => {
                assert_eq!((alice.app_passwords, alice.recovery_codes), (1, 6));
                assert!(report.removed.is_empty());
            }
        }
    }
}

/// A secret that was enrolled after the backup may be enrolled again.
#[test]
fn used_steps_of_all_secrets_are_taken_over() {
    let (mut test, _) = alice("");
    let file = backup(&mut test);
    let token = with_counter(&mut test);
    accepted(&test.attempt("alice", &code_at(&token, 3, Timestamp(0)), NOW));
    let fingerprints = "SELECT fingerprint FROM floor ORDER BY fingerprint";
    let before = test.blobs(fingerprints);
    restored(&mut test, &file, Replaced::Readable);
    assert_eq!(before.len(), 1);
    let after = test.blobs(fingerprints);
    assert!(after.contains(&before[0]), "{before:?} {after:?}");
}

/// A store with a bad page is locked, but tells nothing.
#[test]
fn a_damaged_store_is_replaced_as_if_it_could_not_be_read() {
    let (mut test, app) = alice("");
    let token = with_counter(&mut test);
    let file = backup(&mut test);
    accepted(&test.attempt("alice", &code_at(&token, 3, Timestamp(0)), NOW));
    let used = code_of(&app, 0);
    accepted(&test.attempt("alice", &used, NOW));
    let sqlite = test.sqlite();
    let number = |sql: &str| {
        sqlite
            .query_row(sql, [], |row| row.get::<_, u32>(0))
            .map(u64::from)
            .unwrap()
    };
    number("PRAGMA wal_checkpoint(TRUNCATE)");
    let size = number("PRAGMA page_size");
    let page = number("SELECT rootpage FROM sqlite_schema WHERE name = 'recovery_code'");
    let path = test.config.store.url.sqlite_path().unwrap();
    let damaged = fs::File::options().write(true).open(path).unwrap();
    let zeros = vec![0; usize::try_from(size).unwrap()];
    std::os::unix::fs::FileExt::write_all_at(&damaged, &zeros, (page - 1) * size).unwrap();
    let report = restored(&mut test, &file, Replaced::Readable);
    assert!(report.unreadable.is_some());
    assert!(!report.uses_are_known);
    assert_eq!(report.renew[&name("alice")].refused_counters, 1);
    assert!(test.attempt("alice", &used, NOW).result.is_err());
}

#[test]
fn a_store_is_restored_twice_and_the_log_says_so() {
    let (mut test, app) = alice("");
    let file = backup(&mut test);
    accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
    for _ in 0..2 {
        restored(&mut test, &file, Replaced::Lost);
        assert!(
            test.attempt("alice", &code_of(&app, 0), NOW)
                .result
                .is_err()
        );
        let events = test.all_events();
        let of = |kind| {
            events
                .iter()
                .filter(|(_, event)| event.kind == kind)
                .count()
        };
        assert_eq!(of(EventKind::StoreRestored), 1);
        let kept = test.folder.path().join("store/db.before");
        fs::remove_file(&kept).unwrap();
        for beside in ["-wal", "-shm"] {
            fs::remove_file(format!("{}{beside}", kept.display())).unwrap();
        }
    }
}

/// A process that had the old store open grants nothing from it afterwards.
#[test]
fn a_process_with_the_old_store_open_sees_that_it_was_replaced() {
    let (mut test, app) = alice("");
    let mut other = test.another();
    accepted(&attempt_at(
        &mut other,
        "alice",
        &postern_shared::verify::origin::Origin::Unknown,
        Phase::After,
        &code_of(&app, 0),
        NOW,
    ));
    let file = backup(&mut test);
    restored(&mut test, &file, Replaced::Lost);
    let error = other.load_policy_facts(&name("alice")).err().unwrap();
    assert_contains(error.to_string(), "moved or replaced");
}

#[test]
fn a_backup_is_one_moment_while_others_write() {
    let (mut test, _) = alice("");
    let mut writer = test.another();
    let writing = std::thread::spawn(move || {
        for number in 0..200 {
            let who = name(&format!("person-{number}"));
            writer
                .accounts()
                .add_account(
                    &who,
                    postern_shared::account::name::Distinct::No,
                    "root",
                    NOW,
                )
                .unwrap();
        }
    });
    for _ in 0..5 {
        let mut file: &[u8] = &backup(&mut test);
        let header = BackupHeader::read(&mut file).unwrap();
        assert_eq!(header.store_version, STORE_VERSION);
        let masters = MasterKeys::read_file(&test.key_file()).unwrap();
        let temporary = store::create_temporary(&test.config.store.url, user()).unwrap();
        let mut to = fs::File::create(temporary.path()).unwrap();
        header.open(&masters, &mut file, &mut to).unwrap();
        assert_eq!(temporary.become_store().unwrap(), i64::from(STORE_VERSION));
        temporary.remove();
    }
    writing.join().unwrap();
}

/// The file needs the master key: nothing of the store can be read in it.
#[test]
fn a_backup_reveals_nothing_without_the_key() {
    let (mut test, _) = alice("");
    let file = backup(&mut test);
    for plain in [&b"alice"[..], b"SQLite format", b"authenticator"] {
        assert!(!file.windows(plain.len()).any(|part| part == plain));
    }
}
