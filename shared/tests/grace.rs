//! Grace periods on a real store: which success begins one, where it applies, and what ends it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::config::GracePeriod;
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::engine::{AdministrationError, Engine, Principal, VerificationRequest};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::WithinGrace;
use postern_shared::verify::method::AuthenticationMethod;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use test_store::{
    NOW, PASSWORD, TestStore, accepted, alice, alice_at_the_web, code_at, code_of, name, password,
    recovery, remote, request,
};

const HOUR: GracePeriod = GracePeriod::new(3600);
const HERE: &str = "192.0.2.7";

/// Returns whether alice needs no code at a service because of a grace period.
fn within_grace_at(
    opened: &mut Engine,
    service: &str,
    origin: &Origin,
    phase: Phase,
    now: Timestamp,
) -> bool {
    let alice = name("alice");
    let login = VerificationRequest {
        phase,
        service,
        ..request(&alice, origin)
    };
    opened
        .verification()
        .check_grace_period(&login, HOUR, now)
        .unwrap()
        == WithinGrace::Yes
}

impl TestStore {
    fn is_within_grace(&mut self, now: Timestamp) -> bool {
        within_grace_at(&mut self.engine, "test", &remote(HERE), Phase::After, now)
    }

    fn code_from(&mut self, app: &PendingEnrollment, address: &str, offset: i64) {
        accepted(&self.attempt_from(
            "alice",
            &remote(address),
            Phase::After,
            &code_of(app, offset),
            NOW,
        ));
    }
}

#[test]
fn a_code_spares_the_next_at_the_same_service_and_address_for_its_time() {
    let (mut test, app) = alice("");
    assert!(!test.is_within_grace(NOW));
    test.code_from(&app, HERE, 0);
    assert!(test.is_within_grace(NOW) && test.is_within_grace(NOW.plus(3599)));
    assert!(!test.is_within_grace(NOW.plus(3600)));
    assert!(
        !test.is_within_grace(NOW.minus(1)),
        "the clock was set back"
    );
    let mut at = |service: &str, origin: &Origin, phase| {
        within_grace_at(&mut test, service, origin, phase, NOW)
    };
    assert!(!at("other", &remote(HERE), Phase::After));
    assert!(!at("test", &remote("192.0.2.8"), Phase::After));
    assert!(!at("test", &remote(HERE), Phase::Before));
    assert!(!at("test", &Origin::Unknown, Phase::After));
    assert!(!at(
        "test",
        &Origin::Local("alice".to_owned()),
        Phase::After
    ));
    let bob = name("bob");
    let origin = remote(HERE);
    let login = request(&bob, &origin);
    assert_eq!(
        test.verification()
            .check_grace_period(&login, HOUR, NOW)
            .unwrap(),
        WithinGrace::No
    );
    // a check of the grace period does not extend it
    assert!(test.is_within_grace(NOW.plus(3500)));
    assert!(!test.is_within_grace(NOW.plus(3600)));
}

#[test]
fn without_an_address_no_code_begins_one() {
    let (mut test, app) = alice("");
    for (origin, offset) in [
        (Origin::Unknown, -1),
        (Origin::Local("alice".to_owned()), 0),
    ] {
        accepted(&test.attempt_from("alice", &origin, Phase::After, &code_of(&app, offset), NOW));
        assert!(!within_grace_at(
            &mut test,
            "test",
            &origin,
            Phase::After,
            NOW
        ));
    }
    assert!(!test.is_within_grace(NOW));
}

#[test]
fn a_code_before_the_first_factor_begins_none_also_when_it_is_booked() {
    let (mut test, app) = alice("");
    let (origin, alice) = (remote(HERE), name("alice"));
    accepted(&test.attempt_from("alice", &origin, Phase::Before, &code_of(&app, 0), NOW));
    assert!(!test.is_within_grace(NOW));
    let login = VerificationRequest {
        phase: Phase::Before,
        ..request(&alice, &origin)
    };
    assert!(
        test.verification()
            .complete_login(&login, AuthenticationMethod::Code, NOW)
            .unwrap()
            .is_some()
    );
    assert!(!test.is_within_grace(NOW));
}

#[test]
fn nothing_but_a_code_begins_one() {
    let (mut test, app) = alice("");
    accepted(&test.attempt_from(
        "alice",
        &remote(HERE),
        Phase::After,
        &recovery(&app, 0),
        NOW,
    ));
    let (one_time, _) = test.issues_one_time_code("alice", NOW);
    accepted(&test.attempt_from(
        "alice",
        &remote(HERE),
        Phase::After,
        &one_time.grouped(),
        NOW,
    ));
    let (label, scope) = ("x".parse().unwrap(), "pam:test".parse().unwrap());
    let made = test
        .app_passwords()
        .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
        .unwrap();
    let (alice, origin) = (name("alice"), remote(HERE));
    let login = request(&alice, &origin);
    assert!(
        test.app_passwords()
            .verify_app_password(&login, &made, NOW)
            .unwrap()
            .is_ok()
    );
    assert!(!test.is_within_grace(NOW));
}

#[test]
fn a_user_who_guesses_from_there_is_not_exempt() {
    let (mut test, app) = alice("");
    test.code_from(&app, HERE, 0);
    for _ in 0..5 {
        assert!(test.is_within_grace(NOW));
        test.attempt_from(
            "alice",
            &remote(HERE),
            Phase::After,
            &code_of(&app, 99),
            NOW,
        );
    }
    assert!(!test.is_within_grace(NOW));
    assert!(test.is_within_grace(NOW.plus(120)));
}

/// Every revocation and every change of a credential ends the grace periods of the account.
#[test]
fn every_revocation_ends_it() {
    type Act = fn(&mut TestStore, &PendingEnrollment, Timestamp);
    let acts: [(&str, Act); 13] = [
        ("a new password", |test, _, now| {
            test.accounts()
                .set_password(&name("alice"), &password(PASSWORD), "root", now)
                .unwrap();
        }),
        ("one of this host", |test, _, now| {
            let actor = Principal::Service("alice", &Origin::Unknown, "passwd");
            test.accounts()
                .record_host_password_change(&name("alice"), actor, now)
                .unwrap();
        }),
        ("disabled, and enrolled again", |test, app, now| {
            test.disables("alice", "root", now);
            test.activates(app);
        }),
        ("a new authenticator", |test, _, now| {
            let further = PendingEnrollment::further(test.config(), &name("alice")).unwrap();
            let further = further.with_label("second".parse().unwrap());
            test.enrollment()
                .activate(
                    &further,
                    &EnrollmentConfirmation::by_administrator(),
                    "root",
                    now,
                )
                .unwrap();
        }),
        ("an authenticator removed", |test, _, now| {
            test.enrollment()
                .remove_authenticator(&name("alice"), &"second".parse().unwrap(), "root", now)
                .unwrap();
        }),
        ("a recovery code", |test, app, now| {
            let origin = remote("198.51.100.1");
            accepted(&test.attempt_from("alice", &origin, Phase::After, &recovery(app, 0), now));
        }),
        ("a recovery code from there", |test, app, now| {
            accepted(&test.attempt_from(
                "alice",
                &remote(HERE),
                Phase::After,
                &recovery(app, 1),
                now,
            ));
        }),
        ("groups", |test, _, now| {
            test.accounts()
                .change_groups(&name("alice"), &["ops".parse().unwrap()], &[], "root", now)
                .unwrap();
        }),
        ("sessions revoked", |test, _, now| {
            assert_eq!(
                test.sessions()
                    .revoke_sessions(&name("alice"), None, "root", now)
                    .unwrap(),
                0
            );
        }),
        ("browsers revoked", |test, _, now| {
            assert_eq!(
                test.sessions()
                    .revoke_browsers(&name("alice"), None, "root", now)
                    .unwrap(),
                0
            );
        }),
        ("another name and back", |test, _, now| {
            test.accounts()
                .rename_account(
                    &name("alice"),
                    &name("alison"),
                    postern_shared::account::name::Distinct::No,
                    "root",
                    now,
                )
                .unwrap();
            test.accounts()
                .rename_account(
                    &name("alison"),
                    &name("alice"),
                    postern_shared::account::name::Distinct::No,
                    "root",
                    now,
                )
                .unwrap();
        }),
        ("all keys renewed", |test, _, now| {
            test.keys()
                .rotate_keys(Renewal::All, "root", now)
                .map(drop)
                .unwrap();
        }),
        ("removed, and made again", |test, app, now| {
            test.accounts()
                .remove_account(&name("alice"), "root", now)
                .unwrap();
            test.activates(app);
        }),
    ];
    let (mut test, app) = alice_at_the_web("");
    for (hours, (what, act)) in acts.into_iter().enumerate() {
        let now = NOW.plus(hours as u64 * 3600);
        let code = code_at(&app, 0, now);
        accepted(&test.attempt_from("alice", &remote(HERE), Phase::After, &code, now));
        assert!(test.is_within_grace(now), "before {what}");
        act(&mut test, &app, now);
        assert!(!test.is_within_grace(now), "after {what}");
    }
}

/// A revocation of what does not exist changes nothing.
#[test]
fn a_session_or_browser_that_is_not_there_ends_none() {
    let (mut test, app) = alice("");
    test.code_from(&app, HERE, 0);
    let revoked = test
        .sessions()
        .revoke_browsers(&name("alice"), Some(7), "root", NOW);
    assert!(matches!(
        revoked,
        Err(AdministrationError::NothingToRevoke(..))
    ));
    assert!(test.is_within_grace(NOW));
    test.sessions()
        .revoke_browsers(&name("alice"), None, "root", NOW)
        .unwrap();
    let again = test
        .sessions()
        .revoke_sessions(&name("alice"), None, "root", NOW);
    assert!(matches!(
        again,
        Err(AdministrationError::NothingToRevoke(..))
    ));
}
