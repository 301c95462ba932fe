//! A login token, issued between the first factor and the code, expires, allows a limited number of
//! wrong codes, and is accepted once.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::credential::input::Input;
use postern_shared::engine::{
    AfterCode, AfterPassword, Engine, MailRefusal, MailRequest, SERVICE, TrustRequest,
    VerificationRequest,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::{LoginPayload, LoginToken, TokenKind};
use postern_shared::verify::decision::Refusal;
use std::sync::Barrier;
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, browser, code_at, code_of, name, password,
    recovery, remote, request,
};

/// Enters a code for alice. It is compared with three codes, so a wrong one costs one unit.
fn enter(opened: &mut Engine, pass: &LoginToken, typed: &str, now: Timestamp) -> AfterCode {
    let origin = remote("192.0.2.7");
    let browser = browser(&origin);
    let answer = Input::parse(typed.as_bytes());
    opened
        .login()
        .enter_code(&browser, pass, &answer, TrustRequest::NotAsked, now)
        .unwrap()
}

fn begin(test: &mut TestStore, now: Timestamp) -> LoginToken {
    let origin = remote("192.0.2.7");
    let browser = browser(&origin);
    let typed = password(PASSWORD);
    let asked = test.login().enter_password(
        &browser,
        &name("alice"),
        Some(&typed),
        &Input::Malformed,
        now,
    );
    let AfterPassword::Code(pass) = asked.unwrap() else {
        panic!("no code is asked")
    };
    *pass
}

#[track_caller]
fn refused(after: &AfterCode, expected: Refusal) {
    match after {
        AfterCode::Refused(refusal) => assert_eq!(*refusal, expected),
        AfterCode::Opened(_) => panic!("it opens"),
    }
}

#[test]
fn a_sign_in_opens_once() {
    let (mut test, app) = alice_at_the_web("");
    let pass = begin(&mut test, NOW);
    assert!(matches!(
        enter(&mut test, &pass, &code_of(&app, -1), NOW),
        AfterCode::Opened(_)
    ));
    refused(
        &enter(&mut test, &pass, &code_of(&app, 0), NOW),
        Refusal::Expired,
    );
    refused(
        &enter(&mut test, &pass, &recovery(&app, 0), NOW),
        Refusal::Expired,
    );
    // the failed attempt did not consume the code
    let renewed = begin(&mut test, NOW);
    assert!(matches!(
        enter(&mut test, &renewed, &code_of(&app, 0), NOW),
        AfterCode::Opened(_)
    ));
}

#[test]
fn after_five_wrong_codes_a_sign_in_is_over_and_what_is_free_costs_none_of_them() {
    let mail = "[email]\nsmtp_url = \"smtp://localhost\"\nfrom = \"postern@example.com\"\n";
    let (mut test, app) = alice_at_the_web(&format!("{mail}[throttle]\nfree = 10\n"));
    let pass = begin(&mut test, NOW);
    for typed in ["nonsense", "", "12", "a password", "not-a-code"] {
        refused(&enter(&mut test, &pass, typed, NOW), Refusal::Malformed);
    }
    for _ in 0..5 {
        refused(&enter(&mut test, &pass, "000000", NOW), Refusal::Wrong);
    }
    for typed in [
        code_of(&app, 0),
        "22222-22222".to_owned(),
        "P-2222-2222-2222".to_owned(),
    ] {
        refused(&enter(&mut test, &pass, &typed, NOW), Refusal::Expired);
    }
    let origin = remote("192.0.2.7");
    let alice = name("alice");
    let login = VerificationRequest {
        service: SERVICE,
        ..request(&alice, &origin)
    };
    let mailed = test.mail().mail_code(&login, Some(&pass), NOW).unwrap();
    assert!(matches!(
        mailed,
        MailRequest::Refused(MailRefusal::Code(Refusal::Expired))
    ));
    let renewed = begin(&mut test, NOW);
    assert!(matches!(
        enter(&mut test, &renewed, &code_of(&app, 0), NOW),
        AfterCode::Opened(_)
    ));
    // A recovery code is accepted all the same, as the message about the delay offers.
    assert!(matches!(
        enter(&mut test, &pass, &recovery(&app, 0), NOW),
        AfterCode::Opened(_)
    ));
    refused(
        &enter(&mut test, &pass, &recovery(&app, 1), NOW),
        Refusal::Expired,
    );
}

#[test]
fn a_delay_is_shown_first_and_tries_made_during_it_cost_nothing() {
    let (mut test, app) = alice_at_the_web("[throttle]\nfree = 2\n");
    let pass = begin(&mut test, NOW);
    for _ in 0..2 {
        refused(&enter(&mut test, &pass, "000000", NOW), Refusal::Wrong);
    }
    for _ in 0..20 {
        refused(
            &enter(&mut test, &pass, &code_of(&app, 0), NOW),
            Refusal::Delayed { wait: 30 },
        );
    }
    let later = NOW.plus(30);
    assert!(matches!(
        enter(&mut test, &pass, &code_at(&app, 0, later), later),
        AfterCode::Opened(_)
    ));

    // The fifth wrong code reaches both limits. The delay is reported first; when it is over, the
    // token has ended.
    let pass = begin(&mut test, later);
    let mut at = later;
    for wrong in 0..5 {
        refused(&enter(&mut test, &pass, "000000", at), Refusal::Wrong);
        if wrong >= 1 {
            let AfterCode::Refused(Refusal::Delayed { wait }) =
                enter(&mut test, &pass, "000000", at)
            else {
                panic!("no delay")
            };
            at = at.plus(wait.min(later.plus(TokenKind::Login.lifetime() - 1).since(at)));
        }
    }
    let over = enter(&mut test, &pass, &code_at(&app, 0, at), at);
    assert!(
        matches!(
            over,
            AfterCode::Refused(Refusal::Delayed { .. } | Refusal::Expired)
        ),
        "it is evaluated"
    );
}

#[test]
fn a_sign_in_has_its_time() {
    let (mut test, app) = alice_at_the_web("");
    let pass = begin(&mut test, NOW);
    for at in [NOW.plus(TokenKind::Login.lifetime()), NOW.minus(1)] {
        refused(
            &enter(&mut test, &pass, &code_at(&app, 0, at), at),
            Refusal::Expired,
        );
    }
    let last = NOW.plus(TokenKind::Login.lifetime() - 1);
    assert!(matches!(
        enter(&mut test, &pass, &code_at(&app, 0, last), last),
        AfterCode::Opened(_)
    ));
}

#[test]
fn in_parallel_never_more_than_five_are_evaluated() {
    let (mut test, _) = alice_at_the_web("[throttle]\nfree = 10\n");
    let pass = begin(&mut test, NOW);
    let (barrier, config) = (Barrier::new(12), &test.config);
    let wrong = std::thread::scope(|scope| {
        let one = || {
            let mut engine = Engine::open(config.clone()).unwrap();
            barrier.wait();
            let entered = enter(&mut engine, &pass, "000000", NOW);
            u32::from(matches!(entered, AfterCode::Refused(Refusal::Wrong)))
        };
        let running: Vec<_> = (0..12).map(|_| scope.spawn(one)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<u32>()
    });
    assert_eq!(wrong, LoginPayload::MAX_WRONG_CODES);
}

/// After its time the store keeps nothing of a login token once another sign-in is tried.
#[test]
fn what_became_of_a_sign_in_is_forgotten_after_its_time() {
    let (mut test, app) = alice_at_the_web("");
    let kept = |test: &TestStore| test.number::<i64>("SELECT count(*) FROM login_token");
    let pass = begin(&mut test, NOW);
    refused(&enter(&mut test, &pass, "000000", NOW), Refusal::Wrong);
    assert_eq!(kept(&test), 1);
    let later = NOW.plus(TokenKind::Login.lifetime() + 31 * 86_400 + 1);
    let pass = begin(&mut test, later);
    enter(&mut test, &pass, &code_at(&app, 0, later), later);
    assert_eq!(kept(&test), 1);
}
