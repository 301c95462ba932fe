//! Passkeys of accounts: registered, used, and what a response cannot be made to mean.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "test_store/authenticator.rs"]
mod authenticator;
mod test_store;

use authenticator::SoftAuthenticator;
use postern_shared::credential::input::Input;
use postern_shared::credential::passkey::response::AssertionResponse;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AdministrationError, AfterCode, AfterPassword, PasskeyError, Principal, TrustRequest,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::{SecondFactorMethod, Session};
use postern_shared::token::{LoginToken, PasskeyPurpose, PasskeyToken, StepUpToken};
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::passkey::PasskeyRefusal;
use postern_shared::verify::throttle::Phase;
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, assert_contains, browser, code_at, name, password,
    remote, signs_in,
};

const GATE: &str = "[gate]\nurl = \"https://auth.example.com/\"\n";
const FROM: &str = "192.0.2.7";

/// Returns a store in which alice is signed in by a code, with her session.
fn alice() -> (TestStore, PendingEnrollment, Session) {
    let (mut test, app) = alice_at_the_web(GATE);
    let session = signs_in(&mut test, &remote(FROM), &code_at(&app, 0, NOW), NOW);
    (test, app, session)
}

fn begins(test: &mut TestStore, session: &Session, purpose: PasskeyPurpose) -> PasskeyToken {
    let mut passkeys = test.engine.passkeys();
    let begun = passkeys.request_in_session(session, purpose, NOW).unwrap();
    begun.expect("the gate can have passkeys").0
}

fn adds(
    test: &mut TestStore,
    session: &Session,
    token: &PasskeyToken,
    key: &mut SoftAuthenticator,
    label: &str,
) -> Result<(), AdministrationError> {
    let response = key.registers(&token.passkey_challenge().to_text());
    let from = remote(FROM);
    let actor = Principal::Session(&session.name, &from, session.id);
    let name = label.parse().unwrap();
    let mut passkeys = test.engine.passkeys();
    passkeys.add_passkey(token, &response, &name, actor, NOW)
}

/// Returns alice with one passkey.
fn with_passkey() -> (TestStore, PendingEnrollment, Session, SoftAuthenticator) {
    let (mut test, app, session) = alice();
    let mut key = SoftAuthenticator::new(b"one");
    let token = begins(&mut test, &session, PasskeyPurpose::Registration);
    adds(&mut test, &session, &token, &mut key, "laptop").unwrap();
    (test, app, session, key)
}

/// Enters alice's password, and returns the token of the login.
fn enters_password(test: &mut TestStore, now: Timestamp) -> LoginToken {
    let (from, none) = (remote(FROM), Input::parse(b""));
    let (who, typed) = (name("alice"), password(PASSWORD));
    let mut login = test.engine.login();
    let next = login.enter_password(&browser(&from), &who, Some(&typed), &none, now);
    match next.unwrap() {
        AfterPassword::Code(token) => *token,
        _ => panic!("no code is asked for"),
    }
}

fn enters(test: &mut TestStore, token: &LoginToken, response: &AssertionResponse) -> AfterCode {
    let from = remote(FROM);
    let mut login = test.engine.login();
    let trust = TrustRequest::NotAsked;
    let entered = login.enter_passkey(&browser(&from), token, response, trust, NOW);
    entered.unwrap()
}

#[track_caller]
fn opened(entered: AfterCode) -> Session {
    match entered {
        AfterCode::Opened(opened) => opened.session,
        AfterCode::Refused(refusal) => panic!("refused: {refusal}"),
    }
}

#[track_caller]
fn refused(entered: &AfterCode) -> Refusal {
    match entered {
        AfterCode::Opened(_) => panic!("access is granted"),
        AfterCode::Refused(refusal) => *refusal,
    }
}

fn causes(test: &mut TestStore) -> String {
    let events = test.all_events();
    let causes = events.into_iter().map(|(_, event)| event.cause);
    causes.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_passkey_opens_a_session_that_says_so_and_its_login_once() {
    let (mut test, _, _, mut key) = with_passkey();
    let token = enters_password(&mut test, NOW);
    let options = test
        .engine
        .passkeys()
        .request_at_login(&token, NOW)
        .unwrap();
    let options = options.expect("there is a passkey");
    assert_eq!(options.ids[0].as_bytes(), b"one");
    let response = key.asserts(&options.challenge.to_text());
    let session = opened(enters(&mut test, &token, &response));
    assert_eq!(session.passed.second, SecondFactorMethod::Passkey);

    // The response and its token are used up, and a later login has another challenge.
    let expired = Refusal::Expired;
    assert_eq!(refused(&enters(&mut test, &token, &response)), expired);
    let fresh = key.asserts(&options.challenge.to_text());
    assert_eq!(refused(&enters(&mut test, &token, &fresh)), expired);
    let later = enters_password(&mut test, NOW);
    assert_eq!(
        refused(&enters(&mut test, &later, &response)),
        Refusal::Wrong
    );
    assert_contains(causes(&mut test), "passkey: it answers another request");
}

#[test]
fn five_wrong_responses_end_the_login_and_lock_no_account() {
    let (mut test, app, _, mut key) = with_passkey();
    let token = enters_password(&mut test, NOW);
    let challenge = token.passkey_challenge().to_text();
    key.origin = "https://evil.example.com";
    for _ in 0..5 {
        let response = key.asserts(&challenge);
        assert_eq!(
            refused(&enters(&mut test, &token, &response)),
            Refusal::Wrong
        );
    }
    key.origin = "https://auth.example.com";
    let right = key.asserts(&challenge);
    assert_eq!(
        refused(&enters(&mut test, &token, &right)),
        Refusal::Expired
    );
    // A guess it was not: the code is accepted without a delay.
    let later = NOW.plus(30);
    signs_in(&mut test, &remote(FROM), &code_at(&app, 0, later), later);
}

#[test]
fn a_passkey_works_during_delays_that_others_caused() {
    let (mut test, _, _, mut key) = with_passkey();
    for _ in 0..8 {
        test.attempt_from(
            "alice",
            &remote("198.51.100.9"),
            Phase::After,
            "000000",
            NOW,
        );
        test.attempt_from("alice", &remote(FROM), Phase::After, "000000", NOW);
    }
    let token = enters_password(&mut test, NOW);
    let response = key.asserts(&token.passkey_challenge().to_text());
    opened(enters(&mut test, &token, &response));
}

#[test]
fn the_passkey_of_another_account_opens_nothing() {
    let (mut test, _, _, mut key) = with_passkey();
    test.enrols("bob");
    test.sets_password("bob");
    let token = {
        let (from, none) = (remote(FROM), Input::parse(b""));
        let (who, typed) = (name("bob"), password(PASSWORD));
        let mut login = test.engine.login();
        let next = login.enter_password(&browser(&from), &who, Some(&typed), &none, NOW);
        match next.unwrap() {
            AfterPassword::Code(token) => *token,
            _ => panic!("no code is asked for"),
        }
    };
    let asked = test
        .engine
        .passkeys()
        .request_at_login(&token, NOW)
        .unwrap();
    assert!(asked.is_none(), "bob has no passkey");
    let response = key.asserts(&token.passkey_challenge().to_text());
    assert_eq!(
        refused(&enters(&mut test, &token, &response)),
        Refusal::Wrong
    );
    // Nor does hers with a handle of another account.
    let token = enters_password(&mut test, NOW);
    key.user_handle = Some(vec![7; 32]);
    let response = key.asserts(&token.passkey_challenge().to_text());
    assert_eq!(
        refused(&enters(&mut test, &token, &response)),
        Refusal::Wrong
    );
}

#[test]
fn a_registration_counts_once_for_its_session_and_its_purpose() {
    let (mut test, _, session) = alice();
    let mut key = SoftAuthenticator::new(b"one");
    let token = begins(&mut test, &session, PasskeyPurpose::Registration);
    key.origin = "https://evil.example.com";
    let wrong = adds(&mut test, &session, &token, &mut key, "laptop").unwrap_err();
    let origin = PasskeyError::Refused(PasskeyRefusal::Origin).to_string();
    assert_eq!(wrong.to_string(), origin);
    key.origin = "https://auth.example.com";
    adds(&mut test, &session, &token, &mut key, "laptop").unwrap();
    let mut other = SoftAuthenticator::new(b"two");
    let again = adds(&mut test, &session, &token, &mut other, "phone");
    assert!(
        matches!(again, Err(AdministrationError::Stale)),
        "{again:?}"
    );

    // the same key, the same name, too many
    let token = begins(&mut test, &session, PasskeyPurpose::Registration);
    let same = adds(&mut test, &session, &token, &mut key, "phone").unwrap_err();
    assert_eq!(same.to_string(), PasskeyError::Registered.to_string());
    let token = begins(&mut test, &session, PasskeyPurpose::Registration);
    let named = adds(&mut test, &session, &token, &mut other, "laptop").unwrap_err();
    assert_contains(named.to_string(), "already");
    for number in 2..=16_u8 {
        let token = begins(&mut test, &session, PasskeyPurpose::Registration);
        let mut key = SoftAuthenticator::new(&[number]);
        adds(&mut test, &session, &token, &mut key, &format!("n{number}")).unwrap();
    }
    let token = begins(&mut test, &session, PasskeyPurpose::Registration);
    let many = adds(&mut test, &session, &token, &mut other, "n17").unwrap_err();
    assert_contains(many.to_string(), "16 passkeys");

    // Its session has ended.
    let token = begins(&mut test, &session, PasskeyPurpose::Registration);
    let mut sessions = test.engine.sessions();
    sessions.sign_out(session.id).unwrap();
    let ended = adds(&mut test, &session, &token, &mut other, "late");
    assert!(ended.is_err(), "{ended:?}");
}

/// Returns the step-up that a passkey gives in a session.
fn steps_up(
    test: &mut TestStore,
    session: &Session,
    token: &PasskeyToken,
    key: &mut SoftAuthenticator,
) -> Option<StepUpToken> {
    let response = key.asserts(&token.passkey_challenge().to_text());
    let from = remote(FROM);
    let mut login = test.engine.login();
    let stepped = login.step_up_by_passkey(&browser(&from), session, token, &response, NOW);
    stepped.unwrap()
}

#[test]
fn a_step_up_needs_a_verified_user_and_a_token_of_its_own() {
    let (mut test, _, session, mut key) = with_passkey();
    let token = begins(&mut test, &session, PasskeyPurpose::StepUp);
    key.verifies_user = false;
    assert!(steps_up(&mut test, &session, &token, &mut key).is_none());
    assert_contains(causes(&mut test), "did not verify its user");
    key.verifies_user = true;
    // the refusal has used the token up
    assert!(steps_up(&mut test, &session, &token, &mut key).is_none());
    let token = begins(&mut test, &session, PasskeyPurpose::StepUp);
    assert!(steps_up(&mut test, &session, &token, &mut key).is_some());
    assert!(steps_up(&mut test, &session, &token, &mut key).is_none());

    let ended = begins(&mut test, &session, PasskeyPurpose::StepUp);
    test.engine.sessions().sign_out(session.id).unwrap();
    assert!(steps_up(&mut test, &session, &ended, &mut key).is_none());
}

#[test]
fn a_counter_that_does_not_rise_is_refused_whatever_is_stored_meanwhile() {
    let (mut test, _, _, mut key) = with_passkey();
    let token = enters_password(&mut test, NOW);
    let challenge = token.passkey_challenge().to_text();
    opened(enters(&mut test, &token, &key.asserts(&challenge)));
    key.counter = 0;
    let token = enters_password(&mut test, NOW);
    let copy = key.asserts(&token.passkey_challenge().to_text());
    assert_eq!(refused(&enters(&mut test, &token, &copy)), Refusal::Wrong);
    assert_contains(causes(&mut test), "counter did not rise");
}

#[test]
fn a_removed_passkey_ends_every_session_and_disable_removes_all() {
    let (mut test, app, session, mut key) = with_passkey();
    let alice = name("alice");
    let count = |test: &mut TestStore| {
        let status = test.accounts().account_status(&name("alice")).unwrap();
        (status.tally.authenticators, status.tally.passkeys)
    };
    assert_eq!(count(&mut test), (1, 1));
    let label = "laptop".parse().unwrap();
    let mut passkeys = test.engine.passkeys();
    passkeys
        .remove_passkey(&alice, &label, "root", NOW)
        .unwrap();
    assert!(test.sessions_of("alice", NOW).is_empty());
    assert_eq!(count(&mut test), (1, 0));
    let token = enters_password(&mut test, NOW);
    let response = key.asserts(&token.passkey_challenge().to_text());
    assert_eq!(
        refused(&enters(&mut test, &token, &response)),
        Refusal::Wrong
    );

    let later = NOW.plus(30);
    let after = signs_in(&mut test, &remote(FROM), &code_at(&app, 0, later), later);
    assert_ne!(after.id, session.id);
    let token = begins(&mut test, &after, PasskeyPurpose::Registration);
    adds(&mut test, &after, &token, &mut key, "again").unwrap();
    test.disables("alice", "root", later);
    assert!(
        test.engine
            .passkeys()
            .list_passkeys(&alice)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn the_first_passkey_fixes_the_relying_party() {
    let (mut test, _, session, _) = with_passkey();
    let mut config = test.config.clone();
    config.gate.passkeys.rp_id = Some("example.com".to_owned().try_into().unwrap());
    let mut other = postern_shared::engine::Engine::open(config).unwrap();
    let mut passkeys = other.passkeys();
    let purpose = PasskeyPurpose::Registration;
    let begun = passkeys.request_in_session(&session, purpose, NOW).unwrap();
    let token = begun.unwrap().0;
    let mut key = SoftAuthenticator::new(b"two");
    key.rp_id = "example.com";
    let response = key.registers(&token.passkey_challenge().to_text());
    let label = "phone".parse().unwrap();
    let refused = passkeys.add_passkey(&token, &response, &label, "root", NOW);
    assert_contains(
        refused.unwrap_err().to_string(),
        "made for auth.example.com",
    );
    // A gate without a host name of its own has none.
    test.config.gate.url = Some("https://192.0.2.1/".to_owned().try_into().unwrap());
    let mut at_address = postern_shared::engine::Engine::open(test.config.clone()).unwrap();
    assert!(!at_address.passkeys().are_available());
}

/// A login that something has ended meanwhile asks for no passkey, though the account has one.
#[test]
fn a_login_that_is_over_asks_for_no_passkey() {
    let (mut test, _, session, _) = with_passkey();
    let mut other = SoftAuthenticator::new(b"two");
    let token = begins(&mut test, &session, PasskeyPurpose::Registration);
    adds(&mut test, &session, &token, &mut other, "phone").unwrap();
    let token = enters_password(&mut test, NOW);
    let mut passkeys = test.engine.passkeys();
    let asked = passkeys.request_at_login(&token, NOW).unwrap();
    assert_eq!(asked.map(|options| options.ids.len()), Some(2));
    let late = NOW.plus(600);
    assert!(passkeys.request_at_login(&token, late).unwrap().is_none());
    // Its removal ends what had begun.
    let label = "phone".parse().unwrap();
    let alice = name("alice");
    passkeys
        .remove_passkey(&alice, &label, "root", NOW)
        .unwrap();
    assert!(passkeys.request_at_login(&token, NOW).unwrap().is_none());
}

/// A configuration with another relying party than that of the passkeys is known before one is used.
#[test]
fn another_relying_party_than_that_of_the_passkeys_is_named() {
    let (mut test, ..) = with_passkey();
    assert_eq!(test.engine.passkeys().other_relying_party().unwrap(), None);
    let mut config = test.config.clone();
    config.gate.passkeys.rp_id = Some("example.com".to_owned().try_into().unwrap());
    let mut engine = postern_shared::engine::Engine::open(config.clone()).unwrap();
    let other = engine.passkeys().other_relying_party().unwrap().unwrap();
    assert_eq!(other.earlier, "auth.example.com");
    assert_eq!(other.configured.as_deref(), Some("example.com"));
    assert_contains(other.to_string(), "made for \"auth.example.com\"");
    assert_contains(other.remedy(), "rp_id = \"auth.example.com\"");
    config.gate.url = Some("https://192.0.2.1/".to_owned().try_into().unwrap());
    config.gate.passkeys.rp_id = None;
    let mut engine = postern_shared::engine::Engine::open(config).unwrap();
    let other = engine.passkeys().other_relying_party().unwrap().unwrap();
    assert_eq!(other.configured, None);
}
