//! Operations of users who are not root: only on their own account, and with a code for every
//! change.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::credential::otp::totp::generate_code;
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{AdministrationError, COMMAND, Requester};
use postern_shared::protocol::command_request::{
    AuthenticatorKind, ChangeOperation, CommandRequest, EngineReply, EnrollmentOperation,
    FinishOperation, Operation, ReadOperation, ReplyBody, ShownAuthenticator, TypedText,
};
use postern_shared::protocol::status::SecondFactorState;
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::decision::Refusal;
use test_store::{NOW, TestStore, alice, code_of, name};

const UID: u32 = 1000;

type Done = Result<EngineReply, AdministrationError>;

/// Runs an operation of `who` on `account`.
fn asks(test: &mut TestStore, who: &str, account: &str, op: Operation, now: Timestamp) -> Done {
    let who = name(who);
    let caller = Requester::Owner {
        name: &who,
        uid: UID,
    };
    test.commands().execute_request(
        caller,
        &CommandRequest {
            account: name(account),
            operation: op,
        },
        now,
    )
}

fn changes(test: &mut TestStore, typed: &str, change: ChangeOperation) -> Done {
    let code = Some(TypedText::from(typed.to_owned()));
    asks(
        test,
        "alice",
        "alice",
        Operation::Change { code, change },
        NOW,
    )
}

fn finishes(test: &mut TestStore, finish: FinishOperation, now: Timestamp) -> Done {
    asks(test, "alice", "alice", Operation::Finish(finish), now)
}

fn activates(test: &mut TestStore, token: TypedText, now: Timestamp) -> Done {
    finishes(test, FinishOperation::Activate { token }, now)
}

fn replaces_codes(test: &mut TestStore, token: TypedText, now: Timestamp) -> Done {
    finishes(test, FinishOperation::ReplaceRecoveryCodes { token }, now)
}

fn setup(kind: AuthenticatorKind, label: &str) -> ChangeOperation {
    ChangeOperation::BeginEnrollment(EnrollmentOperation {
        kind,
        name: label.parse().unwrap(),
        seed: None,
        counter: None,
        algorithm: None,
        digits: None,
        period: None,
    })
}

/// Returns a store with alice, who has no second factor, and an administrator's one-time code for
/// her.
fn invited() -> (TestStore, String) {
    let mut test = TestStore::new("");
    test.adds_account("alice");
    let (code, _) = test.issues_one_time_code("alice", NOW);
    (test, code.grouped().to_string())
}

/// Returns the current code of the new authenticator, the token of the enrollment, and the recovery
/// codes.
#[track_caller]
fn begun(reply: Done) -> (String, TypedText, Vec<TypedText>) {
    match reply.unwrap().answer {
        ReplyBody::NewAuthenticator(ShownAuthenticator {
            url,
            token,
            recovery_codes,
            ..
        }) => {
            let (secret, parameters) = otpauth_uri::parse_declared_secret(&url).unwrap();
            let step = parameters.moving.step_at(NOW).unwrap();
            (
                generate_code(&secret, parameters, step).to_string(),
                token,
                recovery_codes,
            )
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn confirmed(test: &mut TestStore, token: &TypedText, code: &str) -> TypedText {
    let finish = FinishOperation::Confirm {
        token: token.clone(),
        code: code.to_owned().into(),
    };
    match finishes(test, finish, NOW).unwrap().answer {
        ReplyBody::Confirmed { token } => token,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn stale(reply: Done) {
    assert!(
        matches!(reply, Err(AdministrationError::Stale)),
        "{reply:?}"
    );
}

fn one_more(test: &mut TestStore, proof: &str, label: &str) -> TypedText {
    let (code, token, _) = begun(changes(
        test,
        proof,
        setup(AuthenticatorKind::Further, label),
    ));
    confirmed(test, &token, &code)
}

fn enrolled(test: &mut TestStore) -> Enrolled {
    test.enrolled("alice")
}

#[test]
fn no_user_looks_at_or_changes_anothers_account() {
    let (mut test, app) = alice("");
    test.adds_account("bob");
    let own = Some(TypedText::from(code_of(&app, 0)));
    for operation in [
        Operation::Read(ReadOperation::Status),
        Operation::Read(ReadOperation::Authenticators),
        Operation::Change {
            code: own,
            change: ChangeOperation::RevokeBrowsers(None),
        },
        Operation::Change {
            code: None,
            change: setup(AuthenticatorKind::First, "x"),
        },
        Operation::Finish(FinishOperation::Activate {
            token: "x".to_owned().into(),
        }),
    ] {
        let reply = asks(&mut test, "bob", "alice", operation, NOW);
        let Err(AdministrationError::NotOwn(own)) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(own, name("bob"));
    }
    let notified = asks(
        &mut test,
        "alice",
        "alice",
        Operation::Read(ReadOperation::Status),
        NOW,
    )
    .unwrap()
    .answer;
    let ReplyBody::Status(status) = notified else {
        panic!("{notified:?}")
    };
    assert_eq!(status.state, SecondFactorState::On);
}

#[test]
fn every_change_needs_a_code_and_spends_it() {
    let (mut test, app) = alice("");
    let more = |label| setup(AuthenticatorKind::Further, label);
    for change in [
        more("x"),
        ChangeOperation::BeginRecoveryCodes,
        ChangeOperation::RevokeBrowsers(None),
        ChangeOperation::RemoveAuthenticator("app".parse().unwrap()),
    ] {
        let without = asks(
            &mut test,
            "alice",
            "alice",
            Operation::Change { code: None, change },
            NOW,
        );
        assert!(
            matches!(without, Err(AdministrationError::Code(Refusal::Malformed))),
            "{without:?}"
        );
    }
    let right = code_of(&app, 0);
    begun(changes(&mut test, &right, more("x")));
    let again = changes(&mut test, &right, more("x"));
    assert!(
        matches!(again, Err(AdministrationError::Code(Refusal::Used { .. }))),
        "{again:?}"
    );
    test_store::refused(
        &test.attempt("alice", &right, NOW),
        Refusal::Used { wait: 15 },
    );
}

#[test]
fn wrong_codes_are_counted_in_the_row_of_the_local_user_and_delayed() {
    let (mut test, app) = alice("");
    for _ in 0..5 {
        let wrong = changes(
            &mut test,
            &code_of(&app, 99),
            ChangeOperation::BeginRecoveryCodes,
        );
        assert!(
            matches!(wrong, Err(AdministrationError::Code(Refusal::Wrong))),
            "{wrong:?}"
        );
    }
    let delayed = changes(
        &mut test,
        &code_of(&app, 0),
        ChangeOperation::BeginRecoveryCodes,
    );
    assert!(
        matches!(
            delayed,
            Err(AdministrationError::Code(Refusal::Delayed { .. }))
        ),
        "{delayed:?}"
    );
    let events = test
        .audit_log()
        .list_events(
            &EventFilter {
                kind: Some(EventKind::Refused),
                ..EventFilter::default()
            },
            0,
            100,
        )
        .unwrap();
    assert_eq!(events.len(), 5);
    assert!(
        events
            .iter()
            .all(|(_, event)| event.origin == "local user alice" && event.service == COMMAND)
    );
    // no wrong input was counted in another bucket
    test_store::accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
}

/// A first enrollment needs a one-time code of an administrator. A cancelled enrollment does not
/// consume it; only the completed one does.
#[test]
fn a_first_setup_takes_an_administrators_one_time_code_and_spends_it_at_the_end() {
    let (mut test, invitation) = invited();
    let first = || setup(AuthenticatorKind::First, "app");
    for typed in ["", "123456", "the password of alice"] {
        let uninvited = changes(&mut test, typed, first());
        assert!(
            matches!(uninvited, Err(AdministrationError::ProofNeeded(_))),
            "{uninvited:?}"
        );
    }
    let wrong = changes(&mut test, "P-2222-2222-2222", first());
    assert!(
        matches!(wrong, Err(AdministrationError::Code(Refusal::Wrong))),
        "{wrong:?}"
    );

    // an enrollment that is cut off does not consume the code
    begun(changes(&mut test, &invitation, first()));
    let (other, another, _) = begun(changes(&mut test, &invitation, first()));
    let other = confirmed(&mut test, &another, &other);
    let (code, token, recovery_codes) = begun(changes(&mut test, &invitation, first()));
    assert_eq!(recovery_codes.len(), 6);
    let token = confirmed(&mut test, &token, &code);
    assert_eq!(enrolled(&mut test), Enrolled::No);
    activates(&mut test, token.clone(), NOW).unwrap();
    assert_eq!(enrolled(&mut test), Enrolled::Yes);
    test_store::refused(
        &test.attempt("alice", &code, NOW),
        Refusal::Used { wait: 15 },
    );

    for token in [token, other] {
        let again = activates(&mut test, token.clone(), NOW);
        assert!(
            matches!(again, Err(AdministrationError::AlreadyEnrolled(_))),
            "{again:?}"
        );
        test.disables("alice", "root", NOW);
        stale(activates(&mut test, token, NOW));
        let spent = changes(&mut test, &invitation, first());
        assert!(
            matches!(spent, Err(AdministrationError::Code(_))),
            "{spent:?}"
        );
        let renewed = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
        test.activates(&renewed);
    }
}

#[test]
fn an_invitation_that_was_taken_back_finishes_nothing() {
    let (mut test, invitation) = invited();
    let (code, token, _) = begun(changes(
        &mut test,
        &invitation,
        setup(AuthenticatorKind::First, "app"),
    ));
    let token = confirmed(&mut test, &token, &code);
    test.accounts()
        .cancel_one_time_code(&name("alice"), "root", NOW)
        .unwrap();
    stale(activates(&mut test, token, NOW));
    assert_eq!(enrolled(&mut test), Enrolled::No);
}

/// A token is accepted only for the next operation of its own enrollment, and only before it
/// expires.
#[test]
fn tokens_lead_to_their_own_step_within_their_time() {
    let (mut test, app) = alice("");
    let (code, token, codes) = begun(changes(
        &mut test,
        &code_of(&app, 0),
        setup(AuthenticatorKind::Further, "x"),
    ));
    assert!(codes.is_empty());
    stale(activates(&mut test, token.clone(), NOW));
    stale(replaces_codes(&mut test, token.clone(), NOW));
    let vouched = finishes(
        &mut test,
        FinishOperation::ActivateUnconfirmed {
            token: token.clone(),
        },
        NOW,
    );
    assert!(
        matches!(vouched, Err(AdministrationError::OnlyRoot)),
        "{vouched:?}"
    );
    let confirm = |code: &str| FinishOperation::Confirm {
        token: token.clone(),
        code: code.to_owned().into(),
    };
    let wrong = finishes(&mut test, confirm("000000"), NOW).unwrap().answer;
    assert!(matches!(wrong, ReplyBody::NotConfirmed(_)), "{wrong:?}");
    stale(finishes(&mut test, confirm(&code), NOW.plus(900)));

    let confirmed = confirmed(&mut test, &token, &code);
    let others = name("alice");
    let op = || {
        Operation::Finish(FinishOperation::Activate {
            token: confirmed.clone(),
        })
    };
    for uid in [Some(UID + 1), None] {
        let caller = match uid {
            Some(uid) => Requester::Owner { name: &others, uid },
            None => Requester::Root("root"),
        };
        let request = CommandRequest {
            account: name("alice"),
            operation: op(),
        };
        stale(test.commands().execute_request(caller, &request, NOW));
    }
    test.adds_account("bob");
    stale(asks(&mut test, "bob", "bob", op(), NOW));
    stale(activates(&mut test, confirmed.clone(), NOW.plus(900)));
    activates(&mut test, confirmed, NOW.plus(899)).unwrap();
    test_store::accepted(&test.attempt("alice", &code_of(&app, 1), NOW));
}

/// A person who held the account before a revocation cannot finish a pending operation.
#[test]
fn what_was_begun_does_not_outlive_a_revocation() {
    let (mut test, app) = alice("");
    let begun = one_more(&mut test, &code_of(&app, 0), "thief");
    test.disables("alice", "root", NOW);
    let renewed = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&renewed);
    stale(activates(&mut test, begun, NOW));
    assert_eq!(
        test.enrollment()
            .list_authenticators(&name("alice"))
            .unwrap()
            .len(),
        1
    );
    assert!(
        !test.holds(b"thief"),
        "what is not finished is nowhere in the store"
    );

    let begun = one_more(&mut test, &code_of(&renewed, 0), "thief");
    test.accounts()
        .remove_account(&name("alice"), "root", NOW)
        .unwrap();
    let third = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&third);
    stale(activates(&mut test, begun, NOW));
}

/// With stolen data keys an attacker can forge tokens until the keys are replaced.
#[test]
fn what_was_begun_does_not_outlive_the_data_keys() {
    let (mut test, app) = alice("");
    let begun = one_more(&mut test, &code_of(&app, 0), "x");
    test.keys().rotate_keys(Renewal::All, "root", NOW).unwrap();
    stale(activates(&mut test, begun, NOW));
}

#[test]
fn an_authenticator_that_was_removed_does_not_come_back() {
    let (mut test, app) = alice("");
    let token = one_more(&mut test, &code_of(&app, 0), "x");
    activates(&mut test, token.clone(), NOW).unwrap();
    let remove = ChangeOperation::RemoveAuthenticator("x".parse().unwrap());
    changes(&mut test, &code_of(&app, 1), remove).unwrap();
    stale(activates(&mut test, token, NOW));
}

/// A new set invalidates the old one, and no recovery code is accepted twice.
#[test]
fn recovery_codes_are_replaced_once_and_used_ones_stay_used() {
    let (mut test, app) = alice("");
    let new = |test: &mut TestStore, code: &str| match changes(
        test,
        code,
        ChangeOperation::BeginRecoveryCodes,
    )
    .unwrap()
    .answer
    {
        ReplyBody::RecoveryCodes { codes, token } => (codes, token),
        other => panic!("{other:?}"),
    };
    let (codes, token) = new(&mut test, &code_of(&app, 0));
    test_store::accepted(&test.attempt("alice", &app.recovery_codes()[0].grouped(), NOW));
    stale(replaces_codes(&mut test, token, NOW));
    test_store::refused(&test.attempt("alice", &codes[0], NOW), Refusal::Wrong);

    let (codes, token) = new(&mut test, &code_of(&app, 1));
    replaces_codes(&mut test, token.clone(), NOW).unwrap();
    test_store::accepted(&test.attempt("alice", &codes[0], NOW));
    stale(replaces_codes(&mut test, token, NOW));
    test_store::refused(
        &test.attempt("alice", &codes[0], NOW),
        Refusal::Used { wait: 0 },
    );
    test_store::refused(
        &test.attempt("alice", &app.recovery_codes()[1].grouped(), NOW),
        Refusal::Wrong,
    );
}

#[test]
fn a_recovery_code_changes_things_too_and_what_it_leaves_is_reported() {
    let (mut test, app) = alice("");
    let reply = changes(
        &mut test,
        &app.recovery_codes()[0].grouped(),
        setup(AuthenticatorKind::Further, "x"),
    )
    .unwrap();
    assert_eq!(reply.messages, ["5 recovery codes are left"]);
    let (code, token, _) = begun(Ok(reply));
    let token = confirmed(&mut test, &token, &code);
    activates(&mut test, token, NOW).unwrap();
}

/// An enrollment that is not possible is refused before its code is consumed.
#[test]
fn a_refused_setup_spends_no_code() {
    let (mut test, app) = alice("");
    let taken = changes(
        &mut test,
        &code_of(&app, 0),
        setup(AuthenticatorKind::Further, "app"),
    );
    assert!(
        matches!(taken, Err(AdministrationError::LabelTaken(..))),
        "{taken:?}"
    );
    let first = changes(
        &mut test,
        &code_of(&app, 0),
        setup(AuthenticatorKind::First, "x"),
    );
    assert!(
        matches!(first, Err(AdministrationError::AlreadyEnrolled(_))),
        "{first:?}"
    );
    test_store::accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
}

/// Root uses the same operations, without a code.
#[test]
fn root_changes_any_account_without_a_code() {
    let mut test = TestStore::new("");
    let account: UserName = name("alice");
    let mut run = |op| {
        let request = CommandRequest {
            account: account.clone(),
            operation: op,
        };
        test.commands()
            .execute_request(Requester::Root("root"), &request, NOW)
    };
    let (_, token, _) = begun(run(Operation::Change {
        code: None,
        change: setup(AuthenticatorKind::First, "app"),
    }));
    run(Operation::Finish(FinishOperation::ActivateUnconfirmed {
        token: token.clone(),
    }))
    .unwrap();
    let again = run(Operation::Finish(FinishOperation::ActivateUnconfirmed {
        token,
    }));
    assert!(
        matches!(again, Err(AdministrationError::AlreadyEnrolled(_))),
        "{again:?}"
    );
}
