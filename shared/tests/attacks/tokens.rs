//! Tokens and sessions that remain valid after what they depend on has ended.

use crate::home::{
    Home, NOW, PASSWORD, alice_at_the_web, browser, browser_with, code_at, code_of, name, password,
    remote, signs_in,
};
use postern_shared::account::name::{Distinct, Service};
use postern_shared::config::Config;
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::credential::input::Input;
use postern_shared::credential::otpauth_uri;
use postern_shared::credential::totp::{Step, generate_code};
use postern_shared::engine::{
    AdministrationError, AfterCode, AfterEnrollment, AfterEnrollmentCode, AfterPassword,
    AfterStepUp, BrowserContext, Engine, KnownRevisions, PamContext, Principal, PromptEnrollment,
    RequestedPage, Requester, TrustRequest,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::process::HostProcess;
use postern_shared::token::LoginToken;
use postern_shared::token::session::{RevokedSessions, Session};
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;

const HOUR: u64 = 3600;
const RULE: &str = "[[gate.rule]]\npaths = [\"/cheap\"]\nthen = \"password\"\n";

/// Signs in bob, who has a password and no second factor.
fn bob_signs_in(home: &mut Home, from: &Origin) -> Session {
    home.sets_password("bob");
    let entered = home.login().enter_password(
        &browser(from),
        &name("bob"),
        Some(&password(PASSWORD)),
        &Input::Malformed,
        NOW,
    );
    let AfterPassword::Opened(opened) = entered.unwrap() else {
        panic!("not opened")
    };
    opened.session
}

/// Returns what forward-auth checks use after one read of the store.
fn snapshot(home: &Home, now: Timestamp) -> RevokedSessions {
    let mut revoked = None;
    let mut gate = home.another();
    gate.sessions()
        .update_revocations(&[7; 16], None, now, |seen| revoked = Some(seen.revoked))
        .unwrap();
    gate.sessions().remove_gate(&[7; 16]).unwrap();
    revoked.unwrap()
}

/// The fault: after all sessions were revoked, the token of an enrollment begun in one of them
/// still activated the authenticator of its holder.
#[test]
fn an_enrollment_token_dies_with_its_session() {
    let from = remote("192.0.2.7");
    for all in [true, false] {
        let mut home = Home::new("");
        let session = bob_signs_in(&mut home, &from);
        let given = password(PASSWORD);
        let proof = home.login().step_up(
            &browser(&from),
            &session,
            Some(&given),
            &Input::Malformed,
            NOW,
        );
        let AfterStepUp::Verified(proof) = proof.unwrap() else {
            panic!("not proven")
        };
        let ticket = home
            .enrollment()
            .issue_first_enrollment_token(&session, &proof, &from, NOW)
            .unwrap()
            .unwrap();
        let one = (!all).then_some(session.id);
        home.another()
            .sessions()
            .revoke_sessions(&name("bob"), one, "root", NOW)
            .unwrap();
        let Some(shown) = home
            .enrollment()
            .begin_web_enrollment(&ticket, NOW)
            .unwrap()
        else {
            continue;
        };
        let (secret, parameters) = otpauth_uri::parse_declared_secret(&shown.secret).unwrap();
        let shows = Input::parse(
            generate_code(&secret, parameters, Step(NOW.0 / 30))
                .to_string()
                .as_bytes(),
        );
        let confirmed = home
            .enrollment()
            .confirm_web_enrollment(&ticket, shown.draft, &shows, NOW)
            .unwrap();
        let AfterEnrollmentCode::Confirmed { confirmed, .. } = confirmed else {
            continue;
        };
        let after = home
            .enrollment()
            .finish_web_enrollment(&browser(&from), &ticket, &confirmed, NOW)
            .unwrap();
        assert!(
            matches!(after, AfterEnrollment::Over),
            "the thief's phone is bob's second factor, all: {all}"
        );
    }
}

/// The fault: a password session began an upgrade, all sessions were revoked, and the code still
/// opened a new full session.
#[test]
fn a_login_token_of_an_upgrade_dies_with_its_session() {
    let from = remote("192.0.2.7");
    for all in [true, false] {
        let (mut home, app) = alice_at_the_web(RULE);
        let cheap = BrowserContext {
            page: Some(RequestedPage {
                host: "app.example.com",
                target: "/cheap",
            }),
            ..browser(&from)
        };
        let entered = home.login().enter_password(
            &cheap,
            &name("alice"),
            Some(&password(PASSWORD)),
            &Input::Malformed,
            NOW,
        );
        let AfterPassword::Opened(opened) = entered.unwrap() else {
            panic!("not opened")
        };
        let session = opened.session;
        let Some(AfterPassword::Code(pass)) = home
            .login()
            .upgrade_session(&browser(&from), &session, NOW)
            .unwrap()
        else {
            panic!("no code is asked")
        };
        let one = (!all).then_some(session.id);
        home.another()
            .sessions()
            .revoke_sessions(&name("alice"), one, "root", NOW)
            .unwrap();
        let answer = Input::parse(code_of(&app, 0).as_bytes());
        let after =
            home.login()
                .enter_code(&browser(&from), &pass, &answer, TrustRequest::NotAsked, NOW);
        assert!(
            matches!(after.unwrap(), AfterCode::Refused(_)),
            "a new full session, all: {all}"
        );
    }
}

/// The fault: a sign-in while the clock was ahead removed the records of revoked sessions, whose
/// cookies were valid again once the clock was right.
#[test]
fn a_revoked_session_stays_revoked_when_the_clock_ran_ahead_and_came_back() {
    for ahead in [13 * HOUR, 40 * 24 * HOUR, 400 * 24 * HOUR] {
        let from = remote("192.0.2.7");
        let (mut home, app) = alice_at_the_web("");
        let session = signs_in(&mut home, &from, &code_of(&app, 0), NOW);
        home.sessions().sign_out(session.id).unwrap();
        let then = NOW.plus(ahead);
        let other = signs_in(&mut home, &from, &code_at(&app, 0, then), then);
        home.sessions().sign_out(other.id).unwrap();
        snapshot(&home, then);
        assert!(snapshot(&home, NOW.plus(60)).covers(&session), "{ahead}");
    }
}

/// The same fault for all sessions of an account, which a new password had ended.
#[test]
fn a_raised_generation_stays_raised_when_the_clock_ran_ahead_and_came_back() {
    for ahead in [13 * HOUR, 40 * 24 * HOUR, 400 * 24 * HOUR] {
        let from = remote("192.0.2.7");
        let (mut home, app) = alice_at_the_web("");
        let session = signs_in(&mut home, &from, &code_of(&app, 0), NOW);
        home.sets_password("alice");
        let then = NOW.plus(ahead);
        let other = signs_in(&mut home, &from, &code_at(&app, 0, then), then);
        home.sessions().sign_out(other.id).unwrap();
        // a gate uses this until the next revocation, whatever its clock shows
        assert!(snapshot(&home, then).covers(&session), "{ahead}");
        assert!(snapshot(&home, NOW.plus(60)).covers(&session), "{ahead}");
    }
}

/// The fault: one line of JSON on pam.sock, from any process of the user, ended that user's
/// sessions and app passwords.
#[test]
fn a_process_of_the_users_own_says_no_password_changed() {
    let mut home = Home::new("");
    let session = bob_signs_in(&mut home, &remote("192.0.2.7"));
    let bob = name("bob");
    let context = PamContext {
        requester: Requester::Owner {
            name: &bob,
            uid: 1000,
        },
        service: &Service::from_pam(b"passwd"),
        user: &bob,
        account: &bob,
        process: &HostProcess::find(1),
        origin: &Origin::Unknown,
        phase: Phase::After,
        completed_methods: &CompletedMethods::default(),
    };
    let after = home.verification().end_for_changed_password(context, NOW);
    assert!(
        matches!(after, Err(AdministrationError::MayNotReportPassword(_))),
        "{after:?}"
    );
    let left = home.sessions().list_sessions(&bob, NOW).unwrap();
    assert_eq!(
        left.iter().map(|kept| kept.id).collect::<Vec<_>>(),
        [session.id]
    );
}

/// The fault: a thief who copied the cookie of a trusted browser kept the session that it opened,
/// after the theft was detected.
#[test]
fn sessions_that_a_stolen_trusted_browser_began_end_when_the_theft_is_seen() {
    let from = remote("192.0.2.7");
    let (mut home, app) = alice_at_the_web("");
    let enters = |home: &mut Home, cookie: Option<&str>| {
        let browser = browser_with(&from, cookie);
        home.login()
            .enter_password(
                &browser,
                &name("alice"),
                Some(&password(PASSWORD)),
                &Input::Malformed,
                NOW,
            )
            .unwrap()
    };
    let AfterPassword::Code(pass) = enters(&mut home, None) else {
        panic!("no code is asked")
    };
    let answer = Input::parse(code_of(&app, 0).as_bytes());
    let entered =
        home.login()
            .enter_code(&browser(&from), &pass, &answer, TrustRequest::Asked, NOW);
    let AfterCode::Opened(owner) = entered.unwrap() else {
        panic!("not opened")
    };
    let stolen = owner.browser_cookie.as_ref().unwrap().to_string();
    let AfterPassword::Opened(thief) = enters(&mut home, Some(&stolen)) else {
        panic!("a code is asked")
    };
    let next = thief.browser_cookie.as_ref().unwrap().to_string();
    let AfterPassword::Opened(again) = enters(&mut home, Some(&next)) else {
        panic!("a code is asked")
    };
    // the owner's browser sends the value that the thief has already used
    assert!(matches!(
        enters(&mut home, Some(&stolen)),
        AfterPassword::Code(_)
    ));
    for session in [&owner.session, &thief.session, &again.session] {
        assert!(
            snapshot(&home, NOW).covers(session),
            "a session of the thief's goes on"
        );
    }
    assert!(home.sessions_of("alice", NOW).is_empty());
}

/// The fault: while the clock was ahead, the record of a used login token was removed, and the
/// token was valid again once the clock was right.
#[test]
fn a_login_token_that_was_used_stays_so_when_the_clock_ran_ahead_and_came_back() {
    let from = remote("192.0.2.7");
    let (mut home, app) = alice_at_the_web("");
    let asks = |home: &mut Home, now| {
        let given = password(PASSWORD);
        let after = home.login().enter_password(
            &browser(&from),
            &name("alice"),
            Some(&given),
            &Input::Malformed,
            now,
        );
        let AfterPassword::Code(token) = after.unwrap() else {
            panic!("no code is asked")
        };
        token
    };
    let enters = |home: &mut Home, token: &LoginToken, typed: &str, now| {
        let answer = Input::parse(typed.as_bytes());
        home.login()
            .enter_code(&browser(&from), token, &answer, TrustRequest::NotAsked, now)
            .unwrap()
    };
    let token = asks(&mut home, NOW);
    assert!(matches!(
        enters(&mut home, &token, &code_of(&app, 0), NOW),
        AfterCode::Opened(_)
    ));
    let then = NOW.plus(13 * HOUR);
    let other = asks(&mut home, then);
    assert!(matches!(
        enters(&mut home, &other, "000000", then),
        AfterCode::Refused(_)
    ));
    let back = NOW.plus(30);
    let again = enters(&mut home, &token, &code_at(&app, 0, back), back);
    assert!(matches!(again, AfterCode::Refused(Refusal::Expired)));
}

/// The fault: while the clock was ahead, a session seemed to have expired. It was not listed and
/// could not be revoked, but was valid again later.
#[test]
fn a_session_that_is_good_when_the_clock_is_right_again_is_listed_and_can_be_revoked() {
    let from = remote("192.0.2.7");
    let (mut home, app) = alice_at_the_web("");
    let session = signs_in(&mut home, &from, &code_of(&app, 0), NOW);
    let listed = |home: &mut Home, now| {
        home.sessions_of("alice", now)
            .iter()
            .any(|kept| kept.id == session.id)
    };
    let then = NOW.plus(13 * HOUR);
    signs_in(&mut home, &from, &code_at(&app, 0, then), then);
    assert!(!listed(&mut home, then) && listed(&mut home, NOW.plus(60)));
    assert_eq!(
        home.sessions()
            .revoke_sessions(&name("alice"), Some(session.id), "root", then)
            .unwrap(),
        1
    );
    assert!(snapshot(&home, NOW.plus(60)).covers(&session));
}

/// A gate that reads only changes knows the same revocations as a gate that has just started.
#[test]
fn a_gate_that_looks_again_and_again_knows_every_revocation() {
    let from = remote("192.0.2.7");
    let (mut home, app) = alice_at_the_web("");
    let mut gate = home.another();
    let (mut known, mut by) = (RevokedSessions::default(), None);
    let mut look = |by: &mut Option<KnownRevisions>, known: &mut RevokedSessions, now| {
        let looked = gate
            .sessions()
            .update_revocations(&[9; 16], *by, now, |seen| {
                *known = known.merge(seen.revoked);
                *by = Some(KnownRevisions {
                    revision: known.revision,
                    app_passwords: 0,
                });
            });
        looked.unwrap();
        // so that no revocation waits for this gate
        gate.sessions().remove_gate(&[9; 16]).unwrap();
    };
    let mut ended = Vec::new();
    for day in 0..40 {
        let now = NOW.plus(day * 86_400);
        let session = signs_in(&mut home, &from, &code_at(&app, 0, now), now);
        match day % 3 {
            0 => home.sessions().sign_out(session.id).unwrap(),
            1 => drop(
                home.sessions()
                    .revoke_sessions(&name("alice"), None, "root", now)
                    .unwrap(),
            ),
            _ => drop(
                home.accounts()
                    .set_password(&name("alice"), &password(PASSWORD), "root", now)
                    .unwrap(),
            ),
        }
        ended.push(session);
        look(&mut by, &mut known, now);
        let fresh = snapshot(&home, now);
        for session in &ended {
            assert!(known.covers(session) && fresh.covers(session), "day {day}");
        }
    }
    let kept: i64 = home
        .sqlite()
        .query_row("SELECT count(*) FROM revoked_session", [], |row| row.get(0))
        .unwrap();
    assert!(
        kept < 14,
        "what no session can be good for is forgotten: {kept}"
    );
    let last = NOW.plus(40 * 86_400);
    let session = signs_in(&mut home, &from, &code_at(&app, 0, last), last);
    look(&mut by, &mut known, last);
    assert!(!known.covers(&session) && !snapshot(&home, last).covers(&session));
}

/// The fault: `postern browser revoke` kept the sessions that the trusted browser had opened.
#[test]
fn sessions_that_the_trust_in_a_browser_opened_end_with_the_trust() {
    let from = remote("192.0.2.7");
    let (mut home, app) = alice_at_the_web("");
    let given = password(PASSWORD);
    let enters = |home: &mut Home, cookie: Option<&str>| {
        let browser = browser_with(&from, cookie);
        home.login()
            .enter_password(
                &browser,
                &name("alice"),
                Some(&given),
                &Input::Malformed,
                NOW,
            )
            .unwrap()
    };
    let AfterPassword::Code(token) = enters(&mut home, None) else {
        panic!("no code is asked")
    };
    let answer = Input::parse(code_of(&app, 0).as_bytes());
    let entered =
        home.login()
            .enter_code(&browser(&from), &token, &answer, TrustRequest::Asked, NOW);
    let AfterCode::Opened(by_code) = entered.unwrap() else {
        panic!("not opened")
    };
    let AfterPassword::Opened(by_trust) = enters(
        &mut home,
        by_code.browser_cookie.as_ref().map(|c| c.as_str()),
    ) else {
        panic!("a code is asked")
    };
    home.sessions()
        .revoke_browsers(&name("alice"), None, "root", NOW)
        .unwrap();
    let revoked = snapshot(&home, NOW);
    assert!(revoked.covers(&by_trust.session) && !revoked.covers(&by_code.session));
}

/// The fault: one tab signed out while another changed the password, and the session that was to
/// continue was opened all the same.
#[test]
fn a_session_that_was_signed_out_while_an_act_ended_all_does_not_go_on() {
    let from = remote("192.0.2.7");
    for signs_out in [false, true] {
        let (mut home, app) = alice_at_the_web("");
        let session = signs_in(&mut home, &from, &code_of(&app, 0), NOW);
        home.accounts()
            .set_password(&name("alice"), &password(PASSWORD), "alice", NOW)
            .unwrap();
        if signs_out {
            home.another().sessions().sign_out(session.id).unwrap();
        }
        let after = home
            .login()
            .reopen_session(&browser(&from), &session, NOW)
            .unwrap();
        assert_eq!(after.is_none(), signs_out);
        if let Some(opened) = after {
            assert_eq!(
                (opened.session.passed, opened.session.expires),
                (session.passed, session.expires)
            );
        }
    }
}

/// A login token of an upgrade opens a session that expires no later than the session it was issued
/// in.
#[test]
fn what_a_token_of_a_session_opens_lasts_no_longer_than_the_session_under_another_setting_too() {
    let from = remote("192.0.2.7");
    let (mut home, app) = alice_at_the_web(&format!("{RULE}[gate]\nsession_lifetime = \"5m\"\n"));
    let cheap = BrowserContext {
        page: Some(RequestedPage {
            host: "app.example.com",
            target: "/cheap",
        }),
        ..browser(&from)
    };
    let given = password(PASSWORD);
    let entered =
        home.login()
            .enter_password(&cheap, &name("alice"), Some(&given), &Input::Malformed, NOW);
    let AfterPassword::Opened(opened) = entered.unwrap() else {
        panic!("not opened")
    };
    let mut config = home.config.clone();
    config.gate.session_lifetime = toml::from_str::<Config>("[gate]\nsession_lifetime = \"12h\"")
        .unwrap()
        .gate
        .session_lifetime;
    let mut door = Engine::open(config).unwrap();
    let later = NOW.plus(120);
    let Some(AfterPassword::Code(token)) = door
        .login()
        .upgrade_session(&browser(&from), &opened.session, later)
        .unwrap()
    else {
        panic!("no code is asked")
    };
    let answer = Input::parse(code_at(&app, 0, later).as_bytes());
    let after = door
        .login()
        .enter_code(
            &browser(&from),
            &token,
            &answer,
            TrustRequest::NotAsked,
            later,
        )
        .unwrap();
    let AfterCode::Opened(raised) = after else {
        panic!("not opened")
    };
    assert_eq!(raised.session.expires, opened.session.expires);
    let late = NOW.plus(300);
    let answer = Input::parse(code_at(&app, 0, late).as_bytes());
    let over = door
        .login()
        .enter_code(
            &browser(&from),
            &token,
            &answer,
            TrustRequest::NotAsked,
            late,
        )
        .unwrap();
    assert!(matches!(over, AfterCode::Refused(Refusal::Expired)));
}

/// The fault: during an act of a session its account was removed and another of the same name was
/// added, and the session continued in the new account.
#[test]
fn no_session_goes_on_in_another_account_of_the_same_name() {
    let from = remote("192.0.2.7");
    let mut home = Home::new("");
    let session = bob_signs_in(&mut home, &from);
    let bob = name("bob");
    home.accounts()
        .set_password(&bob, &password(PASSWORD), "bob", NOW)
        .unwrap();
    let mut root = home.another();
    root.accounts().remove_account(&bob, "root", NOW).unwrap();
    root.accounts()
        .add_account(&bob, Distinct::No, "root", NOW)
        .unwrap();
    for _ in 0..=session.generation {
        root.accounts()
            .set_password(&bob, &password("another's password"), "root", NOW)
            .unwrap();
    }
    assert!(
        home.login()
            .reopen_session(&browser(&from), &session, NOW)
            .unwrap()
            .is_none()
    );
}

/// The fault: while the clock was ahead, a browser was trusted until a time that is far in the
/// future once the clock is right.
#[test]
fn trust_that_a_clock_ahead_gave_is_none_once_it_is_right_again() {
    let from = remote("192.0.2.7");
    let (mut home, app) = alice_at_the_web("");
    let given = password(PASSWORD);
    let enters = |home: &mut Home, cookie: Option<&str>, now| {
        let browser = browser_with(&from, cookie);
        home.login()
            .enter_password(
                &browser,
                &name("alice"),
                Some(&given),
                &Input::Malformed,
                now,
            )
            .unwrap()
    };
    for ahead in [0, 60, HOUR, 400 * 24 * HOUR] {
        let then = NOW.plus(ahead);
        let AfterPassword::Code(token) = enters(&mut home, None, then) else {
            panic!("no code is asked")
        };
        let answer = Input::parse(code_at(&app, 0, then).as_bytes());
        let entered = home
            .login()
            .enter_code(&browser(&from), &token, &answer, TrustRequest::Asked, then)
            .unwrap();
        let AfterCode::Opened(opened) = entered else {
            panic!("not opened")
        };
        let cookie = opened.browser_cookie.as_ref().map(|cookie| cookie.as_str());
        let is_trusted = matches!(enters(&mut home, cookie, NOW), AfterPassword::Opened(_));
        assert_eq!(is_trusted, ahead <= 60, "{ahead}");
    }
}

/// The fault: during a first enrollment at a prompt all sessions were revoked while the gates were
/// informed, and the prompt still granted access and began a grace period.
#[test]
fn a_setup_at_a_prompt_lets_nobody_in_whom_a_revocation_ended_meanwhile() {
    let mut home = Home::new("");
    let (service, bob) = (Service::from_pam(b"sshd"), name("bob"));
    let (process, origin) = (HostProcess::find(1), remote("192.0.2.7"));
    let completed_methods = CompletedMethods::default();
    let context = PamContext {
        requester: Requester::Root("root"),
        service: &service,
        user: &bob,
        account: &bob,
        process: &process,
        origin: &origin,
        phase: Phase::After,
        completed_methods: &completed_methods,
    };
    let begun = home
        .enrollment()
        .begin_prompt_enrollment(context, None, NOW);
    let PromptEnrollment::Begun(shown) = begun.unwrap() else {
        panic!("no enrollment")
    };
    let (secret, parameters) = otpauth_uri::parse_declared_secret(&shown.secret).unwrap();
    let code = generate_code(&secret, parameters, Step(NOW.0 / 30)).to_string();
    let confirmed = home
        .enrollment()
        .confirm_prompt_enrollment(context, &shown.token, &code, NOW);
    let token = confirmed.unwrap().unwrap();
    // A gate that confirms late: the prompt reports nothing before the gate knows what the
    // enrollment ended.
    let mut gate = home.another();
    gate.sessions()
        .update_revocations(&[7; 16], None, NOW, |_| ())
        .unwrap();
    let mut prompt = home.another();
    let after = std::thread::scope(|scope| {
        let prompt = scope.spawn(move || {
            prompt
                .enrollment()
                .activate_prompt_enrollment(context, &token, NOW)
        });
        while home
            .enrollment()
            .list_authenticators(&name("bob"))
            .map_or(true, |all| all.is_empty())
        {
            std::thread::yield_now();
        }
        let mut root = home.another();
        let revoked = scope.spawn(move || {
            root.accounts().record_host_password_change(
                &name("bob"),
                Principal::Command("root"),
                NOW,
            )
        });
        while generation(&home, "bob") < 2 {
            std::thread::yield_now();
        }
        gate.sessions().remove_gate(&[7; 16]).unwrap();
        revoked.join().unwrap().unwrap();
        prompt.join().unwrap()
    });
    assert!(
        matches!(after, Err(AdministrationError::Stale)),
        "{after:?}"
    );
    let sql = "SELECT count(*) FROM familiar_address WHERE code_at IS NOT NULL";
    let graces: i64 = home.sqlite().query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(graces, 0, "a grace that outlives the revocation");
}

fn generation(home: &Home, who: &str) -> i64 {
    home.sqlite()
        .query_row(
            "SELECT generation FROM account WHERE name = ?1",
            [who],
            |row| row.get(0),
        )
        .unwrap()
}
