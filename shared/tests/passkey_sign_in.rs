//! Sign-in by a passkey alone: without a name and a password, and what opens nothing.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "test_store/authenticator.rs"]
mod authenticator;
mod test_store;

use authenticator::SoftAuthenticator;
use postern_shared::credential::input::Input;
use postern_shared::credential::passkey::response::AssertionResponse;
use postern_shared::engine::{
    AfterPasskeyAlone, AfterPassword, Engine, PasskeyOptions, TrustRequest,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::{FirstFactorMethod, SecondFactorMethod, Session};
use postern_shared::token::{PasskeyPurpose, PasskeySignIn};
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::passkey::PasskeyRefusal;
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, assert_contains, browser, code_at, name, password,
    remote, signs_in,
};

const GATE: &str = "[gate]\nurl = \"https://auth.example.com/\"\n[gate.passkeys]\nsign_in = true\n";
const FROM: &str = "192.0.2.7";

/// Registers a passkey of an account, in a session of it.
fn adds(test: &mut TestStore, session: &Session, key: &mut SoftAuthenticator) {
    let mut passkeys = test.engine.passkeys();
    let purpose = PasskeyPurpose::Registration;
    let begun = passkeys.request_in_session(session, purpose, NOW).unwrap();
    let (token, options) = begun.expect("the gate can have passkeys");
    assert!(options.is_discoverable, "it has to be found without a name");
    let response = key.registers(&token.passkey_challenge().to_text());
    key.user_handle = Some(options.user_handle);
    let label = "laptop".parse().unwrap();
    passkeys
        .add_passkey(&token, &response, &label, "root", NOW)
        .unwrap();
}

/// Returns a store in which alice has a passkey.
fn alice() -> (TestStore, Session, SoftAuthenticator) {
    let (mut test, app) = alice_at_the_web(GATE);
    let session = signs_in(&mut test, &remote(FROM), &code_at(&app, 0, NOW), NOW);
    let mut key = SoftAuthenticator::new(b"one");
    adds(&mut test, &session, &mut key);
    (test, session, key)
}

fn begins(test: &mut TestStore, now: Timestamp) -> PasskeySignIn {
    PasskeySignIn::begin(&test.token_keys(), now).unwrap()
}

fn enters_from(
    test: &mut TestStore,
    address: &str,
    request: &PasskeySignIn,
    response: &AssertionResponse,
    now: Timestamp,
) -> AfterPasskeyAlone {
    let from = remote(address);
    let mut login = test.engine.login();
    login
        .enter_passkey_alone(&browser(&from), request, response, now)
        .unwrap()
}

fn enters(
    test: &mut TestStore,
    request: &PasskeySignIn,
    response: &AssertionResponse,
) -> AfterPasskeyAlone {
    enters_from(test, FROM, request, response, NOW)
}

#[track_caller]
fn opened(entered: AfterPasskeyAlone) -> Session {
    match entered {
        AfterPasskeyAlone::Opened(opened) => {
            // of the log and of the metrics
            assert_eq!(opened.cause(), "passkey-alone");
            opened.session
        }
        AfterPasskeyAlone::Refused(refusal) => panic!("refused: {refusal}"),
        AfterPasskeyAlone::Wrong(reason) => panic!("wrong: {reason}"),
        AfterPasskeyAlone::NotVerified => panic!("the user is not verified"),
    }
}

#[track_caller]
fn refused(entered: &AfterPasskeyAlone) -> Refusal {
    match entered {
        AfterPasskeyAlone::Refused(refusal) => *refusal,
        AfterPasskeyAlone::Wrong(_) => Refusal::Wrong,
        AfterPasskeyAlone::Opened(_) => panic!("access is granted"),
        AfterPasskeyAlone::NotVerified => panic!("the user is not verified"),
    }
}

/// Asserts that a response opens nothing, and that it uses no request up.
#[track_caller]
fn is_wrong(test: &mut TestStore, key: &mut SoftAuthenticator, cause: &str) {
    let request = begins(test, NOW);
    let response = key.asserts(&request.passkey_challenge().to_text());
    match enters(test, &request, &response) {
        AfterPasskeyAlone::Wrong(reason) => assert_contains(reason.to_string(), cause),
        other => panic!("{cause}: {:?}", refused(&other)),
    }
}

fn causes(test: &mut TestStore) -> String {
    let events = test.all_events();
    let causes = events.into_iter().map(|(_, event)| event.cause);
    causes.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_passkey_alone_opens_a_session_that_says_so_once() {
    let (mut test, _, mut key) = alice();
    let request = begins(&mut test, NOW);
    let options = PasskeyOptions::of_sign_in(&test.config, &request).unwrap();
    assert!(options.ids.is_empty(), "it names no account's passkeys");
    assert_eq!(options.user_verification.name(), "required");
    let response = key.asserts(&options.challenge.to_text());
    let session = opened(enters(&mut test, &request, &response));
    assert_eq!(session.name, name("alice"));
    assert_eq!(session.passed.first, FirstFactorMethod::Passkey);
    assert_eq!(session.passed.second, SecondFactorMethod::Passkey);
    assert_contains(causes(&mut test), "passkey-alone");
    assert_eq!(test.sessions_of("alice", NOW).len(), 2);

    // A replay, and another response to the same challenge.
    let again = refused(&enters(&mut test, &request, &response));
    assert_eq!(again, Refusal::Wrong, "its counter does not rise");
    let fresh = key.asserts(&options.challenge.to_text());
    assert_eq!(
        refused(&enters(&mut test, &request, &fresh)),
        Refusal::Expired
    );
    // Nor does it answer another request.
    let other = begins(&mut test, NOW);
    let replayed = key.asserts(&options.challenge.to_text());
    let entered = enters(&mut test, &other, &replayed);
    assert!(matches!(
        entered,
        AfterPasskeyAlone::Wrong(PasskeyRefusal::Challenge)
    ));
    // An old request.
    let old = begins(&mut test, NOW.minus(3600));
    let late = key.asserts(&old.passkey_challenge().to_text());
    assert_eq!(refused(&enters(&mut test, &old, &late)), Refusal::Expired);
}

/// A passkey that keeps no counter, as synchronized ones, is held to one use by the request alone.
#[test]
fn a_request_is_used_up_without_a_counter_too() {
    let (mut test, app) = alice_at_the_web(GATE);
    let session = signs_in(&mut test, &remote(FROM), &code_at(&app, 0, NOW), NOW);
    let mut key = SoftAuthenticator::new(b"one");
    key.keeps_no_counter = true;
    adds(&mut test, &session, &mut key);
    let request = begins(&mut test, NOW);
    let response = key.asserts(&request.passkey_challenge().to_text());
    opened(enters(&mut test, &request, &response));
    assert_eq!(
        refused(&enters(&mut test, &request, &response)),
        Refusal::Expired
    );
}

#[test]
fn the_user_handle_is_required_and_that_of_the_account() {
    let (mut test, _, mut key) = alice();
    let app = test.enrols("bob");
    test.sets_password("bob");
    let bob = {
        let (from, none) = (remote(FROM), Input::parse(b""));
        let (who, typed) = (name("bob"), password(PASSWORD));
        let mut login = test.engine.login();
        let next = login.enter_password(&browser(&from), &who, Some(&typed), &none, NOW);
        let AfterPassword::Code(token) = next.unwrap() else {
            panic!("no code is asked for");
        };
        let input = Input::parse(code_at(&app, 0, NOW).as_bytes());
        let trust = TrustRequest::NotAsked;
        match login.enter_code(&browser(&from), &token, &input, trust, NOW) {
            Ok(postern_shared::engine::AfterCode::Opened(opened)) => opened.session,
            _ => panic!("bob is not signed in"),
        }
    };
    let mut of_bob = SoftAuthenticator::new(b"two");
    adds(&mut test, &bob, &mut of_bob);

    let own = key.user_handle.clone();
    key.user_handle = None;
    is_wrong(&mut test, &mut key, "no passkey of this account");
    key.user_handle.clone_from(&of_bob.user_handle);
    is_wrong(&mut test, &mut key, "no passkey of this account");
    // Bob's key with the identifier of alice's passkey.
    of_bob.id = b"one".to_vec();
    of_bob.user_handle.clone_from(&own);
    of_bob.counter = 90;
    is_wrong(&mut test, &mut of_bob, "its signature is wrong");
    of_bob.id = b"two".to_vec();
    is_wrong(&mut test, &mut of_bob, "no passkey of this account");
}

#[test]
fn without_a_verified_user_a_passkey_is_no_two_factors() {
    let (mut test, session, mut key) = alice();
    key.verifies_user = false;
    let request = begins(&mut test, NOW);
    let response = key.asserts(&request.passkey_challenge().to_text());
    let entered = enters(&mut test, &request, &response);
    assert!(matches!(entered, AfterPasskeyAlone::NotVerified));
    assert_contains(causes(&mut test), "did not verify its user");
    // One that did not at its registration: a finder could have set its PIN.
    let mut found = SoftAuthenticator::new(b"found");
    found.verifies_user = false;
    let mut passkeys = test.engine.passkeys();
    let purpose = PasskeyPurpose::Registration;
    let begun = passkeys.request_in_session(&session, purpose, NOW).unwrap();
    let (token, options) = begun.unwrap();
    let response = found.registers(&token.passkey_challenge().to_text());
    let label = "found".parse().unwrap();
    passkeys
        .add_passkey(&token, &response, &label, "root", NOW)
        .unwrap();
    found.user_handle = Some(options.user_handle);
    found.verifies_user = true;
    let request = begins(&mut test, NOW);
    let response = found.asserts(&request.passkey_challenge().to_text());
    let entered = enters(&mut test, &request, &response);
    assert!(matches!(entered, AfterPasskeyAlone::NotVerified));
}

#[test]
fn a_response_to_another_kind_of_request_or_of_another_page_is_refused() {
    let (mut test, session, mut key) = alice();
    let login = {
        let (from, none) = (remote(FROM), Input::parse(b""));
        let (who, typed) = (name("alice"), password(PASSWORD));
        let mut login = test.engine.login();
        match login.enter_password(&browser(&from), &who, Some(&typed), &none, NOW) {
            Ok(AfterPassword::Code(token)) => *token,
            _ => panic!("no code is asked for"),
        }
    };
    let mut passkeys = test.engine.passkeys();
    let step_up = passkeys.request_in_session(&session, PasskeyPurpose::StepUp, NOW);
    let step_up = step_up.unwrap().unwrap().0;
    for challenge in [login.passkey_challenge(), step_up.passkey_challenge()] {
        let request = begins(&mut test, NOW);
        let response = key.asserts(&challenge.to_text());
        assert_eq!(
            refused(&enters(&mut test, &request, &response)),
            Refusal::Wrong
        );
    }
    // The other way round.
    let request = begins(&mut test, NOW);
    let response = key.asserts(&request.passkey_challenge().to_text());
    let from = remote(FROM);
    let stepped =
        test.engine
            .login()
            .step_up_by_passkey(&browser(&from), &session, &step_up, &response, NOW);
    assert!(stepped.unwrap().is_none());
    // Sealed, none is opened as another.
    let keys = test.token_keys();
    let sealed = login.seal(&keys).unwrap();
    assert!(PasskeySignIn::open(&sealed, &keys, NOW).is_none());
    let sealed = step_up.seal(&keys).unwrap();
    assert!(PasskeySignIn::open(&sealed, &keys, NOW).is_none());
    let sealed = request.seal(&keys).unwrap();
    assert!(postern_shared::token::LoginToken::open_login(&sealed, &keys, NOW).is_none());

    key.is_cross_origin = true;
    is_wrong(&mut test, &mut key, "a frame of another site");
    key.is_cross_origin = false;
    key.origin = "https://evil.example.com";
    is_wrong(&mut test, &mut key, "a page of another origin");
    key.origin = "https://auth.example.com";
    key.rp_id = "evil.example.com";
    is_wrong(&mut test, &mut key, "another relying party");
}

#[test]
fn it_is_off_by_default_and_ends_with_the_passkey_and_the_second_factor() {
    let (mut test, _, mut key) = alice();
    let request = begins(&mut test, NOW);
    let response = key.asserts(&request.passkey_challenge().to_text());
    let mut config = test.config.clone();
    config.gate.passkeys.sign_in = false;
    let mut off = Engine::open(config.clone()).unwrap();
    let from = remote(FROM);
    let entered = off
        .login()
        .enter_passkey_alone(&browser(&from), &request, &response, NOW);
    assert_eq!(refused(&entered.unwrap()), Refusal::Malformed);
    assert!(PasskeyOptions::of_sign_in(&config, &request).is_none());

    let (alice, label) = (name("alice"), "laptop".parse().unwrap());
    let mut passkeys = test.engine.passkeys();
    passkeys
        .remove_passkey(&alice, &label, "root", NOW)
        .unwrap();
    assert_eq!(
        refused(&enters(&mut test, &request, &response)),
        Refusal::Wrong
    );

    let (mut test, _, mut key) = self::alice();
    test.disables("alice", "root", NOW);
    let request = begins(&mut test, NOW);
    let response = key.asserts(&request.passkey_challenge().to_text());
    assert_eq!(
        refused(&enters(&mut test, &request, &response)),
        Refusal::Wrong
    );
}

/// The session in which a user removes the last passkey does not continue on what it proved.
#[test]
fn a_session_by_a_passkey_alone_ends_with_the_last_passkey() {
    let (mut test, _, mut key) = alice();
    let request = begins(&mut test, NOW);
    let response = key.asserts(&request.passkey_challenge().to_text());
    let session = opened(enters(&mut test, &request, &response));
    let (alice, label) = (name("alice"), "laptop".parse().unwrap());
    let mut passkeys = test.engine.passkeys();
    passkeys
        .remove_passkey(&alice, &label, "root", NOW)
        .unwrap();
    let from = remote(FROM);
    let reopened = test
        .engine
        .login()
        .reopen_session(&browser(&from), &session, NOW);
    assert!(reopened.unwrap().is_none());
}

/// Strangers fill nothing: a wrong response counts for its address alone, and a delayed address is
/// told so, and still signs in by a right one.
#[test]
fn wrong_responses_count_for_their_address() {
    let (mut test, _, mut key) = alice();
    let stranger = "198.51.100.9";
    let mut unknown = SoftAuthenticator::new(b"unknown");
    unknown.user_handle = Some(vec![7; 32]);
    let before = test.all_events().len();
    for count in 0..14 {
        let request = begins(&mut test, NOW);
        let response = unknown.asserts(&request.passkey_challenge().to_text());
        let refusal = refused(&enters_from(&mut test, stranger, &request, &response, NOW));
        match count {
            0..10 => assert_eq!(refusal, Refusal::Wrong, "{count}"),
            _ => assert!(
                matches!(refusal, Refusal::AddressDelayed { .. }),
                "{count}: {refusal}"
            ),
        }
    }
    assert_eq!(
        test.all_events().len(),
        before,
        "no row is left by strangers"
    );
    // Nor by a stranger who knows the identifier of a passkey, and has no key.
    let mut copied = SoftAuthenticator::new(b"one");
    copied.user_handle = key.user_handle.clone();
    let request = begins(&mut test, NOW);
    let response = copied.asserts(&request.passkey_challenge().to_text());
    let from = "203.0.113.9";
    let refusal = refused(&enters_from(&mut test, from, &request, &response, NOW));
    assert_eq!(refusal, Refusal::Wrong);
    assert_eq!(
        test.all_events().len(),
        before,
        "the account's log is not theirs"
    );
    // The identifier of a passkey that there is is told no more.
    key.origin = "https://evil.example.com";
    let request = begins(&mut test, NOW);
    let response = key.asserts(&request.passkey_challenge().to_text());
    let refusal = refused(&enters_from(&mut test, stranger, &request, &response, NOW));
    assert!(matches!(refusal, Refusal::AddressDelayed { .. }));
    key.origin = "https://auth.example.com";
    let response = key.asserts(&request.passkey_challenge().to_text());
    opened(enters_from(&mut test, stranger, &request, &response, NOW));
}
