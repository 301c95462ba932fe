//! Operations of users who are not root: only on their own account, and with a code for every
//! change.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod home;

use home::{Home, NOW, alice, code_of, name};
use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::otpauth_uri;
use postern_shared::credential::totp::generate_code;
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

const UID: u32 = 1000;

type Done = Result<EngineReply, AdministrationError>;

/// Runs an operation of `who` on `account`.
fn asks(home: &mut Home, who: &str, account: &str, task: Operation, now: Timestamp) -> Done {
    let who = name(who);
    let caller = Requester::Owner {
        name: &who,
        uid: UID,
    };
    home.commands().execute_request(
        caller,
        &CommandRequest {
            account: name(account),
            operation: task,
        },
        now,
    )
}

fn changes(home: &mut Home, typed: &str, change: ChangeOperation) -> Done {
    let code = Some(TypedText::from(typed.to_owned()));
    asks(
        home,
        "alice",
        "alice",
        Operation::Change { code, change },
        NOW,
    )
}

fn finishes(home: &mut Home, finish: FinishOperation, now: Timestamp) -> Done {
    asks(home, "alice", "alice", Operation::Finish(finish), now)
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
fn invited() -> (Home, String) {
    let mut home = Home::new("");
    home.adds_account("alice");
    let (code, _) = home.issues_one_time_code("alice", NOW);
    (home, code.grouped().to_string())
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
fn confirmed(home: &mut Home, token: &TypedText, code: &str) -> TypedText {
    let finish = FinishOperation::Confirm {
        token: token.clone(),
        code: code.to_owned().into(),
    };
    match finishes(home, finish, NOW).unwrap().answer {
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

fn one_more(home: &mut Home, proof: &str, label: &str) -> TypedText {
    let (code, token, _) = begun(changes(
        home,
        proof,
        setup(AuthenticatorKind::Further, label),
    ));
    confirmed(home, &token, &code)
}

fn enrolled(home: &mut Home) -> Enrolled {
    home.enrolled("alice")
}

#[test]
fn nobody_looks_at_or_changes_anothers_account() {
    let (mut home, app) = alice("");
    home.adds_account("bob");
    let own = Some(TypedText::from(code_of(&app, 0)));
    for task in [
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
        let reply = asks(&mut home, "bob", "alice", task, NOW);
        let Err(AdministrationError::NotOwn(own)) = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(own, name("bob"));
    }
    let told = asks(
        &mut home,
        "alice",
        "alice",
        Operation::Read(ReadOperation::Status),
        NOW,
    )
    .unwrap()
    .answer;
    let ReplyBody::Status(status) = told else {
        panic!("{told:?}")
    };
    assert_eq!(status.state, SecondFactorState::On);
}

#[test]
fn every_change_needs_a_code_and_spends_it() {
    let (mut home, app) = alice("");
    let more = |label| setup(AuthenticatorKind::Further, label);
    for change in [
        more("x"),
        ChangeOperation::BeginRecoveryCodes,
        ChangeOperation::RevokeBrowsers(None),
        ChangeOperation::RemoveAuthenticator("app".parse().unwrap()),
    ] {
        let without = asks(
            &mut home,
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
    begun(changes(&mut home, &right, more("x")));
    let again = changes(&mut home, &right, more("x"));
    assert!(
        matches!(again, Err(AdministrationError::Code(Refusal::Used { .. }))),
        "{again:?}"
    );
    home::refused(
        &home.attempt("alice", &right, NOW),
        Refusal::Used { wait: 15 },
    );
}

#[test]
fn wrong_codes_are_counted_in_the_row_of_the_local_user_and_delayed() {
    let (mut home, app) = alice("");
    for _ in 0..5 {
        let wrong = changes(
            &mut home,
            &code_of(&app, 99),
            ChangeOperation::BeginRecoveryCodes,
        );
        assert!(
            matches!(wrong, Err(AdministrationError::Code(Refusal::Wrong))),
            "{wrong:?}"
        );
    }
    let delayed = changes(
        &mut home,
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
    let events = home
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
    home::accepted(&home.attempt("alice", &code_of(&app, 0), NOW));
}

/// A first enrollment needs a one-time code of an administrator. A cancelled enrollment does not
/// consume it; only the completed one does.
#[test]
fn a_first_setup_takes_an_administrators_one_time_code_and_spends_it_at_the_end() {
    let (mut home, invitation) = invited();
    let first = || setup(AuthenticatorKind::First, "app");
    for typed in ["", "123456", "the password of alice"] {
        let uninvited = changes(&mut home, typed, first());
        assert!(
            matches!(uninvited, Err(AdministrationError::ProofNeeded(_))),
            "{uninvited:?}"
        );
    }
    let wrong = changes(&mut home, "P-2222-2222-2222", first());
    assert!(
        matches!(wrong, Err(AdministrationError::Code(Refusal::Wrong))),
        "{wrong:?}"
    );

    // an enrollment that is cut off does not consume the code
    begun(changes(&mut home, &invitation, first()));
    let (other, another, _) = begun(changes(&mut home, &invitation, first()));
    let other = confirmed(&mut home, &another, &other);
    let (code, token, recovery_codes) = begun(changes(&mut home, &invitation, first()));
    assert_eq!(recovery_codes.len(), 6);
    let token = confirmed(&mut home, &token, &code);
    assert_eq!(enrolled(&mut home), Enrolled::No);
    finishes(
        &mut home,
        FinishOperation::Activate {
            token: token.clone(),
        },
        NOW,
    )
    .unwrap();
    assert_eq!(enrolled(&mut home), Enrolled::Yes);
    home::refused(
        &home.attempt("alice", &code, NOW),
        Refusal::Used { wait: 15 },
    );

    for token in [token, other] {
        let again = finishes(
            &mut home,
            FinishOperation::Activate {
                token: token.clone(),
            },
            NOW,
        );
        assert!(
            matches!(again, Err(AdministrationError::AlreadyEnrolled(_))),
            "{again:?}"
        );
        home.disables("alice", "root", NOW);
        stale(finishes(
            &mut home,
            FinishOperation::Activate { token },
            NOW,
        ));
        let spent = changes(&mut home, &invitation, first());
        assert!(
            matches!(spent, Err(AdministrationError::Code(_))),
            "{spent:?}"
        );
        let anew = PendingEnrollment::new(home.config(), &name("alice")).unwrap();
        home.activates(&anew);
    }
}

#[test]
fn an_invitation_that_was_taken_back_finishes_nothing() {
    let (mut home, invitation) = invited();
    let (code, token, _) = begun(changes(
        &mut home,
        &invitation,
        setup(AuthenticatorKind::First, "app"),
    ));
    let token = confirmed(&mut home, &token, &code);
    home.accounts()
        .cancel_one_time_code(&name("alice"), "root", NOW)
        .unwrap();
    stale(finishes(
        &mut home,
        FinishOperation::Activate { token },
        NOW,
    ));
    assert_eq!(enrolled(&mut home), Enrolled::No);
}

/// A token is accepted only for the next operation of its own enrollment, and only before it
/// expires.
#[test]
fn tickets_lead_to_their_own_step_within_their_time() {
    let (mut home, app) = alice("");
    let (code, token, codes) = begun(changes(
        &mut home,
        &code_of(&app, 0),
        setup(AuthenticatorKind::Further, "x"),
    ));
    assert!(codes.is_empty());
    stale(finishes(
        &mut home,
        FinishOperation::Activate {
            token: token.clone(),
        },
        NOW,
    ));
    stale(finishes(
        &mut home,
        FinishOperation::ReplaceRecoveryCodes {
            token: token.clone(),
        },
        NOW,
    ));
    let vouched = finishes(
        &mut home,
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
    let wrong = finishes(&mut home, confirm("000000"), NOW).unwrap().answer;
    assert!(matches!(wrong, ReplyBody::NotConfirmed(_)), "{wrong:?}");
    stale(finishes(&mut home, confirm(&code), NOW.plus(900)));

    let confirmed = confirmed(&mut home, &token, &code);
    let others = name("alice");
    let task = || {
        Operation::Finish(FinishOperation::Activate {
            token: confirmed.clone(),
        })
    };
    for uid in [Some(UID + 1), None] {
        let caller = match uid {
            Some(uid) => Requester::Owner { name: &others, uid },
            None => Requester::Root("root"),
        };
        let errand = CommandRequest {
            account: name("alice"),
            operation: task(),
        };
        stale(home.commands().execute_request(caller, &errand, NOW));
    }
    home.adds_account("bob");
    stale(asks(&mut home, "bob", "bob", task(), NOW));
    stale(finishes(
        &mut home,
        FinishOperation::Activate {
            token: confirmed.clone(),
        },
        NOW.plus(900),
    ));
    finishes(
        &mut home,
        FinishOperation::Activate { token: confirmed },
        NOW.plus(899),
    )
    .unwrap();
    home::accepted(&home.attempt("alice", &code_of(&app, 1), NOW));
}

/// A person who held the account before a revocation cannot finish a pending operation.
#[test]
fn what_was_begun_does_not_outlive_a_revocation() {
    let (mut home, app) = alice("");
    let begun = one_more(&mut home, &code_of(&app, 0), "thief");
    home.disables("alice", "root", NOW);
    let anew = PendingEnrollment::new(home.config(), &name("alice")).unwrap();
    home.activates(&anew);
    stale(finishes(
        &mut home,
        FinishOperation::Activate { token: begun },
        NOW,
    ));
    assert_eq!(
        home.enrollment()
            .list_authenticators(&name("alice"))
            .unwrap()
            .len(),
        1
    );
    assert!(
        !home.holds(b"thief"),
        "what is not finished is nowhere in the store"
    );

    let begun = one_more(&mut home, &code_of(&anew, 0), "thief");
    home.accounts()
        .remove_account(&name("alice"), "root", NOW)
        .unwrap();
    let third = PendingEnrollment::new(home.config(), &name("alice")).unwrap();
    home.activates(&third);
    stale(finishes(
        &mut home,
        FinishOperation::Activate { token: begun },
        NOW,
    ));
}

/// With stolen data keys an attacker can forge tokens until the keys are replaced.
#[test]
fn what_was_begun_does_not_outlive_the_data_keys() {
    let (mut home, app) = alice("");
    let begun = one_more(&mut home, &code_of(&app, 0), "x");
    home.keys().rotate_keys(Renewal::All, "root", NOW).unwrap();
    stale(finishes(
        &mut home,
        FinishOperation::Activate { token: begun },
        NOW,
    ));
}

#[test]
fn an_authenticator_that_was_removed_does_not_come_back() {
    let (mut home, app) = alice("");
    let token = one_more(&mut home, &code_of(&app, 0), "x");
    finishes(
        &mut home,
        FinishOperation::Activate {
            token: token.clone(),
        },
        NOW,
    )
    .unwrap();
    let remove = ChangeOperation::RemoveAuthenticator("x".parse().unwrap());
    changes(&mut home, &code_of(&app, 1), remove).unwrap();
    stale(finishes(
        &mut home,
        FinishOperation::Activate { token },
        NOW,
    ));
}

/// A new set invalidates the old one, and no recovery code is accepted twice.
#[test]
fn recovery_codes_are_replaced_once_and_used_ones_stay_used() {
    let (mut home, app) = alice("");
    let new = |home: &mut Home, code: &str| match changes(
        home,
        code,
        ChangeOperation::BeginRecoveryCodes,
    )
    .unwrap()
    .answer
    {
        ReplyBody::RecoveryCodes { codes, token } => (codes, token),
        other => panic!("{other:?}"),
    };
    let (codes, token) = new(&mut home, &code_of(&app, 0));
    home::accepted(&home.attempt("alice", &app.recovery_codes()[0].grouped(), NOW));
    stale(finishes(
        &mut home,
        FinishOperation::ReplaceRecoveryCodes { token },
        NOW,
    ));
    home::refused(&home.attempt("alice", &codes[0], NOW), Refusal::Wrong);

    let (codes, token) = new(&mut home, &code_of(&app, 1));
    finishes(
        &mut home,
        FinishOperation::ReplaceRecoveryCodes {
            token: token.clone(),
        },
        NOW,
    )
    .unwrap();
    home::accepted(&home.attempt("alice", &codes[0], NOW));
    stale(finishes(
        &mut home,
        FinishOperation::ReplaceRecoveryCodes { token },
        NOW,
    ));
    home::refused(
        &home.attempt("alice", &codes[0], NOW),
        Refusal::Used { wait: 0 },
    );
    home::refused(
        &home.attempt("alice", &app.recovery_codes()[1].grouped(), NOW),
        Refusal::Wrong,
    );
}

#[test]
fn a_recovery_code_changes_things_too_and_what_it_leaves_is_told() {
    let (mut home, app) = alice("");
    let reply = changes(
        &mut home,
        &app.recovery_codes()[0].grouped(),
        setup(AuthenticatorKind::Further, "x"),
    )
    .unwrap();
    assert_eq!(reply.messages, ["5 recovery codes are left"]);
    let (code, token, _) = begun(Ok(reply));
    let token = confirmed(&mut home, &token, &code);
    finishes(&mut home, FinishOperation::Activate { token }, NOW).unwrap();
}

/// An enrollment that is not possible is refused before its code is consumed.
#[test]
fn a_refused_setup_spends_no_code() {
    let (mut home, app) = alice("");
    let taken = changes(
        &mut home,
        &code_of(&app, 0),
        setup(AuthenticatorKind::Further, "app"),
    );
    assert!(
        matches!(taken, Err(AdministrationError::LabelTaken(..))),
        "{taken:?}"
    );
    let first = changes(
        &mut home,
        &code_of(&app, 0),
        setup(AuthenticatorKind::First, "x"),
    );
    assert!(
        matches!(first, Err(AdministrationError::AlreadyEnrolled(_))),
        "{first:?}"
    );
    home::accepted(&home.attempt("alice", &code_of(&app, 0), NOW));
}

/// Root uses the same operations, without a code.
#[test]
fn root_changes_any_account_without_a_code() {
    let mut home = Home::new("");
    let account: UserName = name("alice");
    let mut run = |task| {
        let errand = CommandRequest {
            account: account.clone(),
            operation: task,
        };
        home.commands()
            .execute_request(Requester::Root("root"), &errand, NOW)
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
