//! App passwords on a real store in a temporary folder: their scopes, their expiry, their owners,
//! and what ends them.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod ends;
mod gates;
#[path = "../test_store/mod.rs"]
mod test_store;

use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::account::name::Label;
use postern_shared::credential::app_password::AppPassword;
use postern_shared::crypto::password::Password;
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AdministrationError, AppPasswordError, AppPasswordsAfter, Engine, EngineError, KnownRevisions,
    RevocationUpdate, VerificationRequest,
};
use postern_shared::store::{KeyBound, StoreError};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::network::address::Address;
use postern_shared::verify::decision::{AppPasswordRefusal, Refusal};
use postern_shared::verify::origin::Origin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use test_store::{NOW, TestStore, accepted, assert_contains, code_of, name, refused, request};
use zeroize::Zeroizing;

const SCOPE: &str = "pam:dovecot\nweb:app.example.com/dav";
const WEBDAV: &str = "[gate.scope.webdav]\nhosts = [\"app.example.com\"]\n";
const KEEP: &str = "[app_passwords]\non_change = \"keep\"\n";

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn password() -> Password {
    Password::from_input(Zeroizing::new("correct horse".to_owned())).unwrap()
}

/// Returns a store in which alice has an account without credentials.
fn test(extra: &str) -> TestStore {
    let mut test = TestStore::new(extra);
    test.adds_account("alice");
    test
}

fn try_add(
    test: &mut TestStore,
    called: &str,
    scope: &str,
    expires: Option<Timestamp>,
) -> Result<AppPassword, String> {
    let made = test.app_passwords().add_app_password(
        &name("alice"),
        &label(called),
        &scope.parse().unwrap(),
        expires,
        "root",
        NOW,
    );
    made.map_err(|error| error.to_string())
}

fn add(test: &mut TestStore, called: &str, scope: &str) -> AppPassword {
    try_add(test, called, scope, None).unwrap()
}

fn names(test: &mut TestStore) -> Vec<String> {
    let all = test
        .app_passwords()
        .list_app_passwords(Some(&name("alice")))
        .unwrap();
    all.into_iter().map(|kept| kept.name.to_string()).collect()
}

/// Enters an app password at the prompt of a PAM service for alice.
fn admits(
    engine: &mut Engine,
    typed: &AppPassword,
    service: &str,
    now: Timestamp,
) -> Result<(), AppPasswordRefusal> {
    admits_from("192.0.2.7", engine, typed, service, now)
}

fn admits_from(
    address: &str,
    engine: &mut Engine,
    typed: &AppPassword,
    service: &str,
    now: Timestamp,
) -> Result<(), AppPasswordRefusal> {
    tried_from(address, engine, typed, service, now).unwrap()
}

fn tried_from(
    address: &str,
    engine: &mut Engine,
    typed: &AppPassword,
    service: &str,
    now: Timestamp,
) -> Result<Result<(), AppPasswordRefusal>, EngineError> {
    let (alice, origin) = (
        name("alice"),
        Origin::Remote(Address::parse(address).unwrap()),
    );
    let login = VerificationRequest {
        service,
        ..request(&alice, &origin)
    };
    Ok(engine
        .app_passwords()
        .verify_app_password(&login, typed, now)?
        .map(drop))
}

/// Returns what a gate reads when it knows the given revisions.
fn look(
    engine: &mut Engine,
    gate: &[u8; 16],
    goes_by: Option<KnownRevisions>,
) -> Option<RevocationUpdate> {
    let mut seen = None;
    engine
        .sessions()
        .update_revocations(gate, goes_by, NOW, |found| seen = Some(found))
        .unwrap();
    seen
}

fn knows(seen: &RevocationUpdate, typed: &AppPassword) -> bool {
    let hash = seen.keys.app_password_hash(typed);
    seen.app_passwords
        .iter()
        .any(|live| live.all.iter().any(|(known, _)| *known == hash))
}

#[test]
fn it_opens_the_service_of_its_scope_without_a_second_factor() {
    let mut test = test("");
    let mail = add(&mut test, "mail", SCOPE);
    assert_eq!(admits(&mut test, &mail, "dovecot", NOW), Ok(()));
    assert_eq!(
        admits(&mut test, &mail, "sshd", NOW),
        Err(AppPasswordRefusal::Scope)
    );
    let never_made = AppPassword::random().unwrap();
    assert_eq!(
        admits(&mut test, &never_made, "dovecot", NOW),
        Err(AppPasswordRefusal::Wrong)
    );
    for kept in [
        mail.grouped().to_string(),
        mail.grouped().replace('-', ""),
        mail.grouped()[1..].replace('-', ""),
    ] {
        assert!(!test.holds(kept.as_bytes()), "the store holds a hash alone");
    }
}

#[test]
fn its_time_is_over_at_the_second() {
    let mut test = test("");
    let until = NOW.plus(3600);
    let mail = try_add(&mut test, "mail", SCOPE, Some(until)).unwrap();
    assert_eq!(admits(&mut test, &mail, "dovecot", until.minus(1)), Ok(()));
    assert_eq!(
        admits(&mut test, &mail, "dovecot", until),
        Err(AppPasswordRefusal::Expired)
    );
    let again = try_add(&mut test, "again", SCOPE, Some(NOW)).unwrap_err();
    assert_contains(&again, "give a later --expires");

    let gate = |now| {
        let mut live = Vec::new();
        Engine::open(test.config().clone())
            .unwrap()
            .sessions()
            .update_revocations(&[7; 16], None, now, |seen| live = seen.app_passwords)
            .unwrap();
        live[0].all.len()
    };
    assert_eq!((gate(until.minus(1)), gate(until)), (1, 0));
}

#[test]
fn a_name_is_given_once_and_there_is_a_most() {
    let mut test = test("");
    for number in 0..100 {
        let until = if number == 0 { Some(NOW.plus(1)) } else { None };
        try_add(&mut test, &format!("app {number}"), "pam:x", until).unwrap();
    }
    assert_contains(
        try_add(&mut test, "app 7", "pam:x", None).unwrap_err(),
        "already",
    );
    assert_contains(
        try_add(&mut test, "one more", "pam:x", None).unwrap_err(),
        "100 app passwords",
    );
    // an expired app password does not count against the limit, and its name can be used again
    let later = NOW.plus(1);
    let scope = "pam:x".parse().unwrap();
    test.app_passwords()
        .add_app_password(&name("alice"), &label("app 0"), &scope, None, "root", later)
        .unwrap();
    assert_eq!(names(&mut test).len(), 100);
}

#[test]
fn a_scope_that_means_nothing_is_refused() {
    let gate = "[gate]\nurl = \"https://auth.example.com/\"\ncookie_domain = \"example.com\"\n";
    let mut test = test(&format!("{gate}{WEBDAV}"));
    add(&mut test, "files", "webdav");
    let error = try_add(&mut test, "x", "webdev", None).unwrap_err();
    assert_contains(&error, "[gate.scope.webdev]");
    let error = try_add(&mut test, "x", "web:AUTH.example.com/", None).unwrap_err();
    assert_contains(&error, "the gate's own pages");
    let nobody = test.app_passwords().add_app_password(
        &name("bob"),
        &label("x"),
        &"webdav".parse().unwrap(),
        None,
        "root",
        NOW,
    );
    assert!(matches!(
        nobody,
        Err(AdministrationError::UnknownAccount(_))
    ));
}

#[test]
fn renamed_it_keeps_working_and_revoked_it_does_not() {
    let mut test = test("");
    let (alice, mail) = (name("alice"), add(&mut test, "mail", SCOPE));
    let other = add(&mut test, "other", SCOPE);
    let taken = test.app_passwords().rename_app_password(
        &alice,
        &label("mail"),
        &label("other"),
        "root",
        NOW,
    );
    assert!(matches!(
        taken,
        Err(AdministrationError::AppPassword(
            AppPasswordError::NameTaken(..)
        ))
    ));
    test.app_passwords()
        .rename_app_password(&alice, &label("mail"), &label("phone"), "root", NOW)
        .unwrap();
    assert_eq!(names(&mut test), ["phone", "other"]);
    assert_eq!(admits(&mut test, &mail, "dovecot", NOW), Ok(()));

    let unknown =
        test.app_passwords()
            .revoke_app_passwords(&alice, Some(&label("mail")), "root", NOW);
    assert!(matches!(
        unknown,
        Err(AdministrationError::AppPassword(AppPasswordError::Unknown(
            ..
        )))
    ));
    assert_eq!(
        test.app_passwords()
            .revoke_app_passwords(&alice, Some(&label("phone")), "root", NOW)
            .unwrap(),
        1
    );
    assert_eq!(
        admits(&mut test, &mail, "dovecot", NOW),
        Err(AppPasswordRefusal::Wrong)
    );
    assert_eq!(admits(&mut test, &other, "dovecot", NOW), Ok(()));
    assert_eq!(
        test.app_passwords()
            .revoke_app_passwords(&alice, None, "root", NOW)
            .unwrap(),
        1
    );
    assert_eq!(
        admits(&mut test, &other, "dovecot", NOW),
        Err(AppPasswordRefusal::Wrong)
    );
    let none = test
        .app_passwords()
        .revoke_app_passwords(&alice, None, "root", NOW);
    assert!(matches!(
        none,
        Err(AdministrationError::AppPassword(AppPasswordError::None(_)))
    ));

    let log = test.all_events();
    let of = |what: EventKind| {
        log.iter()
            .filter(move |(_, event)| event.kind == what)
            .map(|(_, event)| &event.cause)
    };
    assert!(of(EventKind::AppPasswordAdded).eq(["mail", "other"]));
    assert!(of(EventKind::AppPasswordRenamed).eq(["phone"]));
    assert!(of(EventKind::AppPasswordRevoked).eq(["phone", "all"]));
}

#[test]
fn wrong_ones_count_for_their_address_and_for_no_account() {
    let mut test = test("");
    let pending = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&pending);
    let mail = add(&mut test, "mail", SCOPE);
    for _ in 0..10 {
        let guess = AppPassword::random().unwrap();
        assert_eq!(
            admits(&mut test, &guess, "dovecot", NOW),
            Err(AppPasswordRefusal::Wrong)
        );
    }
    let delayed = Err(AppPasswordRefusal::AddressDelayed { wait: 300 });
    let guess = AppPassword::random().unwrap();
    assert_eq!(admits(&mut test, &guess, "dovecot", NOW), delayed);
    // A right app password cannot be guessed, so the delay of the address does not apply to it.
    assert_eq!(admits(&mut test, &mail, "dovecot", NOW), Ok(()));
    assert_eq!(
        admits_from("192.0.2.8", &mut test, &mail, "dovecot", NOW),
        Ok(())
    );
    // An app password of another scope and an expired one are not counted as guesses.
    for _ in 0..20 {
        assert_eq!(
            admits_from("192.0.2.8", &mut test, &mail, "sshd", NOW),
            Err(AppPasswordRefusal::Scope)
        );
    }
    accepted(&test.attempt("alice", &code_of(&pending, 0), NOW));
}

/// An app password MUST NOT clear the count of wrong codes: its holder could then guess codes
/// without a delay.
#[test]
fn its_use_forgives_no_wrong_codes_and_makes_no_address_familiar() {
    let mut test = test("[throttle]\naddress_limit = 1000\n");
    let pending = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&pending);
    let mail = add(&mut test, "mail", SCOPE);
    let alice = name("alice");
    let origin = Origin::Remote(Address::parse("192.0.2.7").unwrap());
    let login = VerificationRequest {
        service: "dovecot",
        ..request(&alice, &origin)
    };
    let wrong = postern_shared::credential::input::Input::parse(b"000000");
    for _ in 0..5 {
        test.verification()
            .verify_input(&login, &wrong, NOW)
            .unwrap();
        assert_eq!(admits(&mut test, &mail, "dovecot", NOW), Ok(()));
    }
    refused(
        &test
            .verification()
            .verify_input(&login, &wrong, NOW)
            .unwrap(),
        Refusal::Delayed { wait: 30 },
    );
    // A familiar address has a bucket of its own, which would not be locked here.
    refused(
        &test.attempt("alice", "000000", NOW),
        Refusal::Delayed { wait: 30 },
    );
    assert_eq!(
        test.accounts()
            .account_status(&alice)
            .unwrap()
            .tally
            .last_sign_in,
        None
    );
    let log = test
        .audit_log()
        .list_events(
            &EventFilter {
                kind: Some(EventKind::Accepted),
                ..EventFilter::default()
            },
            0,
            100,
        )
        .unwrap();
    assert!(log.is_empty(), "{log:?}");
}

/// An app password is refused where a code is required, and it cannot change the account, whatever
/// its scope is.
#[test]
fn it_is_no_code_and_changes_nothing() {
    let mut test = test("");
    let pending = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&pending);
    let widest = add(
        &mut test,
        "widest",
        "pam:sudo\npam:web\npam:postern\nweb:app.example.com",
    );
    for service in ["web", "postern"] {
        let (alice, origin) = (name("alice"), Origin::Local("alice".to_owned()));
        let login = VerificationRequest {
            service,
            ..request(&alice, &origin)
        };
        let answer = postern_shared::credential::input::Input::parse(widest.grouped().as_bytes());
        refused(
            &test
                .verification()
                .verify_input(&login, &answer, NOW)
                .unwrap(),
            Refusal::Malformed,
        );
    }
}

#[test]
fn the_last_use_is_kept_to_the_minute() {
    let mut test = test("");
    let mail = add(&mut test, "mail", SCOPE);
    let last =
        |test: &mut TestStore| test.app_passwords().list_app_passwords(None).unwrap()[0].last_used;
    assert_eq!(last(&mut test), None);
    admits(&mut test, &mail, "dovecot", NOW).unwrap();
    assert_eq!(last(&mut test), Some(Timestamp(NOW.0 / 60 * 60)));
    let number = test.app_passwords().list_app_passwords(None).unwrap()[0].number;
    test.app_passwords()
        .record_app_password_use(&[(number, NOW.plus(120))], &[])
        .unwrap();
    test.app_passwords()
        .record_app_password_use(&[(number, NOW), (999, NOW)], &[])
        .unwrap();
    assert_eq!(last(&mut test), Some(Timestamp((NOW.0 + 120) / 60 * 60)));
}

/// App passwords keep working after a rotation of keys. If the keys were compromised, the rotation
/// ends them and lists them by name.
#[test]
fn rotated_keys_keep_them_and_compromised_ones_end_them_by_name() {
    let mut test = test("");
    let mail = add(&mut test, "mail", SCOPE);
    test.keys().rotate_keys(Renewal::Seal, "root", NOW).unwrap();
    assert_eq!(admits(&mut test, &mail, "dovecot", NOW), Ok(()));
    let seen = look(&mut test, &[7; 16], None).unwrap();
    assert!(knows(&seen, &mail));
    test.sessions().remove_gate(&[7; 16]).unwrap();

    try_add(&mut test, "short", SCOPE, Some(NOW.plus(1))).unwrap();
    let rotated = test
        .keys()
        .rotate_keys(Renewal::All, "root", NOW.plus(1))
        .unwrap();
    assert_eq!(rotated.ended[&name("alice")], [(KeyBound::AppPasswords, 1)]);
    assert_eq!(
        admits(&mut test, &mail, "dovecot", NOW),
        Err(AppPasswordRefusal::Wrong)
    );
    let by = KnownRevisions {
        revision: 0,
        app_passwords: seen.app_passwords[0].revision,
    };
    let seen = look(&mut test, &[7; 16], Some(by)).unwrap();
    assert!(seen.app_passwords[0].is_complete && seen.app_passwords[0].all.is_empty());
    add(&mut test, "mail", SCOPE);
}

#[test]
fn one_of_a_damaged_row_opens_nothing_and_the_others_do() {
    let mut test = test("");
    let (bad, good) = (add(&mut test, "bad", SCOPE), add(&mut test, "good", SCOPE));
    test.changes("UPDATE app_password SET scope = 'web:' WHERE name = 'bad'");
    let seen = look(&mut test, &[7; 16], None).unwrap();
    assert!(!knows(&seen, &bad) && knows(&seen, &good));
    let (alice, origin) = (name("alice"), Origin::Unknown);
    let login = VerificationRequest {
        service: "dovecot",
        ..request(&alice, &origin)
    };
    assert!(
        test.app_passwords()
            .verify_app_password(&login, &bad, NOW)
            .is_err()
    );
    assert_eq!(admits(&mut test, &good, "dovecot", NOW), Ok(()));
}
