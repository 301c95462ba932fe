//! Critical acts that a session opened: they end with it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;

use home::{Home, NOW, PASSWORD, accepted, alice_at_the_web, code_of, name, password, recovery, remote};
use shared::answer::Answer;
use shared::door::{
    Actor, AdministrationError, AfterCode, AfterPassword, AfterSetup, AfterSetupCode, Browser, Trust,
};
use shared::enrolment::Pending;
use shared::otpauth;
use shared::place::Origin;
use shared::session::Session;
use shared::ticket::{Leave, SetupTicket};
use shared::totp::{Step, code};

fn browser(origin: &Origin) -> Browser<'_> {
    Browser { origin, name: "Test", cookie: None, scope: "example.com", page: None, session: None }
}

/// Alice has lost the phone and comes in by a recovery code.
fn recovers(home: &mut Home, pending: &Pending) -> Session {
    let from = remote("192.0.2.7");
    let none = Answer::read(b"");
    let asked =
        home.door.enter_password(&browser(&from), &name("alice"), Some(&password(PASSWORD)), &none, NOW);
    let AfterPassword::Code { generation, .. } = asked.unwrap() else { panic!("no code is asked") };
    let answer = Answer::read(recovery(pending, 0).as_bytes());
    let entered =
        home.door.enter_code(&browser(&from), &name("alice"), generation, &answer, Trust::NotAsked, NOW);
    let AfterCode::Opened(opened) = entered.unwrap() else { panic!("not opened") };
    opened.session
}

/// A new authenticator in place of the lost one, up to where the recovery codes are saved.
fn replaces(home: &mut Home, session: &Session) -> (SetupTicket, String) {
    let leave = Leave::Replacement(session.id);
    let ticket =
        SetupTicket::begun(session.name.clone(), session.generation, leave, String::new(), NOW).unwrap();
    let shown = home.door.begin_web_setup(&ticket, NOW).unwrap().unwrap();
    let (secret, parameters) = otpauth::read(&shown.secret).unwrap();
    let shows = Answer::read(code(&secret, parameters, Step(NOW.0 / 30)).to_string().as_bytes());
    let confirmed = home.door.confirm_web_setup(&ticket, shown.draft, &shows, NOW).unwrap();
    let AfterSetupCode::Confirmed { confirmed, .. } = confirmed else { panic!("not confirmed") };
    (ticket, (*confirmed).to_owned())
}

/// Promise 3: what was begun in a session that was revoked is not finished, also where the rest of the account
/// goes on as it was.
#[test]
fn a_replacement_ends_with_the_session_it_was_begun_in() {
    let from = remote("192.0.2.7");
    for by in ["command", "sign-out", "nobody"] {
        let (mut home, pending) = alice_at_the_web("");
        let session = recovers(&mut home, &pending);
        let (ticket, confirmed) = replaces(&mut home, &session);
        match by {
            "command" => {
                home.another().revoke_sessions(&name("alice"), Some(session.id), "root", NOW).unwrap();
            }
            "sign-out" => home.another().sign_out(session.id).unwrap(),
            _ => {}
        }
        let after = home.door.finish_web_setup(&browser(&from), &ticket, &confirmed, NOW).unwrap();
        match by {
            "nobody" => assert!(matches!(after, AfterSetup::Opened(_)), "{by}"),
            _ => {
                assert!(matches!(after, AfterSetup::Over), "{by}");
                accepted(&home.attempt("alice", &code_of(&pending, 0), NOW));
            }
        }
    }
}

/// The same of an act that takes one step.
#[test]
fn the_second_factor_is_not_turned_off_from_a_session_that_ended() {
    let from = remote("192.0.2.7");
    let (mut home, pending) = alice_at_the_web("");
    let session = recovers(&mut home, &pending);
    home.another().sign_out(session.id).unwrap();
    let actor = Actor::Session(&session.name, &from, session.id);
    let off = home.door.disable(&name("alice"), actor, NOW);
    assert!(matches!(off, Err(AdministrationError::Stale)), "{off:?}");
    accepted(&home.attempt("alice", &code_of(&pending, 0), NOW));
}
