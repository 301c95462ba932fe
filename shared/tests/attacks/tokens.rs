//! Tokens and sessions that outlive what they came from.

use crate::home::{
    Home, NOW, PASSWORD, alice_at_the_web, browser, code_at, code_of, name, password, remote, signs_in,
};
use shared::answer::Answer;
use shared::clock::Timestamp;
use shared::door::{
    AdministrationError, AfterCode, AfterPassword, AfterSetup, AfterSetupCode, AfterStepUp, Browser, Caller,
    Page, Trust,
};
use shared::errand::{Errand, Judging, Question, Task};
use shared::guess::Stage;
use shared::name::Service;
use shared::otpauth;
use shared::place::Origin;
use shared::session::{Revoked, Session};
use shared::totp::{Step, code};

const HOUR: u64 = 3600;
const RULE: &str = "[[gate.rule]]\npaths = [\"/cheap\"]\nthen = \"password\"\n";

/// Bob, who has a password and no second factor, signs in.
fn bob_signs_in(home: &mut Home, from: &Origin) -> Session {
    home.door.set_password(&name("bob"), &password(PASSWORD), "root", NOW).unwrap();
    let entered = home.door.enter_password(
        &browser(from),
        &name("bob"),
        Some(&password(PASSWORD)),
        &Answer::Unfit,
        NOW,
    );
    let AfterPassword::Opened(opened) = entered.unwrap() else { panic!("not opened") };
    opened.session
}

/// What checks go by after a look at a time.
fn snapshot(home: &Home, now: Timestamp) -> Revoked {
    let mut revoked = None;
    let mut gate = home.another();
    gate.look(&[7; 16], None, now, |seen| revoked = Some(seen.revoked)).unwrap();
    gate.gate_ended(&[7; 16]).unwrap();
    revoked.unwrap()
}

/// An enrollment that was begun in a session made whoever held its token the account's owner after all sessions were revoked.
#[test]
fn an_enrollment_token_dies_with_its_session() {
    let from = remote("192.0.2.7");
    for all in [true, false] {
        let mut home = Home::new("");
        let session = bob_signs_in(&mut home, &from);
        let given = password(PASSWORD);
        let proof = home.door.step_up(&browser(&from), &session, Some(&given), &Answer::Unfit, NOW);
        let AfterStepUp::Proven(proof) = proof.unwrap() else { panic!("not proven") };
        let ticket = home.door.turn_on(&session, &proof, &from, NOW).unwrap().unwrap();
        let one = (!all).then_some(session.id);
        home.another().revoke_sessions(&name("bob"), one, "root", NOW).unwrap();
        let Some(shown) = home.door.begin_web_setup(&ticket, NOW).unwrap() else { continue };
        let (secret, parameters) = otpauth::read(&shown.secret).unwrap();
        let shows = Answer::read(code(&secret, parameters, Step(NOW.0 / 30)).to_string().as_bytes());
        let confirmed = home.door.confirm_web_setup(&ticket, shown.draft, &shows, NOW).unwrap();
        let AfterSetupCode::Confirmed { confirmed, .. } = confirmed else { continue };
        let after = home.door.finish_web_setup(&browser(&from), &ticket, &confirmed, NOW).unwrap();
        assert!(matches!(after, AfterSetup::Over), "the thief's phone is bob's second factor, all: {all}");
    }
}

/// From a password-only session to the code page; all sessions revoked; the code opened a new full session.
#[test]
fn a_login_token_of_an_upgrade_dies_with_its_session() {
    let from = remote("192.0.2.7");
    for all in [true, false] {
        let (mut home, app) = alice_at_the_web(RULE);
        let cheap =
            Browser { page: Some(Page { host: "app.example.com", target: "/cheap" }), ..browser(&from) };
        let entered =
            home.door.enter_password(&cheap, &name("alice"), Some(&password(PASSWORD)), &Answer::Unfit, NOW);
        let AfterPassword::Opened(opened) = entered.unwrap() else { panic!("not opened") };
        let session = opened.session;
        let Some(AfterPassword::Code(pass)) = home.door.rise(&browser(&from), &session, NOW).unwrap() else {
            panic!("no code is asked")
        };
        let one = (!all).then_some(session.id);
        home.another().revoke_sessions(&name("alice"), one, "root", NOW).unwrap();
        let answer = Answer::read(code_of(&app, 0).as_bytes());
        let after = home.door.enter_code(&browser(&from), &pass, &answer, Trust::NotAsked, NOW);
        assert!(matches!(after.unwrap(), AfterCode::Refused(_)), "a new full session, all: {all}");
    }
}

/// A sign-in at a clock that ran ahead forgot which sessions were revoked; back in time their cookies were good again.
#[test]
fn a_revoked_session_stays_revoked_when_the_clock_ran_ahead_and_came_back() {
    for ahead in [13 * HOUR, 40 * 24 * HOUR, 400 * 24 * HOUR] {
        let from = remote("192.0.2.7");
        let (mut home, app) = alice_at_the_web("");
        let session = signs_in(&mut home, &from, &code_of(&app, 0), NOW);
        home.door.sign_out(session.id).unwrap();
        let then = NOW.plus(ahead);
        let other = signs_in(&mut home, &from, &code_at(&app, 0, then), then);
        home.door.sign_out(other.id).unwrap();
        snapshot(&home, then);
        assert!(snapshot(&home, NOW.plus(60)).covers(&session), "{ahead}");
    }
}

/// The same of all sessions, which a new password had ended.
#[test]
fn a_raised_generation_stays_raised_when_the_clock_ran_ahead_and_came_back() {
    for ahead in [13 * HOUR, 40 * 24 * HOUR, 400 * 24 * HOUR] {
        let from = remote("192.0.2.7");
        let (mut home, app) = alice_at_the_web("");
        let session = signs_in(&mut home, &from, &code_of(&app, 0), NOW);
        home.door.set_password(&name("alice"), &password(PASSWORD), "root", NOW).unwrap();
        let then = NOW.plus(ahead);
        let other = signs_in(&mut home, &from, &code_at(&app, 0, then), then);
        home.door.sign_out(other.id).unwrap();
        // what a gate goes by until the next revocation, whatever its clock says
        assert!(snapshot(&home, then).covers(&session), "{ahead}");
        assert!(snapshot(&home, NOW.plus(60)).covers(&session), "{ahead}");
    }
}

/// One line of JSON on pam.sock ended somebody's sessions and app passwords.
#[test]
fn a_process_of_the_users_own_says_no_password_changed() {
    let mut home = Home::new("");
    let session = bob_signs_in(&mut home, &remote("192.0.2.7"));
    let bob = name("bob");
    let judging = Judging {
        service: Service::named(b"passwd"),
        origin: Origin::Unknown,
        stage: Stage::After,
        earlier: Default::default(),
        question: Question::PasswordChanged,
    };
    let errand = Errand { account: bob.clone(), task: Task::Judge(judging) };
    let after = home.door.run_errand(Caller::Owner { name: &bob, uid: 1000 }, &errand, NOW);
    assert!(matches!(after, Err(AdministrationError::NotTrusted(_))), "{after:?}");
    let left = home.door.sessions(&bob, NOW).unwrap();
    assert_eq!(left.iter().map(|kept| kept.id).collect::<Vec<_>>(), [session.id]);
}

/// Whoever copied the value of a trusted browser kept the session that it opened after the theft was seen.
#[test]
fn sessions_that_a_stolen_trusted_browser_began_end_when_the_theft_is_seen() {
    let from = remote("192.0.2.7");
    let (mut home, app) = alice_at_the_web("");
    let enters = |home: &mut Home, cookie: Option<&str>| {
        let browser = Browser { cookie, ..browser(&from) };
        home.door
            .enter_password(&browser, &name("alice"), Some(&password(PASSWORD)), &Answer::Unfit, NOW)
            .unwrap()
    };
    let AfterPassword::Code(pass) = enters(&mut home, None) else { panic!("no code is asked") };
    let answer = Answer::read(code_of(&app, 0).as_bytes());
    let entered = home.door.enter_code(&browser(&from), &pass, &answer, Trust::Asked, NOW);
    let AfterCode::Opened(owner) = entered.unwrap() else { panic!("not opened") };
    let stolen = owner.browser_cookie.as_ref().unwrap().to_string();
    let AfterPassword::Opened(thief) = enters(&mut home, Some(&stolen)) else { panic!("a code is asked") };
    let next = thief.browser_cookie.as_ref().unwrap().to_string();
    let AfterPassword::Opened(again) = enters(&mut home, Some(&next)) else { panic!("a code is asked") };
    // the owner comes with the value that the thief had used before
    assert!(matches!(enters(&mut home, Some(&stolen)), AfterPassword::Code(_)));
    for session in [&owner.session, &thief.session, &again.session] {
        assert!(snapshot(&home, NOW).covers(session), "a session of the thief's goes on");
    }
    assert!(home.door.sessions(&name("alice"), NOW).unwrap().is_empty());
}
