//! The mark that `auth` leaves for `account`: of one transaction, for ten minutes, and nothing that was revoked since.

use super::*;

/// A mark of alice's, left after the first factor.
fn marked(home: &mut Home, app: &PendingEnrollment) -> TypedText {
    LOCKER.opens(home, "alice", &code_of(app, 0))
}

#[test]
fn a_mark_counts_for_its_own_transaction_for_ten_minutes() {
    let (mut home, app) = alice(TRUSTING);
    let mark = marked(&mut home, &app);
    assert_eq!(LOCKER.refuses(&mut home, &mark, NOW), None);
    assert_eq!(LOCKER.refuses(&mut home, &mark, NOW.plus(599)), None);
    assert_eq!(
        LOCKER.refuses(&mut home, &mark, NOW.plus(600)),
        Some(MarkRefusal::Invalid)
    );
    assert_eq!(
        LOCKER.refuses(&mut home, &mark, NOW.minus(1)),
        Some(MarkRefusal::Invalid)
    );
    let forged = TypedText::from("forged".to_owned());
    assert_eq!(
        LOCKER.refuses(&mut home, &forged, NOW),
        Some(MarkRefusal::Invalid)
    );
}

#[test]
fn a_mark_of_another_process_user_service_or_peer_does_not_count() {
    let (mut home, app) = alice(TRUSTING);
    let mark = marked(&mut home, &app);
    const OTHERS: [&[ProcessId]; 3] = [
        &[ProcessId::new(4711, 2)],
        &[ProcessId::new(4711, 0)],
        &[ProcessId::new(4712, 1)],
    ];
    for process in OTHERS {
        let host = Host { process, ..LOCKER };
        assert_eq!(
            host.refuses(&mut home, &mark, NOW),
            Some(MarkRefusal::Process)
        );
    }
    let service = Host {
        service: "other",
        ..LOCKER
    };
    assert_eq!(
        service.refuses(&mut home, &mark, NOW),
        Some(MarkRefusal::Service)
    );
    assert_eq!(
        Host {
            uid: 1001,
            ..LOCKER
        }
        .refuses(&mut home, &mark, NOW),
        Some(MarkRefusal::Invalid)
    );
    let root = VerifyRequest {
        service: "test".to_owned().try_into().unwrap(),
        user: name("bob"),
        process: HostProcess::new(PROCESS, Vec::new()),
        origin: Origin::Unknown,
        stage: Phase::After,
        earlier: CompletedMethods::default(),
        question: answer(&code_of(&app, 1)),
    };
    let ask = |home: &mut Home, judging: VerifyRequest| {
        home.door
            .judge_for(Requester::Root("root"), &name("alice"), &judging, NOW)
            .unwrap()
    };
    // bob passed with the code of an account that he shares
    let mark = ask(&mut home, root).mark.unwrap();
    assert_eq!(
        LOCKER.refuses(&mut home, &mark, NOW),
        Some(MarkRefusal::Invalid),
        "it is root's"
    );
    for (user, refusal) in [("bob", None), ("alice", Some(MarkRefusal::User))] {
        let judging = VerifyRequest {
            service: "test".to_owned().try_into().unwrap(),
            user: name(user),
            process: HostProcess::new(PROCESS, Vec::new()),
            origin: Origin::Unknown,
            stage: Phase::Before,
            earlier: CompletedMethods::default(),
            question: VerifyOperation::Account(mark.clone()),
        };
        let found = match ask(&mut home, judging).answer {
            ReplyBody::Judged(VerifyReply::Marked) => None,
            ReplyBody::Judged(VerifyReply::NotMarked(refusal)) => Some(refusal),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, refusal, "{user}");
    }
}

/// Such as a server that authenticates, then forks a child for the rest.
#[test]
fn a_child_of_the_process_goes_on_with_its_mark() {
    let (mut home, app) = alice(TRUSTING);
    let mark = marked(&mut home, &app);
    const SHELL: ProcessId = ProcessId::new(4700, 1);
    const CHILD: &[ProcessId] = &[ProcessId::new(4800, 3), PROCESS, SHELL];
    const SIBLING: &[ProcessId] = &[ProcessId::new(4801, 3), SHELL];
    assert_eq!(
        Host {
            process: CHILD,
            ..LOCKER
        }
        .refuses(&mut home, &mark, NOW),
        None
    );
    let refusal = Host {
        process: SIBLING,
        ..LOCKER
    }
    .refuses(&mut home, &mark, NOW);
    assert_eq!(refusal, Some(MarkRefusal::Process));
}

#[test]
fn a_mark_does_not_outlive_a_revocation_whatever_let_its_auth_pass() {
    let policy = "[policy]\nrequired = [\"bob\"]\nenroll_within = \"1h\"\n[[policy.exempt]]\nservices = [\"test\"]";
    let (mut home, app) = alice(&format!("{TRUSTING}\n{policy}"));
    let code = marked(&mut home, &app);
    // a process of her own is exempt as no service
    let named = Host {
        stage: Phase::After,
        ..DOVECOT
    };
    let exempt = named
        .asks(&mut home, "alice", VerifyOperation::Need, NOW)
        .unwrap()
        .mark
        .unwrap();
    let marks = [(&LOCKER, &code), (&named, &exempt)];
    for (host, mark) in marks {
        assert_eq!(host.refuses(&mut home, mark, NOW), None);
    }
    home.door
        .record_host_password_change(&name("alice"), Principal::Command("root"), NOW)
        .unwrap();
    for (host, mark) in marks {
        assert_eq!(
            host.refuses(&mut home, mark, NOW),
            Some(MarkRefusal::Revoked)
        );
    }
    // the use of a recovery code ends what was before it, not what it lets pass
    let recovery = LOCKER.opens(&mut home, "alice", &app.recovery_codes()[0].grouped());
    assert_eq!(LOCKER.refuses(&mut home, &recovery, NOW), None);

    let bob = Host {
        who: "bob",
        uid: 1001,
        ..LOCKER
    };
    let waived = bob
        .asks(&mut home, "bob", VerifyOperation::Waive, NOW)
        .unwrap()
        .mark
        .unwrap();
    let account = |home: &mut Home| {
        judged(bob.asks(home, "bob", VerifyOperation::Account(waived.clone()), NOW))
    };
    assert!(matches!(account(&mut home), VerifyReply::Marked));
    home.door.remove_account(&name("bob"), "root", NOW).unwrap();
    assert!(matches!(
        account(&mut home),
        VerifyReply::NotMarked(MarkRefusal::Revoked)
    ));
}

/// What lets nobody pass leaves no mark.
#[test]
fn whoever_is_refused_or_asked_has_no_mark() {
    let (mut home, app) = alice(TRUSTING);
    for question in [
        VerifyOperation::Need,
        answer(&code_of(&app, 99)),
        answer("junk!"),
        VerifyOperation::Waive,
    ] {
        assert!(
            LOCKER
                .asks(&mut home, "alice", question, NOW)
                .unwrap()
                .mark
                .is_none()
        );
    }
}

/// Processes beyond a PID namespace are all number 0: a mark of one fitted every other.
#[test]
fn a_process_that_cannot_be_told_has_no_mark_and_no_use_for_one() {
    let (mut home, app) = alice(TRUSTING);
    let asks = |home: &mut Home, process, question| {
        let judging = VerifyRequest {
            service: "test".to_owned().try_into().unwrap(),
            user: name("alice"),
            process,
            origin: Origin::Unknown,
            stage: Phase::After,
            earlier: CompletedMethods::default(),
            question,
        };
        home.door
            .judge_for(Requester::Root("root"), &name("alice"), &judging, NOW)
            .unwrap()
    };
    let unseen = || HostProcess::unidentified(UnidentifiedProcess::OtherNamespace);
    let unmarked = asks(
        &mut home,
        unseen(),
        answer(&app.recovery_codes()[0].grouped()),
    );
    assert!(
        matches!(
            unmarked.answer,
            ReplyBody::Judged(VerifyReply::Accepted { .. })
        ) && unmarked.mark.is_none()
    );

    let named = |id| unseen().in_transaction(Some(TransactionId([id; 16])));
    let seen = || HostProcess::new(PROCESS, Vec::new());
    let of_seen = asks(&mut home, seen(), answer(&code_of(&app, 0)))
        .mark
        .unwrap();
    let of_named = asks(&mut home, named(1), answer(&code_of(&app, 1)))
        .mark
        .unwrap();
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
        let found = match asks(&mut home, process, VerifyOperation::Account(mark.clone())).answer {
            ReplyBody::Judged(VerifyReply::Marked) => Ok(()),
            ReplyBody::Judged(VerifyReply::NotMarked(refusal)) => Err(refusal),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
    }
}
