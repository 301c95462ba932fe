//! Rotation of keys on a real store in a temporary folder: what keeps working, what ends, and what
//! is removed.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod compromised;
#[path = "../test_store/mod.rs"]
mod test_store;

use postern_shared::config::GracePeriod;
use postern_shared::credential::input::Input;
use postern_shared::credential::otp::totp::generate_code;
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
