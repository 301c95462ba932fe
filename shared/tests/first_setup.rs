//! A first enrollment without root, confirmed by the password of this host. The tests give the
//! host's reply themselves; the stories use the real PAM.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::credential::otp::totp::generate_code;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{AdministrationError, EnrollmentRequest, Requester};
use postern_shared::protocol::command_request::{
    AuthenticatorKind, CommandRequest, EngineReply, EnrollmentOperation, FinishOperation,
    Operation, ReplyBody, ShownAuthenticator, TypedText,
};
use postern_shared::protocol::host_password::HostPasswordReply;
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::Refusal;
use test_store::{NOW, TestStore, assert_lacks, name};

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
    test: &mut TestStore,
    who: &str,
    account: &str,
    now: Timestamp,
) -> Result<EnrollmentRequest, AdministrationError> {
    let who = name(who);
    let caller = Requester::Owner {
        name: &who,
        uid: 1000,
    };
    test.enrollment().prepare_first_enrollment(
        caller,
        &name(account),
        setup(AuthenticatorKind::First),
        now,
    )
}

fn hears(
    test: &mut TestStore,
    asking: EnrollmentRequest,
    output: HostPasswordReply,
    now: Timestamp,
) -> Result<EngineReply, AdministrationError> {
    let who = name("alice");
    test.enrollment().begin_first_enrollment(
        Requester::Owner {
            name: &who,
            uid: 1000,
        },
        asking,
        output,
        now,
    )
}

fn tries(
    test: &mut TestStore,
    output: HostPasswordReply,
    now: Timestamp,
) -> Result<EngineReply, AdministrationError> {
    let asking = asks(test, "alice", "alice", now)?;
    hears(test, asking, output, now)
}

fn finishes(
    test: &mut TestStore,
    finish: FinishOperation,
) -> Result<EngineReply, AdministrationError> {
    let who = name("alice");
    let request = CommandRequest {
        account: who.clone(),
        operation: Operation::Finish(finish),
    };
    test.commands().execute_request(
        Requester::Owner {
            name: &who,
            uid: 1000,
        },
        &request,
        NOW,
    )
}

/// Returns the token of the enrollment that the right password confirmed.
#[track_caller]
fn confirmed(test: &mut TestStore, begun: EngineReply) -> TypedText {
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
        test,
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

fn enrolled(test: &mut TestStore) -> Enrolled {
    test.enrolled("alice")
}

#[test]
fn a_right_password_begins_the_first_setup_also_of_someone_without_an_account() {
    let mut test = TestStore::new("");
    let begun = tries(&mut test, HostPasswordReply::Right, NOW).unwrap();
    let token = confirmed(&mut test, begun);
    assert_eq!(enrolled(&mut test), Enrolled::No);
    finishes(
        &mut test,
        FinishOperation::Activate {
            token: token.clone(),
        },
    )
    .unwrap();
    assert_eq!(enrolled(&mut test), Enrolled::Yes);
    let again = finishes(&mut test, FinishOperation::Activate { token });
    assert!(
        matches!(again, Err(AdministrationError::AlreadyEnrolled(_))),
        "{again:?}"
    );
}

#[test]
fn wrong_passwords_are_delayed_and_never_lock() {
    let mut test = TestStore::new("[throttle]\nlock_after = 10\n");
    test.adds_account("alice");
    for _ in 0..5 {
        let wrong = tries(&mut test, HostPasswordReply::Wrong, NOW);
        assert!(
            matches!(
                wrong,
                Err(AdministrationError::HostPassword(Refusal::Wrong))
            ),
            "{wrong:?}"
        );
    }
    let delayed = asks(&mut test, "alice", "alice", NOW);
    let Err(AdministrationError::HostPassword(Refusal::Delayed { wait: 30 })) = delayed else {
        panic!("{delayed:?}")
    };
    let mut now = NOW;
    for _ in 0..20 {
        now = now.plus(3600);
        let wrong = tries(&mut test, HostPasswordReply::Wrong, now);
        assert!(
            matches!(
                wrong,
                Err(AdministrationError::HostPassword(Refusal::Wrong))
            ),
            "{wrong:?}"
        );
    }
    tries(&mut test, HostPasswordReply::Right, now.plus(3600)).unwrap();
    // a success clears the count of wrong inputs
    for _ in 0..5 {
        tries(&mut test, HostPasswordReply::Wrong, now.plus(3600)).unwrap_err();
    }
}

/// Parallel attempts are charged before the host verifies any of them.
#[test]
fn no_more_are_looked_at_at_once_than_the_row_allows() {
    let mut test = TestStore::new("");
    let asked: Vec<_> = (0..20)
        .filter_map(|_| asks(&mut test, "alice", "alice", NOW).ok())
        .collect();
    assert_eq!(asked.len(), 5);
    for asking in asked {
        hears(&mut test, asking, HostPasswordReply::Right, NOW).unwrap();
    }
    assert!(asks(&mut test, "alice", "alice", NOW).is_ok());
}

#[test]
fn what_the_host_was_not_asked_is_free_and_what_it_did_not_answer_is_not() {
    let mut test = TestStore::new("");
    for _ in 0..20 {
        let unasked = tries(&mut test, HostPasswordReply::NotVerified, NOW);
        assert!(
            matches!(
                unasked,
                Err(AdministrationError::HostPasswordUnavailable(_))
            ),
            "{unasked:?}"
        );
    }
    for _ in 0..5 {
        drop(asks(&mut test, "alice", "alice", NOW).unwrap());
    }
    let delayed = asks(&mut test, "alice", "alice", NOW);
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
    let mut test = TestStore::new("");
    let others = asks(&mut test, "bob", "alice", NOW);
    assert!(
        matches!(others, Err(AdministrationError::NotOwn(_))),
        "{others:?}"
    );
    let asking = asks(&mut test, "alice", "alice", NOW).unwrap();
    let who = name("bob");
    let taken = test.enrollment().begin_first_enrollment(
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

    let app = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    let meanwhile = asks(&mut test, "alice", "alice", NOW).unwrap();
    test.activates(&app);
    let begun = hears(&mut test, meanwhile, HostPasswordReply::Right, NOW).unwrap();
    let token = confirmed(&mut test, begun);
    let late = finishes(&mut test, FinishOperation::Activate { token });
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
        let on = test
            .enrollment()
            .prepare_first_enrollment(caller, &who, setup(kind), NOW);
        assert!(
            matches!(on, Err(AdministrationError::AlreadyEnrolled(_))),
            "{on:?}"
        );
    }
    test_store::accepted(&test.attempt("alice", &test_store::code_of(&app, 0), NOW));
}

/// A pending enrollment is invalid after the account is removed.
#[test]
fn a_setup_that_was_asked_for_does_not_outlive_a_removal() {
    let mut test = TestStore::new("");
    test.adds_account("alice");
    let asking = asks(&mut test, "alice", "alice", NOW).unwrap();
    test.accounts()
        .remove_account(&name("alice"), "root", NOW)
        .unwrap();
    test.adds_account("alice");
    let begun = hears(&mut test, asking, HostPasswordReply::Right, NOW).unwrap();
    let token = confirmed(&mut test, begun);
    let stale = finishes(&mut test, FinishOperation::Activate { token });
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
        let mut test = TestStore::new(&format!("[policy]\nself_enroll = {policy}\n"));
        for _ in 0..20 {
            let refused = asks(&mut test, "alice", "alice", NOW);
            assert!(
                matches!(refused, Err(AdministrationError::OneTimeCodeNeeded(_))),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn where_the_host_is_not_asked_no_password_is_right() {
    let mut test = TestStore::new("");
    let op = Operation::FirstEnrollment {
        password: "secret".to_owned().into(),
        setup: setup(AuthenticatorKind::First),
    };
    let request = CommandRequest {
        account: name("alice"),
        operation: op,
    };
    assert_lacks(format!("{request:?}"), "secret");
    let run = test.commands().execute_request(
        Requester::Owner {
            name: &name("alice"),
            uid: 1000,
        },
        &request,
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
    let mut test = TestStore::new("[policy]\nrequired = \"all\"\nenroll_within = \"1h\"");
    tries(&mut test, HostPasswordReply::Wrong, NOW).unwrap_err();
    let begun = tries(&mut test, HostPasswordReply::Right, NOW.plus(3599)).unwrap();
    assert!(matches!(begun.answer, ReplyBody::NewAuthenticator(_)));
    let late = tries(&mut test, HostPasswordReply::Right, NOW.plus(3600)).unwrap_err();
    assert!(
        matches!(late, AdministrationError::OneTimeCodeNeeded(_)),
        "{late:?}"
    );
    let mut test = TestStore::new("[policy]\nrequired = \"all\"");
    let never = tries(&mut test, HostPasswordReply::Right, NOW).unwrap_err();
    assert!(
        matches!(never, AdministrationError::OneTimeCodeNeeded(_)),
        "{never:?}"
    );
}
