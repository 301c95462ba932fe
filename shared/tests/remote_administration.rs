//! Administration without root's command: by an administrator in a session, and by a program with
//! the administration secret.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AdministrationError, AdministratorStatus, AfterCode, AfterPassword, BrowserContext,
    OpenedSession, Principal, ShownSecret, TrustRequest,
};
use postern_shared::protocol::status::SecondFactorState;
use postern_shared::system::clock::Timestamp;
use postern_shared::system::network::address::Address;
use postern_shared::verify::origin::Origin;
use test_store::{NOW, PASSWORD, TestStore, alice_at_the_web, code_at, name, password, remote};

/// Returns a browser at an address, without cookies.
fn browser(origin: &Origin) -> BrowserContext<'_> {
    BrowserContext {
        name: "Firefox",
        scope: "example.test",
        ..test_store::browser(origin)
    }
}

/// Signs a person in at the web.
#[track_caller]
fn signs_in(
    test: &mut TestStore,
    who: &str,
    app: &PendingEnrollment,
    origin: &Origin,
    trust: TrustRequest,
    now: Timestamp,
) -> OpenedSession {
    let (of, name) = (browser(origin), name(who));
    let after = test
        .login()
        .enter_password(
            &of,
            &name,
            Some(&password(PASSWORD)),
            &Input::Malformed,
            now,
        )
        .unwrap();
    let AfterPassword::Code(pass) = after else {
        panic!("no code is asked for")
    };
    let answer = Input::parse(code_at(app, 0, now).as_bytes());
    match test
        .login()
        .enter_code(&of, &pass, &answer, trust, now)
        .unwrap()
    {
        AfterCode::Opened(opened) => *opened,
        AfterCode::Refused(refusal) => panic!("{refusal:?}"),
    }
}

/// Signs alice and the administrator carol in at the web.
fn both() -> (TestStore, PendingEnrollment, PendingEnrollment) {
    let (mut test, alice) = alice_at_the_web("[policy]\nadministrators = [\"carol\"]\n");
    let carol = test.enrols("carol");
    test.sets_password("carol");
    (test, alice, carol)
}

#[test]
fn every_act_of_a_session_ends_with_it_and_is_logged_under_its_name() {
    let (mut test, _, carol) = both();
    let (origin, later, alice) = (remote("192.0.2.9"), NOW.plus(60), name("alice"));
    let opened = signs_in(
        &mut test,
        "carol",
        &carol,
        &origin,
        TrustRequest::NotAsked,
        NOW,
    );
    let who = name("carol");
    let actor = Principal::Session(&who, &origin, opened.session.id);
    test.accounts()
        .unlock_account(&alice, actor, later)
        .unwrap();
    test.accounts()
        .issue_one_time_code(&alice, actor, later)
        .unwrap();
    assert!(
        test.accounts()
            .one_time_code_expiry(&alice, later)
            .unwrap()
            .is_some()
    );
    test.accounts()
        .cancel_one_time_code(&alice, actor, later)
        .unwrap();
    assert_eq!(
        test.accounts().one_time_code_expiry(&alice, later).unwrap(),
        None
    );
    test.accounts()
        .lower_floors_to_clock(&alice, actor, later)
        .unwrap();
    test.accounts()
        .disable_second_factor(&alice, actor, later)
        .unwrap();
    let filter = EventFilter {
        account: Some(alice.clone()),
        ..EventFilter::default()
    };
    let log = test.audit_log().newest_events(&filter, None, 5).unwrap();
    let newest: Vec<EventKind> = log.iter().map(|(_, event)| event.kind).collect();
    let acts = [
        EventKind::Unlocked,
        EventKind::OneTimeCodeIssued,
        EventKind::OneTimeCodeCancelled,
        EventKind::ClockUnlocked,
    ];
    assert_eq!(
        newest,
        [
            &[EventKind::Disabled][..],
            &acts.into_iter().rev().collect::<Vec<_>>()
        ]
        .concat()
    );
    for (_, event) in &log {
        assert_eq!(
            (
                event.principal.as_str(),
                event.origin.as_str(),
                event.service.as_str()
            ),
            ("carol", "192.0.2.9", "web")
        );
    }

    test.enrols("alice");
    test.sessions()
        .revoke_sessions(&who, None, "root", later)
        .unwrap();
    let stale = |done: Result<(), AdministrationError>| {
        assert!(matches!(done, Err(AdministrationError::Stale)))
    };
    stale(test.accounts().unlock_account(&alice, actor, later));
    stale(
        test.accounts()
            .lower_floors_to_clock(&alice, actor, later)
            .map(drop),
    );
    stale(
        test.accounts()
            .issue_one_time_code(&alice, actor, later)
            .map(drop),
    );
    stale(test.accounts().cancel_one_time_code(&alice, actor, later));
    stale(
        test.accounts()
            .disable_second_factor(&alice, actor, later)
            .map(drop),
    );
    assert_eq!(
        test.accounts().account_status(&alice).unwrap().state,
        SecondFactorState::On
    );
    assert_eq!(
        test.accounts().one_time_code_expiry(&alice, later).unwrap(),
        None
    );
}

/// No session, trusted browser or pending token of a person remains valid after a program turned
/// off the second factor.
#[test]
fn nothing_of_a_person_outlives_that_their_second_factor_is_turned_off_by_a_program() {
    let (mut test, app, _) = both();
    let (origin, alice) = (remote("192.0.2.7"), name("alice"));
    let opened = signs_in(&mut test, "alice", &app, &origin, TrustRequest::Asked, NOW);
    assert_eq!(
        test.sessions()
            .list_trusted_browsers(&alice, NOW)
            .unwrap()
            .len(),
        1
    );
    // a sign-in after the password and before the code
    let (later, of) = (NOW.plus(60), browser(&origin));
    let pending = test.login().enter_password(
        &of,
        &alice,
        Some(&password(PASSWORD)),
        &Input::Malformed,
        later,
    );
    let Ok(AfterPassword::Code(pass)) = pending else {
        panic!("no code is asked for")
    };

    let program = remote("198.51.100.1");
    test.accounts()
        .disable_second_factor(&alice, Principal::Program(&program), later)
        .unwrap();
    assert!(
        test.sessions()
            .list_sessions(&alice, later)
            .unwrap()
            .is_empty()
    );
    assert!(
        test.sessions()
            .list_trusted_browsers(&alice, later)
            .unwrap()
            .is_empty()
    );
    test.enrols("alice");
    let answer = Input::parse(code_at(&app, 0, later).as_bytes());
    let went_on = test
        .login()
        .enter_code(&of, &pass, &answer, TrustRequest::NotAsked, later)
        .unwrap();
    assert!(
        matches!(went_on, AfterCode::Refused(_)),
        "the pending sign-in is over"
    );
    let actor = Principal::Session(&alice, &origin, opened.session.id);
    assert!(matches!(
        test.accounts().unlock_account(&alice, actor, later),
        Err(AdministrationError::Stale)
    ));
    let filter = EventFilter {
        kind: Some(EventKind::Disabled),
        ..EventFilter::default()
    };
    let (_, event) = test
        .audit_log()
        .newest_events(&filter, None, 1)
        .unwrap()
        .remove(0);
    assert_eq!(
        (event.principal.as_str(), event.origin.as_str()),
        ("administration", "198.51.100.1")
    );
}

#[test]
fn only_whom_the_policy_names_administers_and_only_with_a_second_factor() {
    let (mut test, _, _) = both();
    let administers =
        |test: &mut TestStore, who: &str| test.policy().administrator_status(&name(who)).unwrap();
    assert_eq!(administers(&mut test, "carol"), AdministratorStatus::Yes);
    assert_eq!(administers(&mut test, "alice"), AdministratorStatus::No);
    assert_eq!(
        administers(&mut test, "nobody-of-that-name"),
        AdministratorStatus::No
    );
    test.disables("carol", "root", NOW);
    assert_eq!(
        administers(&mut test, "carol"),
        AdministratorStatus::OnceEnrolled
    );
}

#[test]
fn people_are_found_by_a_part_of_the_name_page_by_page() {
    let mut test = TestStore::new("");
    for who in ["Alice", "alina", "bob", "100%", "a_b", "malice"] {
        test.adds_account(who);
    }
    let mut found = |part: &str, after: Option<&str>, most| {
        let all = test
            .accounts()
            .find_accounts(part, after.map(name).as_ref(), most)
            .unwrap();
        all.into_iter()
            .map(|status| status.tally.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("ALI", None, 50), ["Alice", "alina", "malice"]);
    assert_eq!(found("ali", None, 2), ["Alice", "alina"]);
    assert_eq!(found("ali", Some("alina"), 2), ["malice"]);
    // characters with a meaning in SQL patterns match only themselves
    assert_eq!(
        (found("%", None, 50), found("_", None, 50)),
        (vec!["100%".to_owned()], vec!["a_b".to_owned()])
    );
    assert_eq!(found("", None, 50).len(), 6);
}

#[test]
fn events_are_read_from_the_newest_page_by_page() {
    let mut test = TestStore::new("");
    for who in ["a", "b", "c", "d", "e"] {
        test.adds_account(who);
    }
    let mut page = |before, limit| {
        test.audit_log()
            .newest_events(&EventFilter::default(), before, limit)
            .unwrap()
    };
    let first = page(None, 2);
    let second = page(Some(first[1].0), 2);
    let names = |page: &[(i64, postern_shared::account::event::AuditEvent)]| {
        page.iter()
            .map(|(_, event)| event.account.to_string())
            .collect::<Vec<_>>()
            .join("")
    };
    assert_eq!(
        (names(&first), names(&second)),
        ("ed".to_owned(), "cb".to_owned())
    );
    assert_eq!(names(&page(Some(second[1].0), 2)), "a");
}

#[test]
fn ten_wrong_secrets_of_an_address_shut_it_out_with_the_right_one_too() {
    let mut test = TestStore::new("");
    let (one, other) = (
        Address::parse("192.0.2.7").unwrap(),
        Address::parse("192.0.2.8").unwrap(),
    );
    let mut weigh = |address, shown, now| {
        test.accounts()
            .throttle_api_secret(address, shown, now)
            .unwrap()
    };
    for _ in 0..10 {
        assert_eq!(weigh(one, ShownSecret::Right, NOW), None);
        assert_eq!(weigh(one, ShownSecret::Wrong, NOW), None);
    }
    assert_eq!(weigh(one, ShownSecret::Wrong, NOW.plus(1)), Some(299));
    assert_eq!(weigh(one, ShownSecret::Right, NOW.plus(299)), Some(1));
    assert_eq!(weigh(other, ShownSecret::Right, NOW), None);
    assert_eq!(weigh(one, ShownSecret::Right, NOW.plus(300)), None);
    // the clock was set back
    assert_eq!(
        weigh(one, ShownSecret::Right, Timestamp(NOW.0 - 10_000)),
        None
    );
}
