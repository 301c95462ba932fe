//! Grace periods on a real store: which success begins one, where it applies, and what ends it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;

use home::{
    Home, NOW, PASSWORD, accepted, alice, alice_at_the_web, code_at, code_of, name, password,
    recovery, remote, request,
};
use postern_shared::config::GracePeriod;
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::engine::{AdministrationError, Engine, Principal, VerificationRequest};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::WithinGrace;
use postern_shared::verify::method::AuthenticationMethod;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;

const HOUR: GracePeriod = GracePeriod::new(3600);
const HERE: &str = "192.0.2.7";

/// Returns whether alice needs no code at a service because of a grace period.
fn spared_at(
    door: &mut Engine,
    service: &str,
    origin: &Origin,
    stage: Phase,
    now: Timestamp,
) -> bool {
    let alice = name("alice");
    let visitor = VerificationRequest {
        phase: stage,
        service,
        ..request(&alice, origin)
    };
    door.verification()
        .check_grace_period(&visitor, HOUR, now)
        .unwrap()
        == WithinGrace::Yes
}

impl Home {
    fn spared(&mut self, now: Timestamp) -> bool {
        spared_at(&mut self.door, "test", &remote(HERE), Phase::After, now)
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
    let (mut home, app) = alice("");
    assert!(!home.spared(NOW));
    home.code_from(&app, HERE, 0);
    assert!(home.spared(NOW) && home.spared(NOW.plus(3599)));
    assert!(!home.spared(NOW.plus(3600)));
    assert!(!home.spared(NOW.minus(1)), "the clock was set back");
    let mut at =
        |service: &str, origin: &Origin, stage| spared_at(&mut home, service, origin, stage, NOW);
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
    let visitor = request(&bob, &origin);
    assert_eq!(
        home.verification()
            .check_grace_period(&visitor, HOUR, NOW)
            .unwrap(),
        WithinGrace::No
    );
    // a check of the grace period does not extend it
    assert!(home.spared(NOW.plus(3500)));
    assert!(!home.spared(NOW.plus(3600)));
}

#[test]
fn without_an_address_no_code_begins_one() {
    let (mut home, app) = alice("");
    for (origin, offset) in [
        (Origin::Unknown, -1),
        (Origin::Local("alice".to_owned()), 0),
    ] {
        accepted(&home.attempt_from("alice", &origin, Phase::After, &code_of(&app, offset), NOW));
        assert!(!spared_at(&mut home, "test", &origin, Phase::After, NOW));
    }
    assert!(!home.spared(NOW));
}

#[test]
fn a_code_before_the_first_factor_begins_none_also_when_it_is_booked() {
    let (mut home, app) = alice("");
    let (origin, alice) = (remote(HERE), name("alice"));
    accepted(&home.attempt_from("alice", &origin, Phase::Before, &code_of(&app, 0), NOW));
    assert!(!home.spared(NOW));
    let visitor = VerificationRequest {
        phase: Phase::Before,
        ..request(&alice, &origin)
    };
    assert!(
        home.verification()
            .complete_login(&visitor, AuthenticationMethod::Code, NOW)
            .unwrap()
            .is_some()
    );
    assert!(!home.spared(NOW));
}

#[test]
fn nothing_but_a_code_begins_one() {
    let (mut home, app) = alice("");
    accepted(&home.attempt_from(
        "alice",
        &remote(HERE),
        Phase::After,
        &recovery(&app, 0),
        NOW,
    ));
    let (one_time, _) = home.issues_one_time_code("alice", NOW);
    accepted(&home.attempt_from(
        "alice",
        &remote(HERE),
        Phase::After,
        &one_time.grouped(),
        NOW,
    ));
    let (label, scope) = ("x".parse().unwrap(), "pam:test".parse().unwrap());
    let made = home
        .app_passwords()
        .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
        .unwrap();
    let (alice, origin) = (name("alice"), remote(HERE));
    let visitor = request(&alice, &origin);
    assert!(
        home.app_passwords()
            .verify_app_password(&visitor, &made, NOW)
            .unwrap()
            .is_ok()
    );
    assert!(!home.spared(NOW));
}

#[test]
fn whoever_guesses_from_there_is_not_spared() {
    let (mut home, app) = alice("");
    home.code_from(&app, HERE, 0);
    for _ in 0..5 {
        assert!(home.spared(NOW));
        home.attempt_from(
            "alice",
            &remote(HERE),
            Phase::After,
            &code_of(&app, 99),
            NOW,
        );
    }
    assert!(!home.spared(NOW));
    assert!(home.spared(NOW.plus(120)));
}

/// Every revocation and every change of a credential ends the grace periods of the account.
#[test]
fn every_revocation_ends_it() {
    type Act = fn(&mut Home, &PendingEnrollment, Timestamp);
    let acts: [(&str, Act); 13] = [
        ("a new password", |home, _, now| {
            home.accounts()
                .set_password(&name("alice"), &password(PASSWORD), "root", now)
                .unwrap();
        }),
        ("one of this host", |home, _, now| {
            let actor = Principal::Service("alice", &Origin::Unknown, "passwd");
            home.accounts()
                .record_host_password_change(&name("alice"), actor, now)
                .unwrap();
        }),
        ("disabled, and enrolled anew", |home, app, now| {
            home.disables("alice", "root", now);
            home.activates(app);
        }),
        ("a new authenticator", |home, _, now| {
            let further = PendingEnrollment::further(home.config(), &name("alice")).unwrap();
            let further = further.with_label("second".parse().unwrap());
            home.enrollment()
                .activate(
                    &further,
                    &EnrollmentConfirmation::by_administrator(),
                    "root",
                    now,
                )
                .unwrap();
        }),
        ("an authenticator removed", |home, _, now| {
            home.enrollment()
                .remove_authenticator(&name("alice"), &"second".parse().unwrap(), "root", now)
                .unwrap();
        }),
        ("a recovery code", |home, app, now| {
            let origin = remote("198.51.100.1");
            accepted(&home.attempt_from("alice", &origin, Phase::After, &recovery(app, 0), now));
        }),
        ("a recovery code from there", |home, app, now| {
            accepted(&home.attempt_from(
                "alice",
                &remote(HERE),
                Phase::After,
                &recovery(app, 1),
                now,
            ));
        }),
        ("groups", |home, _, now| {
            home.accounts()
                .change_groups(&name("alice"), &["ops".parse().unwrap()], &[], "root", now)
                .unwrap();
        }),
        ("sessions revoked", |home, _, now| {
            assert_eq!(
                home.sessions()
                    .revoke_sessions(&name("alice"), None, "root", now)
                    .unwrap(),
                0
            );
        }),
        ("browsers revoked", |home, _, now| {
            assert_eq!(
                home.sessions()
                    .revoke_browsers(&name("alice"), None, "root", now)
                    .unwrap(),
                0
            );
        }),
        ("another name and back", |home, _, now| {
            home.accounts()
                .rename_account(
                    &name("alice"),
                    &name("alison"),
                    postern_shared::account::name::Distinct::No,
                    "root",
                    now,
                )
                .unwrap();
            home.accounts()
                .rename_account(
                    &name("alison"),
                    &name("alice"),
                    postern_shared::account::name::Distinct::No,
                    "root",
                    now,
                )
                .unwrap();
        }),
        ("all keys renewed", |home, _, now| {
            home.keys()
                .rotate_keys(Renewal::All, "root", now)
                .map(drop)
                .unwrap();
        }),
        ("removed, and made anew", |home, app, now| {
            home.accounts()
                .remove_account(&name("alice"), "root", now)
                .unwrap();
            home.activates(app);
        }),
    ];
    let (mut home, app) = alice_at_the_web("");
    for (hours, (what, act)) in acts.into_iter().enumerate() {
        let now = NOW.plus(hours as u64 * 3600);
        let code = code_at(&app, 0, now);
        accepted(&home.attempt_from("alice", &remote(HERE), Phase::After, &code, now));
        assert!(home.spared(now), "before {what}");
        act(&mut home, &app, now);
        assert!(!home.spared(now), "after {what}");
    }
}

/// A revocation of what does not exist changes nothing.
#[test]
fn a_session_or_browser_that_is_not_there_ends_none() {
    let (mut home, app) = alice("");
    home.code_from(&app, HERE, 0);
    let revoked = home
        .sessions()
        .revoke_browsers(&name("alice"), Some(7), "root", NOW);
    assert!(matches!(
        revoked,
        Err(AdministrationError::NothingToRevoke(..))
    ));
    assert!(home.spared(NOW));
    home.sessions()
        .revoke_browsers(&name("alice"), None, "root", NOW)
        .unwrap();
    let again = home
        .sessions()
        .revoke_sessions(&name("alice"), None, "root", NOW);
    assert!(matches!(
        again,
        Err(AdministrationError::NothingToRevoke(..))
    ));
}
