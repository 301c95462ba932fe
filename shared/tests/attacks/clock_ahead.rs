//! Clocks that ran ahead, and are right again: what was used stays used, and what was ended stays
//! ended.

use super::tokens::{HOUR, snapshot};
use crate::test_store::{
    NOW, PASSWORD, TestStore, accepted, alice, alice_at_the_web, browser, browser_with, code_at,
    code_of, name, password, refused, remote, signs_in,
};
use postern_shared::credential::input::Input;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{AfterCode, AfterPassword, TrustRequest};
use postern_shared::token::LoginToken;
use postern_shared::verify::decision::Refusal;

#[test]
fn a_one_time_code_made_by_a_clock_that_ran_ahead_does_not_live_longer() {
    let (mut test, _) = alice("");
    let ahead = NOW.plus(30 * 86_400);
    let (code, _) = test.issues_one_time_code("alice", ahead);
    refused(
        &test.attempt("alice", &code.grouped(), NOW),
        Refusal::CodeExpired,
    );
    assert_eq!(
        test.accounts()
            .one_time_code_expiry(&name("alice"), NOW)
            .unwrap(),
        None
    );
    let (code, _) = test.issues_one_time_code("alice", NOW);
    accepted(&test.attempt("alice", &code.grouped(), NOW.plus(48 * 3600 - 1)));
}

/// The fault: a code of a future day was accepted while the clock was ahead. The floor is lowered
/// later, and the code was accepted again on that day.
#[test]
fn a_code_that_opened_under_a_clock_that_ran_ahead_never_opens_again() {
    let (mut test, app) = alice("");
    let ahead = NOW.plus(86_400);
    let code = code_at(&app, 0, ahead);
    accepted(&test.attempt("alice", &code, ahead));
    assert_eq!(test.lowers_floors("alice", "root", NOW), 1);
    accepted(&test.attempt("alice", &code_of(&app, 1), NOW));
    // disables the second factor, and enrolls the same secret again
    test.disables("alice", "root", NOW);
    let renewed = PendingEnrollment::new(&test.config, &name("alice"))
        .unwrap()
        .with_secret(app.secret().clone());
    test.activates(&renewed);
    refused(
        &test.attempt("alice", &code, ahead),
        Refusal::Used { wait: 15 },
    );
    accepted(&test.attempt("alice", &code_at(&app, 1, ahead), ahead));
    refused(
        &test.attempt("alice", &code, ahead),
        Refusal::Used { wait: 45 },
    );
}

/// The fault: of several codes accepted while the clock was ahead, only the last one stayed refused
/// when their time came.
#[test]
fn no_code_that_opened_under_a_clock_that_ran_ahead_opens_again() {
    let (mut test, app) = alice("");
    let ahead = [86_400, 86_460, 2 * 86_400].map(|later| NOW.plus(later));
    for then in ahead {
        accepted(&test.attempt("alice", &code_at(&app, 0, then), then));
    }
    assert_eq!(test.lowers_floors("alice", "root", NOW), 1);
    accepted(&test.attempt("alice", &code_of(&app, 1), NOW));
    for then in ahead {
        refused(
            &test.attempt("alice", &code_at(&app, 0, then), then),
            Refusal::Used { wait: 15 },
        );
        accepted(&test.attempt("alice", &code_at(&app, 1, then), then));
    }
}

/// The number of codes is larger than the number of accepted time steps that are stored.
#[test]
fn of_many_codes_that_opened_under_a_clock_that_ran_ahead_none_opens_again() {
    let (mut test, app) = alice("");
    let ahead: Vec<_> = (0..30)
        .map(|number| NOW.plus(86_400 + 120 * number))
        .collect();
    for then in &ahead {
        accepted(&test.attempt("alice", &code_at(&app, 0, *then), *then));
    }
    test.lowers_floors("alice", "root", NOW);
    for then in &ahead {
        let again = test
            .attempt("alice", &code_at(&app, 0, *then), *then)
            .result;
        assert!(again.is_err(), "{again:?}");
    }
    let last = ahead[29].plus(60);
    accepted(&test.attempt("alice", &code_at(&app, 0, last), last));
}

/// The fault: a sign-in while the clock was ahead removed the records of revoked sessions, whose
/// cookies were valid again once the clock was right.
#[test]
fn a_revoked_session_stays_revoked_when_the_clock_ran_ahead_and_came_back() {
    for ahead in [13 * HOUR, 40 * 24 * HOUR, 400 * 24 * HOUR] {
        let from = remote("192.0.2.7");
        let (mut test, app) = alice_at_the_web("");
        let session = signs_in(&mut test, &from, &code_of(&app, 0), NOW);
        test.sessions().sign_out(session.id).unwrap();
        let then = NOW.plus(ahead);
        let other = signs_in(&mut test, &from, &code_at(&app, 0, then), then);
        test.sessions().sign_out(other.id).unwrap();
        snapshot(&test, then);
        assert!(snapshot(&test, NOW.plus(60)).covers(&session), "{ahead}");
    }
}

/// The same fault for all sessions of an account, which a new password had ended.
#[test]
fn a_raised_generation_stays_raised_when_the_clock_ran_ahead_and_came_back() {
    for ahead in [13 * HOUR, 40 * 24 * HOUR, 400 * 24 * HOUR] {
        let from = remote("192.0.2.7");
        let (mut test, app) = alice_at_the_web("");
        let session = signs_in(&mut test, &from, &code_of(&app, 0), NOW);
        test.sets_password("alice");
        let then = NOW.plus(ahead);
        let other = signs_in(&mut test, &from, &code_at(&app, 0, then), then);
        test.sessions().sign_out(other.id).unwrap();
        // a gate uses this until the next revocation, whatever its clock shows
        assert!(snapshot(&test, then).covers(&session), "{ahead}");
        assert!(snapshot(&test, NOW.plus(60)).covers(&session), "{ahead}");
    }
}

/// The fault: while the clock was ahead, the record of a used login token was removed, and the
/// token was valid again once the clock was right.
#[test]
fn a_login_token_that_was_used_stays_so_when_the_clock_ran_ahead_and_came_back() {
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web("");
    let asks = |test: &mut TestStore, now| {
        let given = password(PASSWORD);
        let after = test.login().enter_password(
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
    let enters = |test: &mut TestStore, token: &LoginToken, typed: &str, now| {
        let answer = Input::parse(typed.as_bytes());
        test.login()
            .enter_code(&browser(&from), token, &answer, TrustRequest::NotAsked, now)
            .unwrap()
    };
    let token = asks(&mut test, NOW);
    assert!(matches!(
        enters(&mut test, &token, &code_of(&app, 0), NOW),
        AfterCode::Opened(_)
    ));
    let then = NOW.plus(13 * HOUR);
    let other = asks(&mut test, then);
    assert!(matches!(
        enters(&mut test, &other, "000000", then),
        AfterCode::Refused(_)
    ));
    let back = NOW.plus(30);
    let again = enters(&mut test, &token, &code_at(&app, 0, back), back);
    assert!(matches!(again, AfterCode::Refused(Refusal::Expired)));
}

/// The fault: while the clock was ahead, a session seemed to have expired. It was not listed and
/// could not be revoked, but was valid again later.
#[test]
fn a_session_that_is_good_when_the_clock_is_right_again_is_listed_and_can_be_revoked() {
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web("");
    let session = signs_in(&mut test, &from, &code_of(&app, 0), NOW);
    let listed = |test: &mut TestStore, now| {
        test.sessions_of("alice", now)
            .iter()
            .any(|kept| kept.id == session.id)
    };
    let then = NOW.plus(13 * HOUR);
    signs_in(&mut test, &from, &code_at(&app, 0, then), then);
    assert!(!listed(&mut test, then) && listed(&mut test, NOW.plus(60)));
    assert_eq!(
        test.sessions()
            .revoke_sessions(&name("alice"), Some(session.id), "root", then)
            .unwrap(),
        1
    );
    assert!(snapshot(&test, NOW.plus(60)).covers(&session));
}

/// The fault: while the clock was ahead, a browser was trusted until a time that is far in the
/// future once the clock is right.
#[test]
fn trust_that_a_clock_ahead_gave_is_none_once_it_is_right_again() {
    let from = remote("192.0.2.7");
    let (mut test, app) = alice_at_the_web("");
    let given = password(PASSWORD);
    let enters = |test: &mut TestStore, cookie: Option<&str>, now| {
        let browser = browser_with(&from, cookie);
        test.login()
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
        let AfterPassword::Code(token) = enters(&mut test, None, then) else {
            panic!("no code is asked")
        };
        let answer = Input::parse(code_at(&app, 0, then).as_bytes());
        let entered = test
            .login()
            .enter_code(&browser(&from), &token, &answer, TrustRequest::Asked, then)
            .unwrap();
        let AfterCode::Opened(opened) = entered else {
            panic!("not opened")
        };
        let cookie = opened.browser_cookie.as_ref().map(|cookie| cookie.as_str());
        let is_trusted = matches!(enters(&mut test, cookie, NOW), AfterPassword::Opened(_));
        assert_eq!(is_trusted, ahead <= 60, "{ahead}");
    }
}
