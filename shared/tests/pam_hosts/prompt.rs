//! Requests at a prompt besides a code: an enrollment, a mailed code, a password with a code behind
//! it, an app password. Also what a changed password ends.

use super::*;

/// An attacker at an unlocked terminal runs processes as its owner. An enrollment needs a password,
/// and such a host cannot confirm one.
#[test]
fn nothing_is_set_up_for_a_process_that_runs_as_the_person() {
    let (mut test, _) = alice(TRUSTING);
    let begins = |test: &mut TestStore, host: &Host| {
        host.run(test, "bob", |engine, context| {
            engine
                .enrollment()
                .begin_prompt_enrollment(context, None, NOW)
                .unwrap()
        })
    };
    let bob = Host {
        who: "bob",
        uid: 1001,
        ..LOCKER
    };
    for host in [&bob, &DOVECOT] {
        let begun = begins(&mut test, host);
        assert!(matches!(begun, PromptEnrollment::Refused(_)), "{begun:?}");
    }
    let after = Host {
        phase: Phase::After,
        ..DOVECOT
    };
    let PromptEnrollment::Begun(enrollment) = begins(&mut test, &after) else {
        panic!("no enrollment")
    };
    let (url, token) = (enrollment.url, enrollment.token);
    let (secret, parameters) = otpauth_uri::parse_declared_secret(&url).unwrap();
    let shown = totp::generate_code(&secret, parameters, parameters.moving.step_at(NOW).unwrap());
    let shown = shown.to_string();
    let confirms = |test: &mut TestStore, host: &Host, account: &str| {
        host.run(test, account, |engine, context| {
            engine
                .enrollment()
                .confirm_prompt_enrollment(context, &token, &shown, NOW)
        })
    };
    // a host of another user, and one of another service
    assert!(confirms(&mut test, &after, "carol").is_err());
    assert!(confirms(&mut test, &Host { uid: 991, ..after }, "bob").is_err());
    let confirmed = confirms(&mut test, &after, "bob").unwrap().unwrap();
    let activates = |test: &mut TestStore, token: &TypedText, now| {
        after.run(test, "bob", |engine, context| {
            engine
                .enrollment()
                .activate_prompt_enrollment(context, token, now)
        })
    };
    assert!(
        activates(&mut test, &token, NOW).is_err(),
        "a step cannot be left out"
    );
    assert!(
        activates(&mut test, &confirmed, NOW.plus(900)).is_err(),
        "it expires"
    );
    activates(&mut test, &confirmed, NOW).unwrap();
    assert!(activates(&mut test, &confirmed, NOW).is_err(), "once");
    assert_eq!(after.refused(&mut test, "bob", &shown), "used");
    let enrolled = EventFilter {
        kind: Some(EventKind::Enrolled),
        account: Some(name("bob")),
        ..EventFilter::default()
    };
    let events = test.audit_log().list_events(&enrolled, 0, 10).unwrap();
    let (_, event) = &events[0];
    let output = (
        event.service.as_str(),
        event.origin.as_str(),
        event.principal.as_str(),
    );
    assert_eq!(output, ("test", "192.0.2.7", "bob"));
}

/// Before the first factor, no reply shows whether an account has an address. If no mail is queued,
/// there is nothing to wait for.
#[test]
fn a_code_is_mailed_to_a_user_who_has_passed_the_first_factor_and_has_an_address() {
    let mail = "[email]\nwebhook_url = \"https://mail.example.org/\"\nfrom = \"a@example.org\"\n";
    let (mut test, _) = alice(&format!("{mail}{TRUSTING}"));
    let after = Host {
        phase: Phase::After,
        ..DOVECOT
    };
    for host in [&DOVECOT, &after, &LOCKER] {
        match host.has_a_code_mailed(&mut test, "alice") {
            MailRequest::Refused(refusal) => assert_eq!(refusal, MailRefusal::NoAddress),
            MailRequest::Queued(posted) => panic!("{posted:?}"),
        }
    }
}

/// Any process of a user could report a changed password, which would end all of that user's
/// sessions. Only a configured service is trusted to report it.
#[test]
fn a_changed_password_is_believed_of_a_service_that_is_named_and_of_no_other() {
    let (mut test, _) = alice(TRUSTING);
    let says = |test: &mut TestStore, host: &Host, account: &str| {
        host.run(test, account, |engine, context| {
            engine.verification().end_for_changed_password(context, NOW)
        })
    };
    let bob = Host {
        who: "bob",
        uid: 1001,
        ..LOCKER
    };
    let refused = says(&mut test, &bob, "alice");
    assert!(
        matches!(refused, Err(AdministrationError::NotTrusted(_))),
        "{refused:?}"
    );
    assert!(says(&mut test, &DOVECOT, "bob").unwrap().is_none());
    assert!(test.accounts().account_status(&name("bob")).is_err());
    for (host, account) in [(&bob, "bob"), (&LOCKER, "alice")] {
        let refused = says(&mut test, host, account);
        assert!(
            matches!(refused, Err(AdministrationError::MayNotReportPassword(_))),
            "{refused:?}"
        );
    }
    assert!(says(&mut test, &DOVECOT, "alice").unwrap().is_some());
    let only = EventFilter {
        kind: Some(EventKind::HostPasswordChanged),
        ..EventFilter::default()
    };
    let events = test.audit_log().list_events(&only, 0, 100).unwrap();
    let by: Vec<_> = events
        .iter()
        .map(|(_, event)| (event.principal.as_str(), event.origin.as_str()))
        .collect();
    assert_eq!(by, [("dovecot", "192.0.2.7")]);
}

/// With password and code in one field, the start of the code depends on the length of the
/// account's codes. Whether a code was compared MUST NOT show in the time of the reply, or in what
/// the address is charged.
#[test]
fn before_the_first_factor_the_length_of_codes_behind_a_password_does_not_reveal_an_account() {
    let mut test = TestStore::new(TRUSTING);
    let eight = OtpParameters {
        digits: 8,
        ..test.config().totp.otp_parameters()
    };
    let app = PendingEnrollment::new(test.config(), &name("alice"))
        .unwrap()
        .with_parameters(eight, Step(0));
    test.activates(&app);
    for typed in [
        "hunter123456",
        "hunter 123-456",
        "hunter 1234-5678",
        "hunter2",
        "hunter1234567",
        "hunter ABCD234567",
    ] {
        let of = |test: &mut TestStore, account: &str| {
            let result = DOVECOT.run(test, account, |engine, context| {
                engine
                    .verification()
                    .verify_pam_input(context, typed, InputReading::CodeAtEnd, NOW)
            });
            let cause = refusal(result.unwrap()).cause;
            let charged = |table: &str| -> u32 {
                let sql = format!("SELECT count(*) FROM {table}");
                test.number(&sql)
            };
            let charged = [charged("failure"), charged("address_failure")];
            test.changes("DELETE FROM failure; DELETE FROM address_failure");
            (cause, charged)
        };
        assert_eq!(
            of(&mut test, "alice"),
            of(&mut test, "nobody-here"),
            "{typed}"
        );
    }
}

/// A mail server need not run as root to accept app passwords. An app password is not recorded as a
/// sign-in.
#[test]
fn an_app_password_opens_the_service_of_its_scope() {
    let (mut test, _) = alice(TRUSTING);
    let mut add = |called: &str, scope: &str| {
        let (label, scope) = (
            called.to_owned().try_into().unwrap(),
            scope.parse().unwrap(),
        );
        test.app_passwords()
            .add_app_password(&name("alice"), &label, &scope, None, "root", NOW)
            .unwrap()
    };
    let (mail, web) = (add("mail", "pam:test"), add("web", "web:app.example.com"));
    let mark = DOVECOT.opens(&mut test, "alice", &mail.grouped());
    assert_eq!(DOVECOT.refuses(&mut test, &mark, NOW), None);
    assert_eq!(last_sign_in(&mut test), None);
    assert_eq!(DOVECOT.refused(&mut test, "alice", &web.grouped()), "scope");
    DOVECOT.refused(&mut test, "bob", &mail.grouped());
    let own = Host {
        who: "bob",
        ..LOCKER
    }
    .run(&mut test, "alice", |engine, context| {
        verify(engine, context, &mail.grouped())
    });
    assert!(matches!(own, Err(AdministrationError::NotTrusted(_))));
}

/// A person at a prompt must see that the revocation which waits for a gate still runs.
#[test]
fn a_revocation_that_waits_for_a_gate_says_that_it_is_still_working() {
    use postern_shared::engine::set_wait_callback;
    use std::cell::Cell;
    use std::rc::Rc;
    let (mut test, _) = alice(TRUSTING);
    let mut gate = test.another();
    gate.sessions()
        .update_revocations(&[7; 16], None, NOW, |_| ())
        .unwrap();
    let output = Rc::new(Cell::new(0));
    let counts = Rc::clone(&output);
    let waiting = set_wait_callback(move || counts.set(counts.get() + 1));
    // The gate does not confirm, and its lease of five seconds expires.
    test.accounts()
        .record_host_password_change(&name("alice"), Principal::Command("root"), NOW)
        .unwrap();
    drop(waiting);
    assert!(
        (1..=4).contains(&output.get()),
        "said {} times",
        output.get()
    );
}
