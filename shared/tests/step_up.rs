//! Critical acts in a session: they end with it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::credential::input::Input;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::credential::otp::totp::{Step, generate_code};
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AdministrationError, AfterCode, AfterEnrollment, AfterEnrollmentCode, AfterPassword,
    AfterStepUp, EnrollmentToken, Principal, TrustRequest,
};
use postern_shared::protocol::host_password::HostPasswordReply;
use postern_shared::token::StepUpToken;
use postern_shared::token::session::Session;
use postern_shared::verify::decision::Refusal;
use test_store::{
    NOW, PASSWORD, TestStore, accepted, alice_at_the_web, browser, code_of, name, opens, password,
    recovery, remote, signs_in,
};

/// Signs alice in by a recovery code, since she has lost the phone.
fn recovers(test: &mut TestStore, pending: &PendingEnrollment) -> (Session, StepUpToken) {
    let opened = opens(test, &remote("192.0.2.7"), &recovery(pending, 0), NOW);
    (opened.session, opened.step_up.unwrap())
}

/// Begins a new authenticator in place of the lost one, up to the step in which the recovery codes
/// are saved.
fn replaces(
    test: &mut TestStore,
    session: &Session,
    proof: &StepUpToken,
) -> (EnrollmentToken, String) {
    let ticket = test
        .enrollment()
        .issue_replacement_enrollment_token(session, proof, NOW)
        .unwrap();
    let shown = test
        .enrollment()
        .begin_web_enrollment(&ticket, NOW)
        .unwrap()
        .unwrap();
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
        panic!("not confirmed")
    };
    (ticket, (*confirmed).to_owned())
}

/// A pending act of a revoked session cannot be finished, also if nothing else of the account
/// changed.
#[test]
fn a_replacement_ends_with_the_session_it_was_begun_in() {
    let from = remote("192.0.2.7");
    for by in ["command", "sign-out", "nobody"] {
        let (mut test, pending) = alice_at_the_web("");
        let (session, proof) = recovers(&mut test, &pending);
        let (ticket, confirmed) = replaces(&mut test, &session, &proof);
        match by {
            "command" => {
                test.another()
                    .sessions()
                    .revoke_sessions(&name("alice"), Some(session.id), "root", NOW)
                    .unwrap();
            }
            "sign-out" => test.another().sessions().sign_out(session.id).unwrap(),
            _ => {}
        }
        let after = test
            .enrollment()
            .finish_web_enrollment(&browser(&from), &ticket, &confirmed, NOW)
            .unwrap();
        match by {
            "nobody" => assert!(matches!(after, AfterEnrollment::Opened(_)), "{by}"),
            _ => {
                assert!(matches!(after, AfterEnrollment::Over), "{by}");
                accepted(&test.attempt("alice", &code_of(&pending, 0), NOW));
            }
        }
    }
}

/// The same for an act that needs one request only.
#[test]
fn the_second_factor_is_not_turned_off_from_a_session_that_ended() {
    let from = remote("192.0.2.7");
    let (mut test, pending) = alice_at_the_web("");
    let (session, _) = recovers(&mut test, &pending);
    test.another().sessions().sign_out(session.id).unwrap();
    let actor = Principal::Session(&session.name, &from, session.id);
    let off = test
        .accounts()
        .disable_second_factor(&name("alice"), actor, NOW);
    assert!(matches!(off, Err(AdministrationError::Stale)), "{off:?}");
    accepted(&test.attempt("alice", &code_of(&pending, 0), NOW));
}

/// Password and code are the only proof that a critical act accepts, and only for this session.
#[test]
fn password_and_code_prove_the_person_for_this_session_and_nothing_less_does() {
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web("");
    let session = signs_in(&mut test, &from, &code_of(&app, -1), NOW);
    let mut step_up = |typed: &str, code: &str| {
        let answer = Input::parse(code.as_bytes());
        test.login()
            .step_up(
                &browser(&from),
                &session,
                Some(&password(typed)),
                &answer,
                NOW,
            )
            .unwrap()
    };
    assert!(matches!(
        step_up("wrong horse", &code_of(&app, 0)),
        AfterStepUp::Password(Refusal::Wrong)
    ));
    assert!(matches!(
        step_up(PASSWORD, "000000"),
        AfterStepUp::Code(Refusal::Wrong)
    ));
    assert!(matches!(
        step_up(PASSWORD, &code_of(&app, -1)),
        AfterStepUp::Code(Refusal::Used { .. })
    ));
    assert!(matches!(
        step_up(PASSWORD, &recovery(&app, 0)),
        AfterStepUp::Code(Refusal::Malformed)
    ));
    let AfterStepUp::Verified(ticket) = step_up(PASSWORD, &code_of(&app, 0)) else {
        panic!("not proven")
    };
    assert!(matches!(
        step_up(PASSWORD, &code_of(&app, 0)),
        AfterStepUp::Code(Refusal::Used { .. })
    ));
    let keys = test.token_keys();
    let cookie = ticket.seal(&keys).unwrap();
    assert!(StepUpToken::open_step_up(&cookie, &keys, &session, NOW).is_some());
    let other = signs_in(&mut test, &from, &code_of(&app, 1), NOW);
    assert!(
        StepUpToken::open_step_up(&cookie, &keys, &other, NOW).is_none(),
        "it is another session's"
    );
}

/// An attacker with an open session guesses no faster there than at the sign-in.
#[test]
fn guesses_in_a_session_are_counted_like_those_of_a_sign_in() {
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web("");
    let session = signs_in(&mut test, &from, &code_of(&app, -1), NOW);
    let answer = Input::parse(code_of(&app, 0).as_bytes());
    let mut step_up = |typed: &str| {
        test.login()
            .step_up(
                &browser(&from),
                &session,
                Some(&password(typed)),
                &answer,
                NOW,
            )
            .unwrap()
    };
    for _ in 0..5 {
        assert!(matches!(
            step_up("wrong horse"),
            AfterStepUp::Password(Refusal::Wrong)
        ));
    }
    assert!(matches!(
        step_up(PASSWORD),
        AfterStepUp::Password(Refusal::Delayed { wait: 30 })
    ));
    let asked = test.login().enter_password(
        &browser(&from),
        &name("alice"),
        Some(&password(PASSWORD)),
        &Input::Malformed,
        NOW,
    );
    assert!(
        matches!(
            asked.unwrap(),
            AfterPassword::Refused(Refusal::Delayed { .. })
        ),
        "it is one row"
    );
}

#[test]
fn a_session_that_ended_is_not_stepped_up() {
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web("");
    let session = signs_in(&mut test, &from, &code_of(&app, -1), NOW);
    test.another().sessions().sign_out(session.id).unwrap();
    let answer = Input::parse(code_of(&app, 0).as_bytes());
    let after = test.login().step_up(
        &browser(&from),
        &session,
        Some(&password(PASSWORD)),
        &answer,
        NOW,
    );
    assert!(matches!(after.unwrap(), AfterStepUp::SessionEnded));
    accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
}

/// The proxy supplies the identity instead of a password.
#[test]
fn with_an_identity_a_fresh_code_alone_steps_up() {
    let header = "[gate]\nfirst_factor = \"header\"\n[[gate.trusted_proxies]]\nproxy = \"nginx\"\n\
                  from = [\"unix\"]\nidentity_header = \"Remote-User\"\n";
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web(header);
    let asked = test
        .login()
        .enter_identity(&browser(&from), &name("alice"), NOW)
        .unwrap();
    let AfterPassword::Code(pass) = asked else {
        panic!("no code is asked")
    };
    let answer = Input::parse(code_of(&app, -1).as_bytes());
    let entered =
        test.login()
            .enter_code(&browser(&from), &pass, &answer, TrustRequest::NotAsked, NOW);
    let AfterCode::Opened(entered) = entered.unwrap() else {
        panic!("not opened")
    };
    let session = entered.session;
    let answer = Input::parse(code_of(&app, 0).as_bytes());
    let by_password = test.login().step_up(
        &browser(&from),
        &session,
        Some(&password(PASSWORD)),
        &answer,
        NOW,
    );
    assert!(matches!(
        by_password.unwrap(),
        AfterStepUp::Password(Refusal::Malformed)
    ));
    let none = test
        .login()
        .step_up_by_code(&browser(&from), &session, &Input::parse(b""), NOW)
        .unwrap();
    assert!(matches!(none, AfterStepUp::Code(Refusal::Malformed)));
    let after = test
        .login()
        .step_up_by_code(&browser(&from), &session, &answer, NOW)
        .unwrap();
    assert!(matches!(after, AfterStepUp::Verified(_)));
}

/// The password of the host is charged, verified and settled as at a sign-in.
#[test]
fn a_password_of_the_host_steps_up_with_a_code() {
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web("[gate]\nfirst_factor = \"pam\"\n");
    let who = name("alice");
    let tries = |test: &mut TestStore| {
        test.login()
            .charge_first_factor(&browser(&from), &who, &Input::Malformed, NOW)
            .unwrap()
            .unwrap()
    };
    let tried = tries(&mut test);
    let asked = test.login().settle_first_factor(
        &browser(&from),
        &who,
        tried,
        HostPasswordReply::Right,
        &Input::Malformed,
        NOW,
    );
    let AfterPassword::Code(pass) = asked.unwrap() else {
        panic!("no code is asked")
    };
    let answer = Input::parse(code_of(&app, -1).as_bytes());
    let entered =
        test.login()
            .enter_code(&browser(&from), &pass, &answer, TrustRequest::NotAsked, NOW);
    let AfterCode::Opened(entered) = entered.unwrap() else {
        panic!("not opened")
    };
    let answer = Input::parse(code_of(&app, 0).as_bytes());
    for (output, proven) in [
        (HostPasswordReply::Wrong, false),
        (HostPasswordReply::NotVerified, false),
        (HostPasswordReply::Right, true),
    ] {
        let tried = tries(&mut test);
        let after = test
            .login()
            .settle_step_up(
                &browser(&from),
                &entered.session,
                &tried,
                output,
                &answer,
                NOW,
            )
            .unwrap();
        assert_eq!(
            matches!(after, AfterStepUp::Verified(_)),
            proven,
            "{output:?}"
        );
    }
}
