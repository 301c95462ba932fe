//! Rotation of keys on a real store in a temporary folder: what keeps working, what ends, and what
//! is removed.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::config::GracePeriod;
use postern_shared::credential::input::Input;
use postern_shared::credential::totp::generate_code;
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::engine::{
    AfterCode, AfterPassword, Engine, OpenedSession, RotationError, TrustRequest,
};
use postern_shared::store::KeyBound;
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::Session;
use postern_shared::verify::decision::{Refusal, VerificationResult, WithinGrace};
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use test_store::{
    NOW, PASSWORD, TestStore, alice, alice_at_the_web, assert_contains, attempt_at, browser,
    browser_with, code_of, name, password, remote, request,
};

fn verify(opened: &mut Engine, who: &str, typed: &str, now: Timestamp) -> VerificationResult {
    attempt_at(opened, who, &Origin::Unknown, Phase::After, typed, now).result
}

#[track_caller]
fn accepts(engine: &mut Engine, who: &str, typed: &str) {
    let result = verify(engine, who, typed, NOW);
    assert!(result.is_ok(), "{result:?}");
}

#[track_caller]
fn refuses(engine: &mut Engine, who: &str, typed: &str, refusal: Refusal) {
    assert_eq!(verify(engine, who, typed, NOW), Err(refusal));
}

impl TestStore {
    fn master_keys(&self) -> usize {
        fs::read_to_string(self.key_file())
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count()
    }

    #[track_caller]
    fn rotates(&mut self, renewal: Renewal) -> postern_shared::engine::RotationReport {
        self.engine
            .keys()
            .rotate_keys(renewal, "root", NOW)
            .unwrap()
    }
}

/// Signs in at the web with the password, and with a code if one is required.
fn signs_in(
    engine: &mut Engine,
    who: &str,
    cookie: Option<&str>,
    typed: Option<&str>,
) -> Option<OpenedSession> {
    let origin = remote("192.0.2.7");
    let browser = browser_with(&origin, cookie);
    let nothing = Input::parse(b"");
    match engine
        .login()
        .enter_password(
            &browser,
            &name(who),
            Some(&password(PASSWORD)),
            &nothing,
            NOW,
        )
        .unwrap()
    {
        AfterPassword::Opened(opened) => Some(*opened),
        AfterPassword::Code(pass) => {
            let answer = Input::parse(typed?.as_bytes());
            match engine
                .login()
                .enter_code(&browser, &pass, &answer, TrustRequest::Asked, NOW)
                .unwrap()
            {
                AfterCode::Opened(opened) => Some(*opened),
                AfterCode::Refused(_) => None,
            }
        }
        AfterPassword::Enroll(_) | AfterPassword::Refused(_) | AfterPassword::OtherSpelling(_) => {
            None
        }
    }
}

/// Returns how many of the wanted values `bytes` contains. Only the first eight bytes are compared.
/// All wanted values are random, so a match by chance is practically impossible.
fn found<'a>(bytes: &[u8], wanted: impl IntoIterator<Item = &'a [u8]>) -> usize {
    let wanted: HashSet<[u8; 8]> = wanted
        .into_iter()
        .map(|w| *w.first_chunk().unwrap())
        .collect();
    let found: HashSet<&[u8]> = bytes
        .windows(8)
        .filter(|window| wanted.contains(*window))
        .collect();
    found.len()
}

/// A rotation replaces every key that it can, and ends no session.
#[test]
fn a_rotation_changes_every_key_that_it_can_and_ends_nothing() {
    let (mut test, alice) = alice_at_the_web("");
    let opened = signs_in(&mut test, "alice", None, Some(&code_of(&alice, -1))).unwrap();
    let mut before = test.another();
    let (sealed, key_file) = (test.sealed(), fs::read(test.key_file()).unwrap());
    let wrapped = test.blobs("SELECT wrapped FROM data_key");

    assert!(test.rotates(Renewal::Seal).ended.is_empty());
    assert!(test.master_keys() == 1 && fs::read(test.key_file()).unwrap() != key_file);
    let gone = sealed.iter().chain(&wrapped).map(Vec::as_slice);
    assert_eq!(
        found(&test.bytes(), gone),
        0,
        "the old key would still open something"
    );
    let mut after = test.another();
    for engine in [&mut before, &mut after] {
        refuses(
            engine,
            "alice",
            &code_of(&alice, -1),
            Refusal::Used { wait: 0 },
        );
    }
    accepts(&mut before, "alice", &code_of(&alice, 0));
    refuses(
        &mut after,
        "alice",
        &code_of(&alice, 0),
        Refusal::Used { wait: 15 },
    );
    let cookie = opened.browser_cookie.as_deref().map(String::as_str);
    assert!(signs_in(&mut after, "alice", cookie, None).is_some());
    accepts(&mut after, "alice", &alice.recovery_codes()[0].grouped());
    accepts(&mut before, "alice", &alice.recovery_codes()[1].grouped());
    let cookie = opened.session.to_cookie(&opened.keys);
    assert_eq!(
        Session::from_cookie(&cookie, &after.token_keys()),
        Some(opened.session)
    );
}

/// A process that was open before the rotation and one that starts later can each read what the
/// other writes.
#[test]
fn an_engine_that_was_open_before_uses_the_new_keys_from_its_next_transaction_on() {
    let mut test = TestStore::new("");
    let mut before = test.another();
    test.rotates(Renewal::Seal);
    let pending = PendingEnrollment::new(&test.config, &name("alice")).unwrap();
    before
        .enrollment()
        .activate(
            &pending,
            &EnrollmentConfirmation::by_administrator(),
            "root",
            NOW,
        )
        .unwrap();
    test.rotates(Renewal::All);
    before
        .accounts()
        .set_password(&name("alice"), &password(PASSWORD), "root", NOW)
        .unwrap();
    let mut after = test.another();
    assert!(signs_in(&mut after, "alice", None, Some(&code_of(&pending, 0))).is_some());
    refuses(
        &mut before,
        "alice",
        &code_of(&pending, 0),
        Refusal::Used { wait: 15 },
    );
}

/// No login fails at any moment of a rotation.
#[test]
fn logins_in_a_loop_never_fail_while_keys_are_rotated_again_and_again() {
    let mut test = TestStore::new("");
    let people: Vec<(String, PendingEnrollment)> = (0..3)
        .map(|number| format!("person{number}"))
        .map(|who| (who.clone(), test.enrols(&who)))
        .collect();
    for number in 0..300 {
        test.enrols(&format!("other{number}"));
    }
    let (over, config) = (AtomicBool::new(false), test.config.clone());
    let login = |who: &str, pending: &PendingEnrollment| {
        let mut count = 0;
        let mut kept = Engine::open(config.clone()).unwrap();
        while !over.load(Ordering::Relaxed) {
            let now = NOW.plus(30 * (count + 1));
            let typed = generate_code(
                pending.secret(),
                pending.parameters(),
                pending.parameters().moving.step_at(now).unwrap(),
            );
            let mut fresh;
            let engine = if count % 2 == 0 {
                fresh = Engine::open(config.clone()).unwrap();
                &mut fresh
            } else {
                &mut kept
            };
            let result = verify(engine, who, typed.as_ref(), now);
            assert!(result.is_ok(), "{result:?}");
            count += 1;
            // a person needs time to type
            std::thread::sleep(Duration::from_millis(5));
        }
        count
    };
    let logins: u64 = std::thread::scope(|scope| {
        let running: Vec<_> = people
            .iter()
            .map(|(who, pending)| scope.spawn(|| login(who, pending)))
            .collect();
        let rotated: Vec<_> = (0..5)
            .map(|_| test.keys().rotate_keys(Renewal::Seal, "root", NOW))
            .collect();
        over.store(true, Ordering::Relaxed);
        // On a slow machine a process may always read with the old keys. The old master key is kept
        // then, and the error says so.
        for rotated in rotated {
            assert!(
                matches!(rotated, Ok(_) | Err(RotationError::OldKeyStays(..))),
                "{:?}",
                rotated.err()
            );
        }
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert!(logins > 40, "{logins}");
    test.rotates(Renewal::Seal);
    assert_eq!(test.master_keys(), 1);
}

#[test]
fn keys_that_were_compromised_take_with_them_what_hung_on_them_and_nothing_else() {
    let (mut test, alice) = alice("");
    test.enrols("bob");
    test.sets_password("alice");
    let opened = signs_in(&mut test, "alice", None, Some(&code_of(&alice, -1))).unwrap();
    let cookie = opened.session.to_cookie(&opened.keys);
    let mut before = test.another();
    let expected = test.keys().list_key_bound(NOW).unwrap();

    let ended = test.rotates(Renewal::All).ended;
    assert_eq!(ended, expected);
    let of_alice = [
        (KeyBound::Password, 1),
        (KeyBound::RecoveryCodes, 6),
        (KeyBound::Browsers, 1),
        (KeyBound::Sessions, 1),
    ];
    assert_eq!(ended[&name("alice")], of_alice);
    assert_eq!(ended[&name("bob")], [(KeyBound::RecoveryCodes, 6)]);
    assert!(test.keys().list_key_bound(NOW).unwrap().is_empty());

    let mut after = test.another();
    for engine in [&mut before, &mut after] {
        refuses(
            engine,
            "alice",
            &alice.recovery_codes()[0].grouped(),
            Refusal::Malformed,
        );
        assert!(
            signs_in(engine, "alice", None, None).is_none(),
            "the password is over"
        );
    }
    assert_eq!(Session::from_cookie(&cookie, &after.token_keys()), None);
    refuses(
        &mut after,
        "alice",
        &code_of(&alice, -1),
        Refusal::Used { wait: 0 },
    );
    accepts(&mut after, "alice", &code_of(&alice, 0));

    after
        .accounts()
        .set_password(&name("alice"), &password(PASSWORD), "root", NOW)
        .unwrap();
    let trusted = opened.browser_cookie.as_deref().map(String::as_str);
    assert!(
        signs_in(&mut after, "alice", trusted, None).is_none(),
        "the browser is trusted no longer"
    );
    assert!(signs_in(&mut after, "alice", None, Some(&code_of(&alice, 1))).is_some());
}

/// Accounts that are older than alice's, and the number of accounts that are cleared in one
/// transaction.
const OTHERS: i64 = 120;
const AT_ONCE: i64 = 50;
const HERE: &str = "192.0.2.7";

/// Returns a store after an interrupted renewal of all keys. Alice has one of each credential that
/// depends on keys, and comes after many accounts. The renewal failed at an account before her,
/// whose row is too large to read.
fn cut_off() -> (TestStore, PendingEnrollment, OpenedSession) {
    let mut test = TestStore::new("");
    let others = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {OTHERS}) \
         INSERT INTO account (name, name_key, created) SELECT 'other' || i, 'other' || i, 0 FROM n; \
         INSERT INTO recovery_code (account, hash, length) SELECT id, randomblob(32), 16 FROM account"
    );
    test.changes(&others);
    let alice = test.enrols("alice");
    test.sets_password("alice");
    let label = "mail".parse().unwrap();
    let scope = "pam:dovecot".parse().unwrap();
    test.app_passwords()
        .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
        .unwrap();
    let opened = signs_in(&mut test, "alice", None, Some(&code_of(&alice, -1))).unwrap();
    let here = attempt_at(
        &mut test,
        "alice",
        &remote(HERE),
        Phase::After,
        &code_of(&alice, 0),
        NOW,
    );
    assert!(here.result.is_ok() && spares(&mut test));
    test.changes("UPDATE account SET member_of = hex(zeroblob(25000000)) WHERE name = 'other110'");
    let error = test
        .keys()
        .rotate_keys(Renewal::All, "root", NOW)
        .unwrap_err();
    assert!(matches!(error, RotationError::Engine(_)), "{error}");
    test.changes("UPDATE account SET member_of = '' WHERE name = 'other110'");
    (test, alice, opened)
}

fn spares(engine: &mut Engine) -> bool {
    let (alice, origin) = (name("alice"), remote(HERE));
    let login = request(&alice, &origin);
    engine
        .verification()
        .check_grace_period(&login, GracePeriod::new(3600), NOW)
        .unwrap()
        == WithinGrace::Yes
}

impl TestStore {
    fn count(&self, what: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {what}"))
    }
}

/// The fault: all logins waited while the rows of every account were read and removed.
#[test]
fn what_hung_on_renewed_keys_is_over_at_once_and_removed_a_few_accounts_at_a_time() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone, whose limit of a value cuts the rotation off
    }
    let (mut test, alice, opened) = cut_off();
    let of_alice = "recovery_code JOIN account ON account.id = account WHERE name = 'alice'";
    let (all, hers) = (test.count("recovery_code"), test.count(of_alice));
    let left = OTHERS % AT_ONCE;
    assert_eq!(
        (all - hers, hers),
        (left, 6),
        "what was removed before the end stays removed, hers is there"
    );

    let status = test.accounts().account_status(&name("alice")).unwrap();
    assert_eq!(status.tally.recovery_codes, 0, "and not told of");
    assert!(test.sessions_of("alice", NOW).is_empty());
    assert!(test.trusted_browsers_of("alice", NOW).is_empty());
    assert!(
        test.app_passwords()
            .list_app_passwords(None)
            .unwrap()
            .is_empty()
    );
    assert!(!spares(&mut test), "grace");
    let cookie = opened.session.to_cookie(&opened.keys);
    assert_eq!(Session::from_cookie(&cookie, &test.token_keys()), None);
    assert!(
        signs_in(&mut test, "alice", None, None).is_none(),
        "the password"
    );
    refuses(
        &mut test,
        "alice",
        &alice.recovery_codes()[0].grouped(),
        Refusal::Malformed,
    );
    refuses(
        &mut test.another(),
        "alice",
        &code_of(&alice, 0),
        Refusal::Used { wait: 15 },
    );
}

#[test]
fn a_renewal_that_was_cut_off_is_finished_by_the_next_rotation_and_leaves_what_is_newer() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone, whose limit of a value cuts the rotation off
    }
    let (mut test, alice, opened) = cut_off();
    test.sets_password("alice");
    test.issues_one_time_code("alice", NOW);
    assert_eq!(test.master_keys(), 2);
    test.rotates(Renewal::Seal);
    assert_eq!(test.master_keys(), 1);
    for (table, left) in [
        ("recovery_code", 0),
        ("app_password", 0),
        ("session", 0),
        ("one_time_code", 1),
    ] {
        assert_eq!(test.count(table), left, "{table}");
    }
    assert_eq!(
        test.count("account WHERE at_renewal < (SELECT number FROM renewal)"),
        0
    );
    let trusted = opened.browser_cookie.as_deref().map(String::as_str);
    assert!(
        signs_in(&mut test, "alice", trusted, None).is_none(),
        "the browser is trusted no longer"
    );
    assert!(signs_in(&mut test, "alice", None, Some(&code_of(&alice, 1))).is_some());
}

#[test]
fn a_renewal_that_was_cut_off_reports_at_the_next_what_had_ended_and_was_still_there() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone, whose limit of a value cuts the rotation off
    }
    let (mut test, ..) = cut_off();
    let ended = test.rotates(Renewal::All).ended;
    assert_eq!(ended.len() as i64, OTHERS % AT_ONCE + 1);
    assert_eq!(
        ended[&name("alice")].len(),
        5,
        "{:?}",
        ended[&name("alice")]
    );
}

/// The remaining rows are removed without another rotation.
#[test]
fn a_gate_that_clears_the_store_removes_what_ended_with_its_keys() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone, whose limit of a value cuts the rotation off
    }
    let (mut test, ..) = cut_off();
    test.app_passwords().remove_expired_rows(NOW).unwrap();
    assert_eq!(
        test.count("recovery_code") + test.count("app_password") + test.count("session"),
        0
    );
    assert_eq!(test.count("account WHERE password IS NOT NULL"), 0);
}

/// The used steps of a removed secret cannot get a new fingerprint, because the secret is not in
/// the store. Their old fingerprint stays valid, so that no code is accepted twice.
#[test]
fn a_used_code_of_a_removed_authenticator_stays_used_after_all_keys_were_renewed_twice() {
    let (mut test, alice) = alice("");
    accepts(&mut test, "alice", &code_of(&alice, 0));
    test.disables("alice", "root", NOW);
    test.rotates(Renewal::All);
    test.rotates(Renewal::Seal);
    test.rotates(Renewal::All);
    test.activates(&alice);
    refuses(
        &mut test,
        "alice",
        &code_of(&alice, 0),
        Refusal::Used { wait: 15 },
    );
    accepts(&mut test, "alice", &code_of(&alice, 1));
    refuses(
        &mut test.another(),
        "alice",
        &code_of(&alice, 1),
        Refusal::Used { wait: 45 },
    );
}

/// A sign-in between password and code ends when the keys are replaced.
#[test]
fn a_sign_in_in_flight_does_not_outlive_the_keys_it_began_with() {
    let (mut test, alice) = alice_at_the_web("");
    let origin = remote("192.0.2.7");
    let browser = browser(&origin);
    let mut before = test.another();
    let asked = before.login().enter_password(
        &browser,
        &name("alice"),
        Some(&password(PASSWORD)),
        &Input::parse(b""),
        NOW,
    );
    let AfterPassword::Code(pass) = asked.unwrap() else {
        panic!("no code is asked")
    };
    test.rotates(Renewal::All);
    let answer = Input::parse(code_of(&alice, 0).as_bytes());
    let after = before
        .login()
        .enter_code(&browser, &pass, &answer, TrustRequest::NotAsked, NOW);
    assert!(matches!(
        after.unwrap(),
        AfterCode::Refused(Refusal::Expired)
    ));
}

/// If a reader prevents the WAL from being emptied, the rotation keeps the old master key and
/// reports it. The next rotation removes it.
#[test]
fn a_reader_that_stays_keeps_the_old_master_key_in_the_file() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let (mut test, alice) = alice("");
    let reader = test.sqlite();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM data_key")
        .unwrap();
    let error = test
        .keys()
        .rotate_keys(Renewal::Seal, "root", NOW)
        .unwrap_err();
    assert!(matches!(error, RotationError::OldKeyStays(..)), "{error}");
    assert_eq!(test.master_keys(), 2);
    accepts(&mut test.another(), "alice", &code_of(&alice, 0));
    drop(reader);
    test.rotates(Renewal::Seal);
    assert_eq!(test.master_keys(), 1);
}

#[test]
fn a_secret_that_was_altered_in_the_store_is_named_and_stops_no_other_user() {
    if crate::test_store::is_postgres() {
        return; // of SQLite alone
    }
    let mut test = TestStore::new("");
    test.enrols("mallory");
    let alice = test.enrols("alice");
    test.changes("UPDATE secret SET sealed = zeroblob(60) WHERE authenticator = 1");
    let rotated = test.rotates(Renewal::Seal);
    assert_eq!(
        rotated.damaged.into_iter().collect::<Vec<_>>(),
        [name("mallory")]
    );
    assert_eq!(test.master_keys(), 1);
    accepts(&mut test.another(), "alice", &code_of(&alice, 0));
}

/// A missing key file and one of another store deny all access, and the error names the file.
#[test]
fn a_missing_or_foreign_key_file_denies_access_and_is_named() {
    let mut test = TestStore::new("");
    test.enrols("alice");
    let (key, config) = (test.key_file(), test.config.clone());
    let open = || Engine::open(config.clone()).err().unwrap().to_string();
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    assert_contains(open(), "etc/key: No such file");
    assert_contains(open(), "from its backup");
    let (_, other) = MasterKeys::generate().unwrap();
    fs::write(&key, other.as_bytes()).unwrap();
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    assert_contains(
        open(),
        "etc/key: contains no master key that opens the store",
    );
    assert_contains(
        open(),
        "; restore the key file that was saved with this store",
    );
    // An engine that has its keys in memory must not write a key file that lacks them.
    let error = test
        .keys()
        .rotate_keys(Renewal::Seal, "root", NOW)
        .unwrap_err();
    assert_contains(
        error.to_string(),
        "contains no master key that opens the store",
    );
    assert_eq!(fs::read(&key).unwrap(), other.as_bytes());
    fs::write(&key, &kept).unwrap();
    test.rotates(Renewal::Seal);
}

/// A secret must not remain in the store or its WAL, also where SQLite moved rows between pages
/// before, and while other processes have the store open.
#[test]
fn a_disabled_secret_is_nowhere_in_the_stores_bytes() {
    const ACCOUNTS: usize = 200;
    let mut test = TestStore::new("");
    let mut gate = test.another();
    let pendings: Vec<PendingEnrollment> = (0..ACCOUNTS)
        .map(|number| test.enrols(&format!("person{number}")))
        .collect();
    let mut sealed = test.sealed();
    let mut removed = Vec::new();
    for turn in 0..ACCOUNTS - 40 {
        // This order empties pages in different places, because 7 and 200 have no common divisor.
        let number = turn * 7 % ACCOUNTS;
        gate.load_policy_facts(&name("person0")).unwrap();
        test.disables(&format!("person{number}"), "root", NOW);
        removed.extend([
            pendings[number].secret().expose().to_owned(),
            sealed[number].clone(),
        ]);
        if turn == ACCOUNTS / 2 {
            test.rotates(Renewal::Seal);
            let old = std::mem::replace(&mut sealed, test.sealed());
            removed.extend(
                old.into_iter()
                    .filter(|old| old.iter().any(|byte| *byte != 0)),
            );
        }
        if turn % 10 == 9 {
            assert_eq!(
                found(&test.bytes(), removed.iter().map(Vec::as_slice)),
                0,
                "turn {turn}"
            );
        }
    }
    let left = test
        .sealed()
        .into_iter()
        .filter(|left| left.iter().any(|byte| *byte != 0));
    let left: Vec<_> = left.collect();
    assert_eq!(
        found(&test.bytes(), left.iter().map(Vec::as_slice)),
        40,
        "what is there is found"
    );
}
