//! Tokens and sessions that remain valid after what they depend on has ended.

use crate::test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, browser, browser_with, code_at, code_of, name,
    password, remote, signs_in,
};
use postern_shared::account::name::{Distinct, Service};
use postern_shared::config::Config;
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::credential::input::Input;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::credential::otp::totp::{Step, generate_code};
use postern_shared::engine::{
    AdministrationError, AfterCode, AfterEnrollment, AfterEnrollmentCode, AfterPassword,
    AfterStepUp, BrowserContext, Engine, KnownRevisions, PamContext, Principal, PromptEnrollment,
    RequestedPage, Requester, TrustRequest,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::process::HostProcess;
use postern_shared::token::session::{RevokedSessions, Session};
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;

pub(crate) const HOUR: u64 = 3600;
const RULE: &str = "[[gate.rule]]\npaths = [\"/cheap\"]\nthen = \"password\"\n";

/// Signs in bob, who has a password and no second factor.
fn bob_signs_in(test: &mut TestStore, from: &Origin) -> Session {
    test.sets_password("bob");
    let entered = test.login().enter_password(
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
pub(crate) fn snapshot(test: &TestStore, now: Timestamp) -> RevokedSessions {
    let mut revoked = None;
    let mut gate = test.another();
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
        let mut test = TestStore::new("");
        let session = bob_signs_in(&mut test, &from);
        let given = password(PASSWORD);
        let proof = test.login().step_up(
            &browser(&from),
            &session,
            Some(&given),
            &Input::Malformed,
            NOW,
        );
        let AfterStepUp::Verified(proof) = proof.unwrap() else {
            panic!("not proven")
        };
        let ticket = test
            .enrollment()
            .issue_first_enrollment_token(&session, &proof, &from, NOW)
            .unwrap()
            .unwrap();
        let one = (!all).then_some(session.id);
        test.another()
            .sessions()
            .revoke_sessions(&name("bob"), one, "root", NOW)
            .unwrap();
        let Some(shown) = test
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
        let confirmed = test
            .enrollment()
            .confirm_web_enrollment(&ticket, shown.draft, &shows, NOW)
            .unwrap();
        let AfterEnrollmentCode::Confirmed { confirmed, .. } = confirmed else {
            continue;
        };
        let after = test
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
        let (mut test, app) = alice_at_the_web(RULE);
        let cheap = BrowserContext {
            page: Some(RequestedPage {
                host: "app.example.com",
                target: "/cheap",
            }),
            ..browser(&from)
        };
        let entered = test.login().enter_password(
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
        let Some(AfterPassword::Code(pass)) = test
            .login()
            .upgrade_session(&browser(&from), &session, NOW)
            .unwrap()
        else {
            panic!("no code is asked")
        };
        let one = (!all).then_some(session.id);
        test.another()
            .sessions()
            .revoke_sessions(&name("alice"), one, "root", NOW)
            .unwrap();
        let answer = Input::parse(code_of(&app, 0).as_bytes());
        let after =
            test.login()
                .enter_code(&browser(&from), &pass, &answer, TrustRequest::NotAsked, NOW);
        assert!(
            matches!(after.unwrap(), AfterCode::Refused(_)),
            "a new full session, all: {all}"
        );
    }
}

/// The fault: one line of JSON on pam.sock, from any process of the user, ended that user's
/// sessions and app passwords.
#[test]
fn a_process_of_the_users_own_says_no_password_changed() {
    let mut test = TestStore::new("");
    let session = bob_signs_in(&mut test, &remote("192.0.2.7"));
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
    let after = test.verification().end_for_changed_password(context, NOW);
    assert!(
        matches!(after, Err(AdministrationError::MayNotReportPassword(_))),
        "{after:?}"
    );
    let left = test.sessions().list_sessions(&bob, NOW).unwrap();
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
    let (mut test, app) = alice_at_the_web("");
    let enters = |test: &mut TestStore, cookie: Option<&str>| {
        let browser = browser_with(&from, cookie);
        test.login()
            .enter_password(
                &browser,
                &name("alice"),
                Some(&password(PASSWORD)),
                &Input::Malformed,
                NOW,
            )
            .unwrap()
    };
    let AfterPassword::Code(pass) = enters(&mut test, None) else {
        panic!("no code is asked")
    };
    let answer = Input::parse(code_of(&app, 0).as_bytes());
    let entered =
        test.login()
            .enter_code(&browser(&from), &pass, &answer, TrustRequest::Asked, NOW);
    let AfterCode::Opened(owner) = entered.unwrap() else {
        panic!("not opened")
    };
    let stolen = owner.browser_cookie.as_ref().unwrap().to_string();
    let AfterPassword::Opened(thief) = enters(&mut test, Some(&stolen)) else {
        panic!("a code is asked")
    };
    let next = thief.browser_cookie.as_ref().unwrap().to_string();
    let AfterPassword::Opened(again) = enters(&mut test, Some(&next)) else {
        panic!("a code is asked")
    };
    // the owner's browser sends the value that the thief has already used
    assert!(matches!(
        enters(&mut test, Some(&stolen)),
        AfterPassword::Code(_)
    ));
    for session in [&owner.session, &thief.session, &again.session] {
        assert!(
            snapshot(&test, NOW).covers(session),
            "a session of the thief's goes on"
        );
    }
    assert!(test.sessions_of("alice", NOW).is_empty());
}

/// A gate that reads only changes knows the same revocations as a gate that has just started.
#[test]
fn a_gate_that_looks_again_and_again_knows_every_revocation() {
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web("");
    let mut gate = test.another();
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
        let session = signs_in(&mut test, &from, &code_at(&app, 0, now), now);
        match day % 3 {
            0 => test.sessions().sign_out(session.id).unwrap(),
            1 => drop(
                test.sessions()
                    .revoke_sessions(&name("alice"), None, "root", now)
                    .unwrap(),
            ),
            _ => drop(
                test.accounts()
                    .set_password(&name("alice"), &password(PASSWORD), "root", now)
                    .unwrap(),
            ),
        }
        ended.push(session);
        look(&mut by, &mut known, now);
        let fresh = snapshot(&test, now);
        for session in &ended {
            assert!(known.covers(session) && fresh.covers(session), "day {day}");
        }
    }
    let kept: i64 = test.number("SELECT count(*) FROM revoked_session");
    assert!(
        kept < 14,
        "what no session can be good for is forgotten: {kept}"
    );
    let last = NOW.plus(40 * 86_400);
    let session = signs_in(&mut test, &from, &code_at(&app, 0, last), last);
    look(&mut by, &mut known, last);
    assert!(!known.covers(&session) && !snapshot(&test, last).covers(&session));
}

/// The fault: `postern browser revoke` kept the sessions that the trusted browser had opened.
#[test]
fn sessions_that_the_trust_in_a_browser_opened_end_with_the_trust() {
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web("");
    let given = password(PASSWORD);
    let enters = |test: &mut TestStore, cookie: Option<&str>| {
        let browser = browser_with(&from, cookie);
        test.login()
            .enter_password(
                &browser,
                &name("alice"),
                Some(&given),
                &Input::Malformed,
                NOW,
            )
            .unwrap()
    };
    let AfterPassword::Code(token) = enters(&mut test, None) else {
        panic!("no code is asked")
    };
    let answer = Input::parse(code_of(&app, 0).as_bytes());
    let entered =
        test.login()
            .enter_code(&browser(&from), &token, &answer, TrustRequest::Asked, NOW);
    let AfterCode::Opened(by_code) = entered.unwrap() else {
        panic!("not opened")
    };
    let AfterPassword::Opened(by_trust) = enters(
        &mut test,
        by_code.browser_cookie.as_ref().map(|c| c.as_str()),
    ) else {
        panic!("a code is asked")
    };
    test.sessions()
        .revoke_browsers(&name("alice"), None, "root", NOW)
        .unwrap();
    let revoked = snapshot(&test, NOW);
    assert!(revoked.covers(&by_trust.session) && !revoked.covers(&by_code.session));
}

/// The fault: one tab signed out while another changed the password, and the session that was to
/// continue was opened all the same.
#[test]
fn a_session_that_was_signed_out_while_an_act_ended_all_does_not_go_on() {
    let from = remote("192.0.2.7");
    for signs_out in [false, true] {
        let (mut test, app) = alice_at_the_web("");
        let session = signs_in(&mut test, &from, &code_of(&app, 0), NOW);
        test.accounts()
            .set_password(&name("alice"), &password(PASSWORD), "alice", NOW)
            .unwrap();
        if signs_out {
            test.another().sessions().sign_out(session.id).unwrap();
        }
        let after = test
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
    let (mut test, app) = alice_at_the_web(&format!("{RULE}[gate]\nsession_lifetime = \"5m\"\n"));
    let cheap = BrowserContext {
        page: Some(RequestedPage {
            host: "app.example.com",
            target: "/cheap",
        }),
        ..browser(&from)
    };
    let given = password(PASSWORD);
    let entered =
        test.login()
            .enter_password(&cheap, &name("alice"), Some(&given), &Input::Malformed, NOW);
    let AfterPassword::Opened(opened) = entered.unwrap() else {
        panic!("not opened")
    };
    let mut config = test.config.clone();
    config.gate.session_lifetime = toml::from_str::<Config>("[gate]\nsession_lifetime = \"12h\"")
        .unwrap()
        .gate
        .session_lifetime;
    let mut engine = Engine::open(config).unwrap();
    let later = NOW.plus(120);
    let Some(AfterPassword::Code(token)) = engine
        .login()
        .upgrade_session(&browser(&from), &opened.session, later)
        .unwrap()
    else {
        panic!("no code is asked")
    };
    let answer = Input::parse(code_at(&app, 0, later).as_bytes());
    let after = engine
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
    let over = engine
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
fn no_session_continues_in_another_account_of_the_same_name() {
    let from = remote("192.0.2.7");
    let mut test = TestStore::new("");
    let session = bob_signs_in(&mut test, &from);
    let bob = name("bob");
    test.accounts()
        .set_password(&bob, &password(PASSWORD), "bob", NOW)
        .unwrap();
    let mut root = test.another();
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
        test.login()
            .reopen_session(&browser(&from), &session, NOW)
            .unwrap()
            .is_none()
    );
}

/// The fault: during a first enrollment at a prompt all sessions were revoked while the gates were
/// informed, and the prompt still granted access and began a grace period.
#[test]
fn an_enrollment_at_a_prompt_lets_no_user_in_whom_a_revocation_ended_meanwhile() {
    let mut test = TestStore::new("");
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
    let begun = test
        .enrollment()
        .begin_prompt_enrollment(context, None, NOW);
    let PromptEnrollment::Begun(shown) = begun.unwrap() else {
        panic!("no enrollment")
    };
    let (secret, parameters) = otpauth_uri::parse_declared_secret(&shown.secret).unwrap();
    let code = generate_code(&secret, parameters, Step(NOW.0 / 30)).to_string();
    let confirmed = test
        .enrollment()
        .confirm_prompt_enrollment(context, &shown.token, &code, NOW);
    let token = confirmed.unwrap().unwrap();
    // A gate that confirms late: the prompt reports nothing before the gate knows what the
    // enrollment ended.
    let mut gate = test.another();
    gate.sessions()
        .update_revocations(&[7; 16], None, NOW, |_| ())
        .unwrap();
    let mut prompt = test.another();
    let after = std::thread::scope(|scope| {
        let prompt = scope.spawn(move || {
            prompt
                .enrollment()
                .activate_prompt_enrollment(context, &token, NOW)
        });
        while test
            .enrollment()
            .list_authenticators(&name("bob"))
            .map_or(true, |all| all.is_empty())
        {
            std::thread::yield_now();
        }
        let mut root = test.another();
        let revoked = scope.spawn(move || {
            root.accounts().record_host_password_change(
                &name("bob"),
                Principal::Command("root"),
                NOW,
            )
        });
        while generation(&test, "bob") < 2 {
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
    let graces: i64 = test.number(sql);
    assert_eq!(graces, 0, "a grace that outlives the revocation");
}

fn generation(test: &TestStore, who: &str) -> i64 {
    test.number(&format!(
        "SELECT generation FROM account WHERE name = '{who}'"
    ))
}
