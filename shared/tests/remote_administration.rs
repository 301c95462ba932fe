//! Administration without root's command: by an administrator in a session, and by a program with
//! the administration secret.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;

use home::{Home, NOW, PASSWORD, alice_at_the_web, code_at, name, password, remote};
use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AdministrationError, AdministratorStatus, AfterCode, AfterPassword, BrowserContext,
    OpenedSession, Principal, ShownSecret, TrustRequest,
};
use postern_shared::network::address::Address;
use postern_shared::protocol::status::SecondFactorState;
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::origin::Origin;

/// Returns a browser at an address, without cookies.
fn browser(origin: &Origin) -> BrowserContext<'_> {
    BrowserContext {
        name: "Firefox",
        scope: "example.test",
        ..home::browser(origin)
    }
}

/// Signs a person in at the web.
#[track_caller]
fn signs_in(
    home: &mut Home,
    who: &str,
    app: &PendingEnrollment,
    origin: &Origin,
    trust: TrustRequest,
    now: Timestamp,
) -> OpenedSession {
    let (of, name) = (browser(origin), name(who));
    let after = home
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
    match home
        .login()
        .enter_code(&of, &pass, &answer, trust, now)
        .unwrap()
    {
        AfterCode::Opened(opened) => *opened,
        AfterCode::Refused(refusal) => panic!("{refusal:?}"),
    }
}

/// Signs alice and the administrator carol in at the web.
fn both() -> (Home, PendingEnrollment, PendingEnrollment) {
    let (mut home, alice) = alice_at_the_web("[policy]\nadministrators = [\"carol\"]\n");
    let carol = home.enrols("carol");
    home.sets_password("carol");
    (home, alice, carol)
}

#[test]
fn every_act_of_a_session_ends_with_it_and_is_logged_under_its_name() {
    let (mut home, _, carol) = both();
    let (origin, later, alice) = (remote("192.0.2.9"), NOW.plus(60), name("alice"));
    let opened = signs_in(
        &mut home,
        "carol",
        &carol,
        &origin,
        TrustRequest::NotAsked,
        NOW,
    );
    let who = name("carol");
    let actor = Principal::Session(&who, &origin, opened.session.id);
    home.accounts()
        .unlock_account(&alice, actor, later)
        .unwrap();
    home.accounts()
        .issue_one_time_code(&alice, actor, later)
        .unwrap();
    assert!(
        home.accounts()
            .one_time_code_expiry(&alice, later)
            .unwrap()
            .is_some()
    );
    home.accounts()
        .cancel_one_time_code(&alice, actor, later)
        .unwrap();
    assert_eq!(
        home.accounts().one_time_code_expiry(&alice, later).unwrap(),
        None
    );
    home.accounts()
        .lower_floors_to_clock(&alice, actor, later)
        .unwrap();
    home.accounts()
        .disable_second_factor(&alice, actor, later)
        .unwrap();
    let filter = EventFilter {
        account: Some(alice.clone()),
        ..EventFilter::default()
    };
    let log = home.audit_log().newest_events(&filter, None, 5).unwrap();
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

    home.enrols("alice");
    home.sessions()
        .revoke_sessions(&who, None, "root", later)
        .unwrap();
    let stale = |done: Result<(), AdministrationError>| {
        assert!(matches!(done, Err(AdministrationError::Stale)))
    };
    stale(home.accounts().unlock_account(&alice, actor, later));
    stale(
        home.accounts()
            .lower_floors_to_clock(&alice, actor, later)
            .map(drop),
    );
    stale(
        home.accounts()
            .issue_one_time_code(&alice, actor, later)
            .map(drop),
    );
    stale(home.accounts().cancel_one_time_code(&alice, actor, later));
    stale(
        home.accounts()
            .disable_second_factor(&alice, actor, later)
            .map(drop),
    );
    assert_eq!(
        home.accounts().account_status(&alice).unwrap().state,
        SecondFactorState::On
    );
    assert_eq!(
        home.accounts().one_time_code_expiry(&alice, later).unwrap(),
        None
    );
}

/// No session, trusted browser or pending token of a person remains valid after a program turned
/// off the second factor.
#[test]
fn nothing_of_a_person_outlives_that_their_second_factor_is_turned_off_by_a_program() {
    let (mut home, app, _) = both();
    let (origin, alice) = (remote("192.0.2.7"), name("alice"));
    let opened = signs_in(&mut home, "alice", &app, &origin, TrustRequest::Asked, NOW);
    assert_eq!(
        home.sessions()
            .list_trusted_browsers(&alice, NOW)
            .unwrap()
            .len(),
        1
    );
    // a sign-in after the password and before the code
    let (later, of) = (NOW.plus(60), browser(&origin));
    let pending = home.login().enter_password(
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
    home.accounts()
        .disable_second_factor(&alice, Principal::Program(&program), later)
        .unwrap();
    assert!(
        home.sessions()
            .list_sessions(&alice, later)
            .unwrap()
            .is_empty()
    );
    assert!(
        home.sessions()
            .list_trusted_browsers(&alice, later)
            .unwrap()
            .is_empty()
    );
    home.enrols("alice");
    let answer = Input::parse(code_at(&app, 0, later).as_bytes());
    let went_on = home
        .login()
        .enter_code(&of, &pass, &answer, TrustRequest::NotAsked, later)
        .unwrap();
    assert!(
        matches!(went_on, AfterCode::Refused(_)),
        "the pending sign-in is over"
    );
    let actor = Principal::Session(&alice, &origin, opened.session.id);
    assert!(matches!(
        home.accounts().unlock_account(&alice, actor, later),
        Err(AdministrationError::Stale)
    ));
    let filter = EventFilter {
        kind: Some(EventKind::Disabled),
        ..EventFilter::default()
    };
    let (_, event) = home
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
    let (mut home, _, _) = both();
    let administers =
        |home: &mut Home, who: &str| home.policy().administrator_status(&name(who)).unwrap();
    assert_eq!(administers(&mut home, "carol"), AdministratorStatus::Yes);
    assert_eq!(administers(&mut home, "alice"), AdministratorStatus::No);
    assert_eq!(
        administers(&mut home, "nobody-of-that-name"),
        AdministratorStatus::No
    );
    home.disables("carol", "root", NOW);
    assert_eq!(
        administers(&mut home, "carol"),
        AdministratorStatus::OnceEnrolled
    );
}

#[test]
fn people_are_found_by_a_part_of_the_name_page_by_page() {
    let mut home = Home::new("");
    for who in ["Alice", "alina", "bob", "100%", "a_b", "malice"] {
        home.adds_account(who);
    }
    let mut found = |part: &str, after: Option<&str>, most| {
        let all = home
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
    let mut home = Home::new("");
    for who in ["a", "b", "c", "d", "e"] {
        home.adds_account(who);
    }
    let mut page = |before, limit| {
        home.audit_log()
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
    let mut home = Home::new("");
    let (one, other) = (
        Address::parse("192.0.2.7").unwrap(),
        Address::parse("192.0.2.8").unwrap(),
    );
    let mut weigh = |address, shown, now| {
        home.accounts()
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
