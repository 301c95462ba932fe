//! What a prompt can ask for besides a code: a setup, a mail, a password with the code behind it, an app password; and what a changed password ends.

use super::*;

/// Whoever finds a terminal open runs processes as its owner: a password must be asked for, and no such host vouches
/// for one.
#[test]
fn nothing_is_set_up_for_a_process_that_runs_as_the_person() {
    let (mut home, _) = alice(TRUSTING);
    let begin = || VerifyOperation::Setup(PromptEnrollment::Begin(None));
    let bob = Host {
        who: "bob",
        uid: 1001,
        ..LOCKER
    };
    for (host, account) in [(&bob, "bob"), (&DOVECOT, "bob")] {
        let said = judged(host.asks(&mut home, account, begin(), NOW));
        assert!(matches!(said, VerifyReply::Refused { .. }), "{said:?}");
    }
    let after = Host {
        stage: Phase::After,
        ..DOVECOT
    };
    let VerifyReply::Setup { ticket, url, .. } = judged(after.asks(&mut home, "bob", begin(), NOW))
    else {
        panic!("no setup")
    };
    let (secret, parameters) = otpauth_uri::parse_declared_secret(&url).unwrap();
    let shown = totp::generate_code(&secret, parameters, parameters.moving.step_at(NOW).unwrap());
    let confirm = |ticket: &TypedText| {
        let (ticket, code) = (ticket.clone(), TypedText::from(shown.to_string()));
        VerifyOperation::Setup(PromptEnrollment::Confirm { ticket, code })
    };
    // another's, and another service's
    assert!(
        after
            .asks(&mut home, "carol", confirm(&ticket), NOW)
            .is_err()
    );
    assert!(
        Host { uid: 991, ..after }
            .asks(&mut home, "bob", confirm(&ticket), NOW)
            .is_err()
    );
    let VerifyReply::Confirmed { ticket: confirmed } =
        judged(after.asks(&mut home, "bob", confirm(&ticket), NOW))
    else {
        panic!("not confirmed")
    };
    let activate =
        |ticket: &TypedText| VerifyOperation::Setup(PromptEnrollment::Activate(ticket.clone()));
    assert!(
        after
            .asks(&mut home, "bob", activate(&ticket), NOW)
            .is_err(),
        "a step cannot be left out"
    );
    let later = NOW.plus(900);
    assert!(
        after
            .asks(&mut home, "bob", activate(&confirmed), later)
            .is_err(),
        "it has an end"
    );
    assert!(matches!(
        judged(after.asks(&mut home, "bob", activate(&confirmed), NOW)),
        VerifyReply::Done
    ));
    assert!(
        after
            .asks(&mut home, "bob", activate(&confirmed), NOW)
            .is_err(),
        "once"
    );
    assert_eq!(after.refused(&mut home, "bob", &shown), "used");
    let enrolled = EventFilter {
        kind: Some(EventKind::Enrolled),
        account: Some(name("bob")),
        ..EventFilter::default()
    };
    let events = home.door.events(&enrolled, 0, 10).unwrap();
    let (_, event) = &events[0];
    let said = (
        event.service.as_str(),
        event.origin.as_str(),
        event.principal.as_str(),
    );
    assert_eq!(said, ("test", "192.0.2.7", "bob"));
}

/// Addresses are nobody's business before the first factor, and without a letter there is nothing to wait for.
#[test]
fn a_code_is_mailed_to_whoever_has_passed_the_first_factor_and_has_an_address() {
    let mail = "[email]\nwebhook_url = \"https://mail.example.org/\"\nfrom = \"a@example.org\"\n";
    let (mut home, _) = alice(&format!("{mail}{TRUSTING}"));
    let after = Host {
        stage: Phase::After,
        ..DOVECOT
    };
    for host in [&DOVECOT, &after, &LOCKER] {
        match host.has_a_code_mailed(&mut home, "alice") {
            MailRequest::Refused(refusal) => assert_eq!(refusal, MailRefusal::NoAddress),
            MailRequest::Queued(posted) => panic!("{posted:?}"),
        }
    }
}

/// T5. Any process of a person's could say so of the own account, and would end all that is open.
#[test]
fn a_changed_password_is_believed_of_a_service_that_is_named_and_of_no_other() {
    let (mut home, _) = alice(TRUSTING);
    let says = |home: &mut Home, host: &Host, account: &str| {
        host.asks(home, account, VerifyOperation::PasswordChanged, NOW)
    };
    let bob = Host {
        who: "bob",
        uid: 1001,
        ..LOCKER
    };
    let refused = says(&mut home, &bob, "alice");
    assert!(
        matches!(refused, Err(AdministrationError::NotTrusted(_))),
        "{refused:?}"
    );
    assert!(matches!(
        judged(says(&mut home, &DOVECOT, "bob")),
        VerifyReply::NothingToEnd
    ));
    assert!(home.door.account_status(&name("bob")).is_err());
    for (host, account) in [(&bob, "bob"), (&LOCKER, "alice")] {
        let refused = says(&mut home, host, account);
        assert!(
            matches!(refused, Err(AdministrationError::MayNotReportPassword(_))),
            "{refused:?}"
        );
    }
    assert!(matches!(
        judged(says(&mut home, &DOVECOT, "alice")),
        VerifyReply::Done
    ));
    let only = EventFilter {
        kind: Some(EventKind::HostPasswordChanged),
        ..EventFilter::default()
    };
    let events = home.door.events(&only, 0, 100).unwrap();
    let by: Vec<_> = events
        .iter()
        .map(|(_, event)| (event.principal.as_str(), event.origin.as_str()))
        .collect();
    assert_eq!(by, [("dovecot", "192.0.2.7")]);
}

/// With password and code in one field, where the code begins depends on how long the account's codes are; whether one
/// was compared, and so the time that it took and what the address was charged, must not.
#[test]
fn before_the_first_factor_the_length_of_codes_behind_a_password_does_not_tell_an_account() {
    let mut home = Home::new(TRUSTING);
    let eight = OtpParameters {
        digits: 8,
        ..home.door.config().totp.otp_parameters()
    };
    let app = PendingEnrollment::new(home.door.config(), &name("alice"))
        .unwrap()
        .with_parameters(eight, Step(0));
    home.activates(&app);
    for typed in [
        "hunter123456",
        "hunter 123-456",
        "hunter 1234-5678",
        "hunter2",
        "hunter1234567",
        "hunter ABCD234567",
    ] {
        let of = |home: &mut Home, account: &str| {
            let question = VerifyOperation::Answer {
                typed: typed.to_owned().into(),
                reading: InputReading::CodeAtEnd,
            };
            let cause = match judged(DOVECOT.asks(home, account, question, NOW)) {
                VerifyReply::Refused { cause, .. } => cause,
                other => panic!("{other:?}"),
            };
            let charged = |table: &str| -> u32 {
                let sql = format!("SELECT count(*) FROM {table}");
                home.engine().query_row(&sql, [], |row| row.get(0)).unwrap()
            };
            let charged = [charged("failure"), charged("address_failure")];
            home.engine()
                .execute_batch("DELETE FROM failure; DELETE FROM address_failure")
                .unwrap();
            (cause, charged)
        };
        assert_eq!(
            of(&mut home, "alice"),
            of(&mut home, "nobody-here"),
            "{typed}"
        );
    }
}

/// A mail server need not be root to take app passwords; they leave nothing to book.
#[test]
fn an_app_password_opens_the_service_of_its_scope() {
    let (mut home, _) = alice(TRUSTING);
    let mut add = |called: &str, scope: &str| {
        let (label, scope) = (
            called.to_owned().try_into().unwrap(),
            scope.parse().unwrap(),
        );
        home.door
            .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
            .unwrap()
    };
    let (mail, web) = (add("mail", "pam:test"), add("web", "web:app.example.com"));
    let mark = DOVECOT.opens(&mut home, "alice", &mail.grouped());
    assert_eq!(DOVECOT.refuses(&mut home, &mark, NOW), None);
    assert_eq!(last_sign_in(&mut home), None);
    assert_eq!(DOVECOT.refused(&mut home, "alice", &web.grouped()), "scope");
    let foreign = DOVECOT.asks(&mut home, "bob", answer(&mail.grouped()), NOW);
    assert!(matches!(judged(foreign), VerifyReply::Refused { .. }));
    let own = Host {
        who: "bob",
        ..LOCKER
    }
    .asks(&mut home, "alice", answer(&mail.grouped()), NOW);
    assert!(matches!(own, Err(AdministrationError::NotTrusted(_))));
}

/// Who waits for a prompt must know that a revocation which waits for a gate goes on.
#[test]
fn a_revocation_that_waits_for_a_gate_says_that_it_is_still_working() {
    use shared::engine::set_wait_callback;
    use std::cell::Cell;
    use std::rc::Rc;
    let (mut home, _) = alice(TRUSTING);
    let mut gate = home.another();
    gate.update_revocations(&[7; 16], None, NOW, |_| ())
        .unwrap();
    let said = Rc::new(Cell::new(0));
    let counts = Rc::clone(&said);
    let waiting = set_wait_callback(move || counts.set(counts.get() + 1));
    // the gate confirms nothing, and its lease of five seconds runs out
    home.door
        .record_host_password_change(&name("alice"), Principal::Command("root"), NOW)
        .unwrap();
    drop(waiting);
    assert!((1..=4).contains(&said.get()), "said {} times", said.get());
}
