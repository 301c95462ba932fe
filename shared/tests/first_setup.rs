//! A first enrollment without root, confirmed by the password of this host. The tests give the
//! host's reply themselves; the stories use the real PAM.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;

use home::{Home, NOW, assert_lacks, name};
use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::otpauth_uri;
use postern_shared::credential::totp::generate_code;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{AdministrationError, EnrollmentRequest, Requester};
use postern_shared::protocol::command_request::{
    AuthenticatorKind, CommandRequest, EngineReply, EnrollmentOperation, FinishOperation,
    Operation, ReplyBody, ShownAuthenticator, TypedText,
};
use postern_shared::protocol::host_password::HostPasswordReply;
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::Refusal;

fn setup(kind: AuthenticatorKind) -> EnrollmentOperation {
    let name = "app".parse().unwrap();
    EnrollmentOperation {
        kind,
        name,
        seed: None,
        counter: None,
        algorithm: None,
        digits: None,
        period: None,
    }
}

fn asks(
    home: &mut Home,
    who: &str,
    account: &str,
    now: Timestamp,
) -> Result<EnrollmentRequest, AdministrationError> {
    let who = name(who);
    let caller = Requester::Owner {
        name: &who,
        uid: 1000,
    };
    home.enrollment().prepare_first_enrollment(
        caller,
        &name(account),
        setup(AuthenticatorKind::First),
        now,
    )
}

fn hears(
    home: &mut Home,
    asking: EnrollmentRequest,
    said: HostPasswordReply,
    now: Timestamp,
) -> Result<EngineReply, AdministrationError> {
    let who = name("alice");
    home.enrollment().begin_first_enrollment(
        Requester::Owner {
            name: &who,
            uid: 1000,
        },
        asking,
        said,
        now,
    )
}

fn tries(
    home: &mut Home,
    said: HostPasswordReply,
    now: Timestamp,
) -> Result<EngineReply, AdministrationError> {
    let asking = asks(home, "alice", "alice", now)?;
    hears(home, asking, said, now)
}

fn finishes(home: &mut Home, finish: FinishOperation) -> Result<EngineReply, AdministrationError> {
    let who = name("alice");
    let errand = CommandRequest {
        account: who.clone(),
        operation: Operation::Finish(finish),
    };
    home.commands().execute_request(
        Requester::Owner {
            name: &who,
            uid: 1000,
        },
        &errand,
        NOW,
    )
}

/// Returns the token of the enrollment that the right password confirmed.
#[track_caller]
fn confirmed(home: &mut Home, begun: EngineReply) -> TypedText {
    let ReplyBody::NewAuthenticator(ShownAuthenticator {
        url,
        token,
        recovery_codes,
        ..
    }) = begun.answer
    else {
        panic!("{begun:?}")
    };
    assert_eq!(recovery_codes.len(), 6);
    let (secret, parameters) = otpauth_uri::parse_declared_secret(&url).unwrap();
    let shown = generate_code(&secret, parameters, parameters.moving.step_at(NOW).unwrap());
    match finishes(
        home,
        FinishOperation::Confirm {
            token,
            code: shown.to_string().into(),
        },
    )
    .unwrap()
    .answer
    {
        ReplyBody::Confirmed { token } => token,
        other => panic!("{other:?}"),
    }
}

fn enrolled(home: &mut Home) -> Enrolled {
    home.enrolled("alice")
}

#[test]
fn a_right_password_begins_the_first_setup_also_of_someone_without_an_account() {
    let mut home = Home::new("");
    let begun = tries(&mut home, HostPasswordReply::Right, NOW).unwrap();
    let token = confirmed(&mut home, begun);
    assert_eq!(enrolled(&mut home), Enrolled::No);
    finishes(
        &mut home,
        FinishOperation::Activate {
            token: token.clone(),
        },
    )
    .unwrap();
    assert_eq!(enrolled(&mut home), Enrolled::Yes);
    let again = finishes(&mut home, FinishOperation::Activate { token });
    assert!(
        matches!(again, Err(AdministrationError::AlreadyEnrolled(_))),
        "{again:?}"
    );
}

#[test]
fn wrong_passwords_are_delayed_and_never_lock() {
    let mut home = Home::new("[throttle]\nlock_after = 10\n");
    home.adds_account("alice");
    for _ in 0..5 {
        let wrong = tries(&mut home, HostPasswordReply::Wrong, NOW);
        assert!(
            matches!(
                wrong,
                Err(AdministrationError::HostPassword(Refusal::Wrong))
            ),
            "{wrong:?}"
        );
    }
    let delayed = asks(&mut home, "alice", "alice", NOW);
    let Err(AdministrationError::HostPassword(Refusal::Delayed { wait: 30 })) = delayed else {
        panic!("{delayed:?}")
    };
    let mut now = NOW;
    for _ in 0..20 {
        now = now.plus(3600);
        let wrong = tries(&mut home, HostPasswordReply::Wrong, now);
        assert!(
            matches!(
                wrong,
                Err(AdministrationError::HostPassword(Refusal::Wrong))
            ),
            "{wrong:?}"
        );
    }
    tries(&mut home, HostPasswordReply::Right, now.plus(3600)).unwrap();
    // a success clears the count of wrong inputs
    for _ in 0..5 {
        tries(&mut home, HostPasswordReply::Wrong, now.plus(3600)).unwrap_err();
    }
}

/// Parallel attempts are charged before the host verifies any of them.
#[test]
fn no_more_are_looked_at_at_once_than_the_row_allows() {
    let mut home = Home::new("");
    let asked: Vec<_> = (0..20)
        .filter_map(|_| asks(&mut home, "alice", "alice", NOW).ok())
        .collect();
    assert_eq!(asked.len(), 5);
    for asking in asked {
        hears(&mut home, asking, HostPasswordReply::Right, NOW).unwrap();
    }
    assert!(asks(&mut home, "alice", "alice", NOW).is_ok());
}

#[test]
fn what_the_host_was_not_asked_is_free_and_what_it_did_not_answer_is_not() {
    let mut home = Home::new("");
    for _ in 0..20 {
        let unasked = tries(&mut home, HostPasswordReply::NotVerified, NOW);
        assert!(
            matches!(
                unasked,
                Err(AdministrationError::HostPasswordUnavailable(_))
            ),
            "{unasked:?}"
        );
    }
    for _ in 0..5 {
        drop(asks(&mut home, "alice", "alice", NOW).unwrap());
    }
    let delayed = asks(&mut home, "alice", "alice", NOW);
    assert!(
        matches!(
            delayed,
            Err(AdministrationError::HostPassword(Refusal::Delayed { .. }))
        ),
        "{delayed:?}"
    );
}

/// A password of the host allows nothing but the first enrollment of a person's own second factor.
#[test]
fn a_password_changes_nothing_but_ones_own_first_second_factor() {
    let mut home = Home::new("");
    let others = asks(&mut home, "bob", "alice", NOW);
    assert!(
        matches!(others, Err(AdministrationError::NotOwn(_))),
        "{others:?}"
    );
    let asking = asks(&mut home, "alice", "alice", NOW).unwrap();
    let who = name("bob");
    let taken = home.enrollment().begin_first_enrollment(
        Requester::Owner {
            name: &who,
            uid: 1001,
        },
        asking,
        HostPasswordReply::Right,
        NOW,
    );
    assert!(
        matches!(taken, Err(AdministrationError::NotOwn(_))),
        "{taken:?}"
    );

    let app = PendingEnrollment::new(home.config(), &name("alice")).unwrap();
    let meanwhile = asks(&mut home, "alice", "alice", NOW).unwrap();
    home.activates(&app);
    let begun = hears(&mut home, meanwhile, HostPasswordReply::Right, NOW).unwrap();
    let token = confirmed(&mut home, begun);
    let late = finishes(&mut home, FinishOperation::Activate { token });
    assert!(
        matches!(late, Err(AdministrationError::AlreadyEnrolled(_))),
        "{late:?}"
    );
    for kind in [AuthenticatorKind::First, AuthenticatorKind::Further] {
        let who = name("alice");
        let caller = Requester::Owner {
            name: &who,
            uid: 1000,
        };
        let on = home
            .enrollment()
            .prepare_first_enrollment(caller, &who, setup(kind), NOW);
        assert!(
            matches!(on, Err(AdministrationError::AlreadyEnrolled(_))),
            "{on:?}"
        );
    }
    home::accepted(&home.attempt("alice", &home::code_of(&app, 0), NOW));
}

/// A pending enrollment is invalid after the account is removed.
#[test]
fn a_setup_that_was_asked_for_does_not_outlive_a_removal() {
    let mut home = Home::new("");
    home.adds_account("alice");
    let asking = asks(&mut home, "alice", "alice", NOW).unwrap();
    home.accounts()
        .remove_account(&name("alice"), "root", NOW)
        .unwrap();
    home.adds_account("alice");
    let begun = hears(&mut home, asking, HostPasswordReply::Right, NOW).unwrap();
    let token = confirmed(&mut home, begun);
    let stale = finishes(&mut home, FinishOperation::Activate { token });
    assert!(
        matches!(stale, Err(AdministrationError::Stale)),
        "{stale:?}"
    );
}

/// Where the policy requires a one-time code, the password of the host does not suffice.
#[test]
fn where_the_policy_wants_a_one_time_code_no_password_does() {
    for policy in [
        "\"one-time-code\"",
        "\"networks\"\nself_enroll_networks = [\"127.0.0.0/8\", \"::/0\"]",
    ] {
        let mut home = Home::new(&format!("[policy]\nself_enroll = {policy}\n"));
        for _ in 0..20 {
            let refused = asks(&mut home, "alice", "alice", NOW);
            assert!(
                matches!(refused, Err(AdministrationError::OneTimeCodeNeeded(_))),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn where_the_host_is_not_asked_no_password_is_right() {
    let mut home = Home::new("");
    let task = Operation::FirstEnrollment {
        password: "secret".to_owned().into(),
        setup: setup(AuthenticatorKind::First),
    };
    let errand = CommandRequest {
        account: name("alice"),
        operation: task,
    };
    assert_lacks(&format!("{errand:?}"), "secret");
    let run = home.commands().execute_request(
        Requester::Owner {
            name: &name("alice"),
            uid: 1000,
        },
        &errand,
        NOW,
    );
    assert!(
        matches!(run, Err(AdministrationError::HostPasswordUnavailable(_))),
        "{run:?}"
    );
}

/// As at the web: after the enrollment grace period a required account needs an administrator's
/// one-time code.
#[test]
fn someone_required_needs_a_one_time_code_once_their_time_is_over() {
    let mut home = Home::new("[policy]\nrequired = \"all\"\nenroll_within = \"1h\"");
    tries(&mut home, HostPasswordReply::Wrong, NOW).unwrap_err();
    let begun = tries(&mut home, HostPasswordReply::Right, NOW.plus(3599)).unwrap();
    assert!(matches!(begun.answer, ReplyBody::NewAuthenticator(_)));
    let late = tries(&mut home, HostPasswordReply::Right, NOW.plus(3600)).unwrap_err();
    assert!(
        matches!(late, AdministrationError::OneTimeCodeNeeded(_)),
        "{late:?}"
    );
    let mut home = Home::new("[policy]\nrequired = \"all\"");
    let never = tries(&mut home, HostPasswordReply::Right, NOW).unwrap_err();
    assert!(
        matches!(never, AdministrationError::OneTimeCodeNeeded(_)),
        "{never:?}"
    );
}
