//! Several authenticators of one account, by time and by counter; new recovery codes; one-time
//! codes.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::credential::input::Input;
use postern_shared::credential::otp::totp::{OtpKind, OtpParameters, Step};
use postern_shared::engine::AdministrationError;
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::method::AuthenticationMethod;
use test_store::{NOW, TestStore, accepted, alice, code_of, name, refused};

fn further(test: &TestStore, label: &str) -> PendingEnrollment {
    PendingEnrollment::further(test.config(), &name("alice"))
        .unwrap()
        .with_label(label.parse().unwrap())
}

fn by_counter(test: &TestStore, label: &str, first: u64) -> PendingEnrollment {
    let defaults = test.config().totp.otp_parameters();
    let parameters = OtpParameters {
        moving: OtpKind::Counter,
        ..defaults
    };
    further(test, label).with_parameters(parameters, Step(first))
}

/// A code of one authenticator consumes no time step of another.
#[test]
fn any_authenticator_opens_and_spends_none_of_anothers_steps() {
    let (mut test, app) = alice("");
    let second = further(&test, "second");
    test.activates(&second);
    accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
    accepted(&test.attempt("alice", &code_of(&second, 0), NOW));
    refused(
        &test.attempt("alice", &code_of(&second, 0), NOW),
        Refusal::Used { wait: 15 },
    );
    accepted(&test.attempt("alice", &code_of(&app, 1), NOW));

    test.enrollment()
        .remove_authenticator(&name("alice"), app.label(), "root", NOW)
        .unwrap();
    refused(
        &test.attempt("alice", &code_of(&app, -1), NOW),
        Refusal::Wrong,
    );
    accepted(&test.attempt("alice", &code_of(&second, 1), NOW));
    let last = test
        .enrollment()
        .remove_authenticator(&name("alice"), second.label(), "root", NOW);
    assert!(matches!(
        last,
        Err(AdministrationError::LastAuthenticator(_))
    ));
}

#[test]
fn a_name_is_given_once_and_there_is_a_most() {
    let (mut test, _) = alice("");
    let again = further(&test, "app");
    let twice = test.enrollment().check_enrollment(&again);
    assert!(matches!(twice, Err(AdministrationError::LabelTaken(..))));
    for number in 2..=16 {
        let pending = further(&test, &format!("{number}"));
        test.activates(&pending);
    }
    let more = further(&test, "more");
    assert!(matches!(
        test.enrollment().check_enrollment(&more),
        Err(AdministrationError::TooMany(_, 16))
    ));
    let refused = test.enrollment().activate(
        &more,
        &EnrollmentConfirmation::by_administrator(),
        "root",
        NOW,
    );
    assert!(matches!(refused, Err(AdministrationError::TooMany(_, 16))));
}

#[test]
fn one_authenticator_more_needs_a_first_one() {
    let mut test = TestStore::new("");
    let pending = further(&test, "x");
    assert!(matches!(
        test.enrollment().check_enrollment(&pending),
        Err(AdministrationError::UnknownAccount(_))
    ));
    test.adds_account("alice");
    let pending = further(&test, "x");
    assert!(matches!(
        test.enrollment().check_enrollment(&pending),
        Err(AdministrationError::NotEnrolled(_))
    ));
}

/// A floor remains after the authenticator is removed, and the code that confirms the enrollment
/// must be unused.
#[test]
fn a_seed_that_comes_back_brings_its_used_codes_along() {
    let (mut test, _) = alice("");
    let token = further(&test, "token");
    test.activates(&token);
    accepted(&test.attempt("alice", &code_of(&token, 0), NOW));
    test.enrollment()
        .remove_authenticator(&name("alice"), token.label(), "root", NOW)
        .unwrap();

    let again = further(&test, "token again").with_secret(token.secret().clone());
    let used = Input::parse(code_of(&token, 0).as_bytes());
    let confirmation = again.confirm(&used, test.config(), NOW).ok().unwrap();
    let refusal = test
        .enrollment()
        .activate(&again, &confirmation, "root", NOW);
    assert!(matches!(refusal, Err(AdministrationError::CodeUsed)));
    let next = Input::parse(code_of(&token, 1).as_bytes());
    let confirmation = again.confirm(&next, test.config(), NOW).ok().unwrap();
    test.enrollment()
        .activate(&again, &confirmation, "root", NOW)
        .unwrap();
    for offset in [-1, 0, 1] {
        refused(
            &test.attempt("alice", &code_of(&token, offset), NOW),
            Refusal::Used { wait: 45 },
        );
    }

    test.enrollment()
        .remove_authenticator(&name("alice"), again.label(), "root", NOW)
        .unwrap();
    test.activates(&again);
    refused(
        &test.attempt("alice", &code_of(&token, 1), NOW),
        Refusal::Used { wait: 45 },
    );
}

/// A hardware token that counts is added at its present counter.
#[test]
fn a_token_by_counter_begins_at_its_current_value() {
    let (mut test, _) = alice("");
    let token = by_counter(&test, "token", 100);
    assert!(token.url().contains("otpauth://hotp/") && token.url().ends_with("counter=100"));
    test.activates(&token);
    refused(
        &test.attempt("alice", &code_of(&token, 99), NOW),
        Refusal::Used { wait: 0 },
    );
    accepted(&test.attempt("alice", &code_of(&token, 103), NOW));
    refused(
        &test.attempt("alice", &code_of(&token, 102), NOW),
        Refusal::Used { wait: 0 },
    );
    accepted(&test.attempt("alice", &code_of(&token, 114), NOW));
    refused(
        &test.attempt("alice", &code_of(&token, 500), NOW),
        Refusal::Wrong,
    );
    // A look-ahead costs as much as a window of three codes, and so does the app: one unit for
    // every three codes.
    let pair = code_of(&token, 500) + " " + &code_of(&token, 501);
    for _ in 0..2 {
        refused(
            &test.attempt("alice", &code_of(&token, 500), NOW),
            Refusal::Wrong,
        );
    }
    refused(
        &test.attempt("alice", &pair, NOW),
        Refusal::Delayed { wait: 60 },
    );
    let later = NOW.plus(60);
    accepted(&test.attempt("alice", &pair, later));
    refused(
        &test.attempt("alice", &code_of(&token, 501), later),
        Refusal::Used { wait: 0 },
    );
    accepted(&test.attempt("alice", &code_of(&token, 502), later));

    let listed = test
        .enrollment()
        .list_authenticators(&name("alice"))
        .unwrap();
    assert_eq!((listed.len(), listed[1].last_used), (2, None));
}

#[test]
fn two_codes_in_a_row_confirm_a_token_whose_counter_no_one_knows() {
    let (mut test, _) = alice("");
    let token = by_counter(&test, "token", 0);
    let typed = Input::parse((code_of(&token, 700) + &code_of(&token, 701)).as_bytes());
    let confirmation = token.confirm(&typed, test.config(), NOW).ok().unwrap();
    test.enrollment()
        .activate(&token, &confirmation, "root", NOW)
        .unwrap();
    refused(
        &test.attempt("alice", &code_of(&token, 701), NOW),
        Refusal::Used { wait: 0 },
    );
    accepted(&test.attempt("alice", &code_of(&token, 702), NOW));
}

/// A new set of recovery codes invalidates the old one.
#[test]
fn a_new_set_of_recovery_codes_kills_the_old_one() {
    let (mut test, app) = alice("");
    let new = test.config().recovery.generate_codes().unwrap();
    test.enrollment()
        .replace_recovery_codes(&name("alice"), &new, "root", NOW)
        .unwrap();
    refused(
        &test.attempt("alice", app.recovery_codes()[0].plain(), NOW),
        Refusal::Wrong,
    );
    accepted(&test.attempt("alice", new[0].plain(), NOW));
    assert_eq!(
        test.accounts()
            .account_status(&name("alice"))
            .unwrap()
            .tally
            .recovery_codes,
        5
    );
}

/// An administrator's one-time code is accepted once, and the second factor stays on.
#[test]
fn a_one_time_code_opens_once_and_the_second_factor_stays_on() {
    let (mut test, app) = alice("");
    let (first, _) = test.issues_one_time_code("alice", NOW);
    let (second, expires) = test.issues_one_time_code("alice", NOW);
    assert_eq!(expires, NOW.plus(48 * 3600));
    refused(
        &test.attempt("alice", &first.grouped(), NOW),
        Refusal::Wrong,
    );
    let opened = test.attempt("alice", &second.grouped().to_lowercase(), NOW);
    accepted(&opened);
    refused(
        &test.attempt("alice", &second.grouped(), NOW),
        Refusal::Used { wait: 0 },
    );
    accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
    let log = test.all_events();
    assert!(
        log.iter()
            .any(|(_, event)| event.cause == AuthenticationMethod::OneTimeCode.name()),
        "{log:?}"
    );

    let (third, _) = test.issues_one_time_code("alice", NOW);
    refused(
        &test.attempt("alice", &third.grouped(), expires),
        Refusal::CodeExpired,
    );
    test.accounts()
        .cancel_one_time_code(&name("alice"), "root", NOW)
        .unwrap();
    refused(
        &test.attempt("alice", &third.grouped(), NOW),
        Refusal::Wrong,
    );
    let nothing = test
        .accounts()
        .cancel_one_time_code(&name("alice"), "root", NOW);
    assert!(matches!(
        nothing,
        Err(AdministrationError::NothingToRevoke(..))
    ));
}

/// The message shows the label as the person wrote it, and no Rust type.
#[test]
fn a_refusal_names_the_authenticator() {
    let mut test = TestStore::new("");
    let first = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&first);
    let again = test.enrollment().remove_authenticator(
        &name("alice"),
        &"my phone".parse().unwrap(),
        "root",
        NOW,
    );
    assert!(
        again
            .unwrap_err()
            .to_string()
            .starts_with("alice has no authenticator \"my phone\"; ")
    );
}
