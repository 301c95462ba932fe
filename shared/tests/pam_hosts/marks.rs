//! The auth mark that `auth` leaves for `account`: valid in one PAM transaction, for ten minutes,
//! and only if nothing was revoked since.

use super::*;
use postern_shared::account::name::{Service, UserName};

/// Returns an auth mark of alice that was issued after the first factor.
fn marked(test: &mut TestStore, app: &PendingEnrollment) -> TypedText {
    LOCKER.opens(test, "alice", &code_of(app, 0))
}

#[test]
fn a_mark_counts_for_its_own_transaction_for_ten_minutes() {
    let (mut test, app) = alice(TRUSTING);
    let mark = marked(&mut test, &app);
    assert_eq!(LOCKER.refuses(&mut test, &mark, NOW), None);
    assert_eq!(LOCKER.refuses(&mut test, &mark, NOW.plus(599)), None);
    assert_eq!(
        LOCKER.refuses(&mut test, &mark, NOW.plus(600)),
        Some(MarkRefusal::Invalid)
    );
    assert_eq!(
        LOCKER.refuses(&mut test, &mark, NOW.minus(1)),
        Some(MarkRefusal::Invalid)
    );
    let forged = TypedText::from("forged".to_owned());
    assert_eq!(
        LOCKER.refuses(&mut test, &forged, NOW),
        Some(MarkRefusal::Invalid)
    );
}

#[test]
fn a_mark_of_another_process_user_service_or_peer_does_not_count() {
    let (mut test, app) = alice(TRUSTING);
    let mark = marked(&mut test, &app);
    const OTHERS: [&[ProcessId]; 3] = [
        &[ProcessId::new(4711, 2)],
        &[ProcessId::new(4711, 0)],
        &[ProcessId::new(4712, 1)],
    ];
    for process in OTHERS {
        let host = Host { process, ..LOCKER };
        assert_eq!(
            host.refuses(&mut test, &mark, NOW),
            Some(MarkRefusal::Process)
        );
    }
    let service = Host {
        service: "other",
        ..LOCKER
    };
    assert_eq!(
        service.refuses(&mut test, &mark, NOW),
        Some(MarkRefusal::Service)
    );
    assert_eq!(
        Host {
            uid: 1001,
            ..LOCKER
        }
        .refuses(&mut test, &mark, NOW),
        Some(MarkRefusal::Invalid)
    );
    // a host that runs as root, for an account that bob shares
    let ask = |user: &str, phase| {
        let (user, account) = (name(user), name("alice"));
        move |operation: &mut dyn FnMut(PamContext<'_>)| {
            operation(PamContext {
                requester: Requester::Root("root"),
                service: &"test".to_owned().try_into().unwrap(),
                user: &user,
                account: &account,
                process: &HostProcess::new(PROCESS, Vec::new()),
                origin: &Origin::Unknown,
                phase,
                completed_methods: &CompletedMethods::default(),
            });
        }
    };
    // bob is granted access with a code of the shared account
    let mut mark = None;
    ask("bob", Phase::After)(&mut |context| {
        mark = granted(verify(&mut test, context, &code_of(&app, 1)).unwrap());
    });
    let mark = mark.unwrap();
    assert_eq!(
        LOCKER.refuses(&mut test, &mark, NOW),
        Some(MarkRefusal::Invalid),
        "it is root's"
    );
    for (user, refusal) in [("bob", None), ("alice", Some(MarkRefusal::User))] {
        let mut found = None;
        ask(user, Phase::Before)(&mut |context| {
            found = test
                .verification()
                .verify_auth_mark(context, &mark, NOW)
                .unwrap()
                .err();
        });
        assert_eq!(found, refusal, "{user}");
    }
}

/// Some servers authenticate in one process and fork a child for the rest.
#[test]
fn a_child_of_the_process_continues_with_its_mark() {
    let (mut test, app) = alice(TRUSTING);
    let mark = marked(&mut test, &app);
    const SHELL: ProcessId = ProcessId::new(4700, 1);
    const CHILD: &[ProcessId] = &[ProcessId::new(4800, 3), PROCESS, SHELL];
    const SIBLING: &[ProcessId] = &[ProcessId::new(4801, 3), SHELL];
    assert_eq!(
        Host {
            process: CHILD,
            ..LOCKER
        }
        .refuses(&mut test, &mark, NOW),
        None
    );
    let refusal = Host {
        process: SIBLING,
        ..LOCKER
    }
    .refuses(&mut test, &mark, NOW);
    assert_eq!(refusal, Some(MarkRefusal::Process));
}

#[test]
fn a_mark_does_not_outlive_a_revocation_whatever_let_its_auth_pass() {
    let policy = "[policy]\nrequired = [\"bob\"]\nenroll_within = \"1h\"\n[[policy.exempt]]\nservices = [\"test\"]";
    let (mut test, app) = alice(&format!("{TRUSTING}\n{policy}"));
    let code = marked(&mut test, &app);
    // no exemption applies to a process of her own, whatever service it names
    let named = Host {
        phase: Phase::After,
        ..DOVECOT
    };
    let exempt = named.finds_requirement(&mut test, "alice").mark.unwrap();
    let marks = [(&LOCKER, &code), (&named, &exempt)];
    for (host, mark) in marks {
        assert_eq!(host.refuses(&mut test, mark, NOW), None);
    }
    test.accounts()
        .record_host_password_change(&name("alice"), Principal::Command("root"), NOW)
        .unwrap();
    for (host, mark) in marks {
        assert_eq!(
            host.refuses(&mut test, mark, NOW),
            Some(MarkRefusal::Revoked)
        );
    }
    // a used recovery code revokes what existed before it, not the access that it grants
    let recovery = LOCKER.opens(&mut test, "alice", &app.recovery_codes()[0].grouped());
    assert_eq!(LOCKER.refuses(&mut test, &recovery, NOW), None);

    let bob = Host {
        who: "bob",
        uid: 1001,
        ..LOCKER
    };
    let waived = bob.waives(&mut test, "bob").unwrap().1.unwrap();
    assert!(bob.books_for(&mut test, "bob", &waived, NOW).is_ok());
    test.accounts()
        .remove_account(&name("bob"), "root", NOW)
        .unwrap();
    assert_eq!(
        bob.books_for(&mut test, "bob", &waived, NOW),
        Err(MarkRefusal::Revoked)
    );
}

/// Only granted access leaves a mark.
#[test]
fn a_refused_input_and_a_required_code_leave_no_mark() {
    let (mut test, app) = alice(TRUSTING);
    assert!(LOCKER.finds_requirement(&mut test, "alice").mark.is_none());
    for typed in [&code_of(&app, 99), "junk!"] {
        LOCKER.refused(&mut test, "alice", typed);
    }
    assert!(LOCKER.waives(&mut test, "alice").is_none());
}

/// The fault: all processes outside of the PID namespace have number 0, so a mark of one was valid
/// for all of them.
#[test]
fn an_unidentified_process_has_no_mark_and_cannot_use_one() {
    let (mut test, app) = alice(TRUSTING);
    let alice = name("alice");
    fn root<'a>(
        service: &'a Service,
        alice: &'a UserName,
        process: &'a HostProcess,
        nothing: &'a CompletedMethods,
    ) -> PamContext<'a> {
        PamContext {
            requester: Requester::Root("root"),
            service,
            user: alice,
            account: alice,
            process,
            origin: &Origin::Unknown,
            phase: Phase::After,
            completed_methods: nothing,
        }
    }
    let (service, nothing) = (
        "test".to_owned().try_into().unwrap(),
        CompletedMethods::default(),
    );
    let accepts = |test: &mut TestStore, process: HostProcess, typed: &str| {
        let context = root(&service, &alice, &process, &nothing);
        granted(verify(test, context, typed).unwrap())
    };
    let unseen = || HostProcess::unidentified(UnidentifiedProcess::OtherNamespace);
    let recovery_code = app.recovery_codes()[0].grouped();
    assert!(accepts(&mut test, unseen(), &recovery_code).is_none());

    let named = |id| unseen().in_transaction(Some(TransactionId([id; 16])));
    let seen = || HostProcess::new(PROCESS, Vec::new());
    let of_seen = accepts(&mut test, seen(), &code_of(&app, 0)).unwrap();
    let of_named = accepts(&mut test, named(1), &code_of(&app, 1)).unwrap();
    let process = Err(MarkRefusal::Process);
    for (mark, process, expected) in [
        (
            &of_seen,
            unseen(),
            Err(MarkRefusal::Unseen(UnidentifiedProcess::OtherNamespace)),
        ),
        (&of_seen, named(1), process),
        (&of_seen, seen(), Ok(())),
        (
            &of_named,
            unseen(),
            Err(MarkRefusal::Unseen(UnidentifiedProcess::OtherNamespace)),
        ),
        (&of_named, named(2), process),
        (&of_named, seen(), process),
        (&of_named, named(1), Ok(())),
    ] {
        let context = root(&service, &alice, &process, &nothing);
        let found = test
            .verification()
            .verify_auth_mark(context, mark, NOW)
            .unwrap();
        assert_eq!(found.map(drop), expected);
    }
}
