//! Replies of the engine to PAM hosts that do not run as root: for the owner's account, and for
//! services that the configuration names.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod marks;
mod prompt;
#[path = "../test_store/mod.rs"]
mod test_store;

use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::credential::input::InputReading;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::credential::otp::totp::{self, OtpParameters, Step};
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AdministrationError, Engine, MailQueued, MailRefusal, MailRequest, MarkRefusal, PamContext,
    PamRefusal, PamRequirement, PamVerification, Principal, PromptEnrollment, Requester,
};
use postern_shared::policy::requirement::{EnrollmentGrace, Requirement};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::system::clock::Timestamp;
use postern_shared::system::process::{HostProcess, ProcessId, TransactionId, UnidentifiedProcess};
use postern_shared::verify::method::AuthenticationMethod;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use test_store::{NOW, TestStore, alice, assert_contains, code_of, name, request};

const TRUSTING: &str = "[pam]\nsocket_users = [\"dovecot\"]";

/// A PAM host that runs as `who`, with the values that it reports.
struct Host {
    who: &'static str,
    uid: u32,
    address: Option<&'static str>,
    phase: Phase,
    completed_methods: &'static str,
    service: &'static str,
    process: &'static [ProcessId],
}

const PROCESS: ProcessId = ProcessId::new(4711, 1);
const LOCKER: Host = Host {
    who: "alice",
    uid: 1000,
    address: None,
    phase: Phase::After,
    completed_methods: "",
    service: "test",
    process: &[PROCESS],
};
const DOVECOT: Host = Host {
    who: "dovecot",
    uid: 990,
    address: Some("192.0.2.7"),
    phase: Phase::Before,
    ..LOCKER
};

impl Host {
    /// Runs an operation as this host.
    fn run<R>(
        &self,
        test: &mut TestStore,
        account: &str,
        operation: impl FnOnce(&mut Engine, PamContext<'_>) -> R,
    ) -> R {
        let (who, account) = (name(self.who), name(account));
        let context = PamContext {
            requester: Requester::Owner {
                name: &who,
                uid: self.uid,
            },
            service: &self.service.to_owned().try_into().unwrap(),
            user: &account,
            account: &account,
            process: &HostProcess::new(self.process[0], self.process[1..].to_vec()),
            origin: &self.address.map_or(Origin::Unknown, test_store::remote),
            phase: self.phase,
            completed_methods: &CompletedMethods::parse_ssh_auth_info(
                self.completed_methods.as_bytes(),
            ),
        };
        operation(test, context)
    }

    fn has_a_code_mailed(&self, test: &mut TestStore, account: &str) -> MailRequest<MailQueued> {
        self.run(test, account, |engine, context| {
            engine.verification().mail_pam_code(context, NOW).unwrap()
        })
    }

    fn answers(&self, test: &mut TestStore, account: &str, typed: &str) -> PamVerification {
        self.run(test, account, |engine, context| {
            verify(engine, context, typed).unwrap()
        })
    }

    /// Returns the cause of a refusal.
    #[track_caller]
    fn refused(&self, test: &mut TestStore, account: &str, typed: &str) -> String {
        refusal(self.answers(test, account, typed)).cause
    }

    /// Returns the auth mark of an accepted input.
    #[track_caller]
    fn opens(&self, test: &mut TestStore, account: &str, typed: &str) -> TypedText {
        granted(self.answers(test, account, typed)).unwrap()
    }

    fn finds_requirement(&self, test: &mut TestStore, account: &str) -> PamRequirement {
        self.run(test, account, |engine, context| {
            engine
                .verification()
                .find_pam_requirement(context, NOW)
                .unwrap()
        })
    }

    fn need(&self, test: &mut TestStore, account: &str) -> Requirement {
        self.finds_requirement(test, account).requirement
    }

    fn waives(
        &self,
        test: &mut TestStore,
        account: &str,
    ) -> Option<(EnrollmentGrace, Option<TypedText>)> {
        self.run(test, account, |engine, context| {
            engine.verification().exempt_pam_user(context, NOW).unwrap()
        })
    }

    /// Returns the messages of the account hook for an auth mark of alice.
    fn books(
        &self,
        test: &mut TestStore,
        mark: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, MarkRefusal> {
        self.books_for(test, "alice", mark, now)
    }

    fn books_for(
        &self,
        test: &mut TestStore,
        account: &str,
        mark: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, MarkRefusal> {
        self.run(test, account, |engine, context| {
            engine
                .verification()
                .verify_auth_mark(context, mark, now)
                .unwrap()
        })
    }

    /// Returns why an auth mark of alice is invalid, or `None` if it is valid.
    fn refuses(&self, test: &mut TestStore, mark: &str, now: Timestamp) -> Option<MarkRefusal> {
        self.books(test, mark, now).err()
    }
}

fn verify(
    engine: &mut Engine,
    context: PamContext<'_>,
    typed: &str,
) -> Result<PamVerification, AdministrationError> {
    engine
        .verification()
        .verify_pam_input(context, typed, InputReading::Whole, NOW)
}

#[track_caller]
fn refusal(result: PamVerification) -> PamRefusal {
    result.result.unwrap_err()
}

/// Returns the auth mark if access was granted.
#[track_caller]
fn granted(result: PamVerification) -> Option<TypedText> {
    result.result.unwrap().into_parts().1
}

fn last_sign_in(test: &mut TestStore) -> Option<Timestamp> {
    test.accounts()
        .account_status(&name("alice"))
        .unwrap()
        .tally
        .last_sign_in
}

#[test]
fn a_code_is_consumed_for_every_service_and_the_gate() {
    let (mut test, app) = alice(TRUSTING);
    LOCKER.opens(&mut test, "alice", &code_of(&app, 0));
    assert_eq!(
        LOCKER.refused(&mut test, "alice", &code_of(&app, 0)),
        "used"
    );
    assert_eq!(
        DOVECOT.refused(&mut test, "alice", &code_of(&app, 0)),
        "used"
    );
    test_store::accepted(&test.attempt("alice", &code_of(&app, 1), NOW));
    assert_eq!(
        LOCKER.refused(&mut test, "alice", &code_of(&app, 1)),
        "used"
    );
}

#[test]
fn for_the_own_account_no_claim_chooses_the_bucket() {
    let (mut test, app) = alice("");
    let wrong = code_of(&app, 99);
    let claims = [
        (Some("192.0.2.1"), Phase::Before),
        (Some("2001:db8::1"), Phase::After),
        (None, Phase::Before),
    ];
    for (address, phase) in claims.into_iter().cycle().take(5) {
        assert_eq!(
            Host {
                address,
                phase,
                ..LOCKER
            }
            .refused(&mut test, "alice", &wrong),
            "wrong"
        );
    }
    for (address, phase) in claims {
        let host = Host {
            address,
            phase,
            ..LOCKER
        };
        assert_eq!(
            host.refused(&mut test, "alice", &code_of(&app, 0)),
            "delayed-30s"
        );
    }
    let refused = EventFilter {
        kind: Some(EventKind::Refused),
        ..EventFilter::default()
    };
    let events = test.audit_log().list_events(&refused, 0, 100).unwrap();
    assert_eq!(events.len(), 5);
    assert!(
        events
            .iter()
            .all(|(_, event)| event.origin == "local user alice"),
        "{events:?}"
    );
    test_store::accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
}

#[test]
fn others_are_refused_alike_whether_or_not_they_have_an_account() {
    let (mut test, app) = alice(TRUSTING);
    let bob = Host {
        who: "bob",
        uid: 1001,
        ..LOCKER
    };
    let code = code_of(&app, 0);
    type Operation<'c> = &'c dyn Fn(&mut Engine, PamContext<'_>) -> Result<(), AdministrationError>;
    let operations: [Operation<'_>; 4] = [
        &|engine, context| {
            engine
                .verification()
                .find_pam_requirement(context, NOW)
                .map(drop)
        },
        &|engine, context| {
            engine
                .verification()
                .exempt_pam_user(context, NOW)
                .map(drop)
        },
        &|engine, context| verify(engine, context, &code).map(drop),
        &|engine, context| {
            engine
                .verification()
                .verify_auth_mark(context, &code, NOW)
                .map(drop)
        },
    ];
    let of = |test: &mut TestStore, account: &str| {
        operations.map(|operation| {
            let refused = bob.run(test, account, operation).unwrap_err();
            refused.to_string()
        })
    };
    let (known, unknown) = (of(&mut test, "alice"), of(&mut test, "nobody-here"));
    assert_eq!(known, unknown);
    assert_contains(&known[0], "only about the account bob");
    assert_eq!(bob.need(&mut test, "bob"), Requirement::Nothing);
    test_store::accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
}

#[test]
fn a_named_service_is_trusted_and_counted_by_address() {
    let (mut test, app) = alice(TRUSTING);
    for account in ["bob", "carol"] {
        test.adds_account(account);
        for other in 50..55 {
            assert_eq!(
                DOVECOT.refused(&mut test, account, &code_of(&app, other)),
                "wrong"
            );
        }
    }
    let delayed = DOVECOT.refused(&mut test, "alice", &code_of(&app, 0));
    assert!(delayed.starts_with("address-delayed-"), "{delayed}");
    let elsewhere = Host {
        address: Some("198.51.100.9"),
        ..DOVECOT
    };
    elsewhere.opens(&mut test, "alice", &code_of(&app, 0));

    // the host's own account has the same rights as every owner's
    let own = Host {
        phase: Phase::Before,
        ..DOVECOT
    };
    let app = PendingEnrollment::new(test.config(), &name("dovecot")).unwrap();
    test.activates(&app);
    own.opens(&mut test, "dovecot", &code_of(&app, 0));
    let accepted = EventFilter {
        kind: Some(EventKind::Accepted),
        account: Some(name("dovecot")),
        ..EventFilter::default()
    };
    assert_eq!(
        test.audit_log().list_events(&accepted, 0, 1).unwrap()[0]
            .1
            .origin,
        "local user dovecot"
    );
}

#[test]
fn an_acceptance_before_the_first_factor_is_recorded_after_it_and_only_once() {
    let (mut test, app) = alice(TRUSTING);
    assert_eq!(
        DOVECOT.refused(&mut test, "alice", &code_of(&app, 98)),
        "wrong"
    );
    let mark = DOVECOT.opens(&mut test, "alice", &code_of(&app, 0));
    assert_eq!(last_sign_in(&mut test), None);

    // the address that the host reports does not matter
    let elsewhere = Host {
        address: Some("198.51.100.9"),
        ..DOVECOT
    };
    let texts = elsewhere.books(&mut test, &mark, NOW.plus(5)).unwrap();
    assert_eq!(
        texts,
        ["1 wrong code since your last sign-in, last from 192.0.2.7"]
    );
    assert_eq!(last_sign_in(&mut test), Some(NOW.plus(5)));
    for other in 50..55 {
        DOVECOT.refused(&mut test, "alice", &code_of(&app, other));
        assert!(
            DOVECOT
                .books(&mut test, &mark, NOW.plus(6))
                .unwrap()
                .is_empty()
        );
    }
    assert_eq!(
        DOVECOT.refused(&mut test, "alice", &code_of(&app, 1)),
        "delayed-30s",
        "nothing was forgiven"
    );
    // the address is not familiar
    elsewhere.opens(&mut test, "alice", &code_of(&app, 1));
}

#[test]
fn a_recovery_code_turns_nothing_off_before_the_first_factor_has_passed_and_nothing_twice() {
    let (mut test, app) = alice(&format!("{TRUSTING}\n[recovery]\non_use = \"disable\""));
    let enrolled = |test: &mut TestStore| test.enrolled("alice");
    let mark = DOVECOT.opens(&mut test, "alice", &app.recovery_codes()[0].grouped());
    assert_eq!(enrolled(&mut test), Enrolled::Yes);
    // a sign-in elsewhere in the meantime does not invalidate the mark
    test_store::accepted(&test.attempt("alice", &code_of(&app, 0), NOW));
    DOVECOT.books(&mut test, &mark, NOW).unwrap();
    assert_eq!(enrolled(&mut test), Enrolled::No);

    let renewed = PendingEnrollment::new(test.config(), &name("alice")).unwrap();
    test.activates(&renewed);
    assert_eq!(
        DOVECOT.refuses(&mut test, &mark, NOW),
        Some(MarkRefusal::Revoked)
    );
    assert_eq!(enrolled(&mut test), Enrolled::Yes);
}

#[test]
fn a_hint_about_a_future_code_does_not_leave_the_engine() {
    let (mut test, app) = alice("");
    let ahead = code_of(&app, 5);
    let refused = refusal(LOCKER.answers(&mut test, "alice", &ahead));
    assert_eq!(
        (refused.cause.as_str(), refused.message.as_str()),
        ("wrong", "That code is wrong")
    );
    let events = test.all_events();
    assert!(
        events
            .iter()
            .any(|(_, event)| event.cause == "ahead-5-steps"),
        "{events:?}"
    );
    let behind = LOCKER.refused(&mut test, "alice", &code_of(&app, -5));
    assert_eq!(behind, "behind-5-steps");
}

#[test]
fn the_gates_policy_counts() {
    let policy = "[policy]\nrequired = [\"bob\", \"carol\"]\nenroll_within = \"1h\"\n\
         [[policy.exempt]]\nnetworks = [\"192.0.2.0/24\"]";
    let (mut test, _) = alice(&format!("{TRUSTING}\n{policy}"));
    assert_eq!(LOCKER.need(&mut test, "alice"), Requirement::Code);
    let claimed = Host {
        address: Some("192.0.2.1"),
        ..LOCKER
    };
    assert_eq!(
        claimed.need(&mut test, "alice"),
        Requirement::Code,
        "a claimed address exempts no user"
    );
    assert_eq!(DOVECOT.need(&mut test, "alice"), Requirement::Exempt(1));

    let waived = |test: &mut TestStore, host: &Host, account: &str| {
        host.waives(test, account).map(|(waiver, _)| waiver)
    };
    let bob = Host {
        who: "bob",
        uid: 1001,
        phase: Phase::Before,
        ..LOCKER
    };
    assert_eq!(bob.need(&mut test, "bob"), Requirement::Enrollment);
    assert_eq!(
        waived(&mut test, &bob, "bob"),
        Some(EnrollmentGrace::Until(NOW.plus(3600)))
    );
    assert_eq!(
        waived(&mut test, &DOVECOT, "carol"),
        None,
        "before the first factor no user signs in"
    );
    assert!(test.accounts().account_status(&name("carol")).is_err());
}

/// A process can report any service name.
#[test]
fn a_claimed_service_exempts_only_for_a_service_that_is_named() {
    let (mut test, _) = alice(&format!(
        "{TRUSTING}\n[[policy.exempt]]\nservices = [\"test\"]"
    ));
    assert_eq!(LOCKER.need(&mut test, "alice"), Requirement::Code);
    assert_eq!(DOVECOT.need(&mut test, "alice"), Requirement::Exempt(1));
}

#[test]
fn what_passed_before_is_believed_of_a_service_that_is_named_and_after_the_first_factor() {
    let policy = "[[policy.exempt]]\ncompleted_methods = [\"password\"]";
    let (mut test, _) = alice(&format!("{TRUSTING}\n{policy}"));
    let own = Host {
        completed_methods: "password",
        ..LOCKER
    };
    assert_eq!(
        own.need(&mut test, "alice"),
        Requirement::Code,
        "of one's own account no other user has seen it"
    );
    let named = Host {
        completed_methods: "password",
        phase: Phase::After,
        ..DOVECOT
    };
    assert_eq!(named.need(&mut test, "alice"), Requirement::Exempt(1));
    for host in [
        Host {
            completed_methods: "password",
            ..DOVECOT
        },
        Host {
            phase: Phase::After,
            ..DOVECOT
        },
        Host {
            completed_methods: "password\npublickey x",
            phase: Phase::After,
            ..DOVECOT
        },
    ] {
        assert_eq!(
            host.need(&mut test, "alice"),
            Requirement::Code,
            "{}",
            host.completed_methods
        );
    }
}

/// A thief with the stolen phone who waits at the password prompt gets no access after the owner
/// has revoked everything.
#[test]
fn what_opened_before_the_first_factor_does_not_outlive_a_revocation() {
    type End = fn(&mut TestStore);
    let ends: [(&str, End); 4] = [
        ("second factor turned off", |test| {
            test.disables("alice", "root", NOW);
        }),
        ("password changed", |test| {
            test.accounts()
                .record_host_password_change(&name("alice"), Principal::Command("root"), NOW)
                .unwrap();
        }),
        ("account removed", |test| {
            test.accounts()
                .remove_account(&name("alice"), "root", NOW)
                .unwrap()
        }),
        // A later sign-in of the owner made the token seem used, and ended the sessions by itself.
        ("password changed, and the owner came in", |test| {
            test.accounts()
                .record_host_password_change(&name("alice"), Principal::Command("root"), NOW)
                .unwrap();
            let origin = Origin::Unknown;
            let alice = name("alice");
            let login = request(&alice, &origin);
            test.verification()
                .complete_login(&login, AuthenticationMethod::Code, NOW.plus(3))
                .unwrap()
                .unwrap();
        }),
    ];
    for (what, end) in ends {
        let (mut test, app) = alice(TRUSTING);
        let code = DOVECOT.opens(&mut test, "alice", &code_of(&app, 0));
        let recovery = DOVECOT.opens(&mut test, "alice", &app.recovery_codes()[0].grouped());
        end(&mut test);
        for mark in [code, recovery] {
            let refusal = DOVECOT.refuses(&mut test, &mark, NOW.plus(5));
            assert_eq!(refusal, Some(MarkRefusal::Revoked), "{what}");
        }
    }
}

/// Each local user has a bucket of its own. A service must not choose the user's name, because it
/// would never run out of attempts.
#[test]
fn a_service_that_is_named_cannot_invent_local_users_to_guess_as() {
    let (mut test, app) = alice(TRUSTING);
    let mut compared = 0;
    for number in 0..20 {
        let (who, alice) = (name("dovecot"), name("alice"));
        let context = PamContext {
            requester: Requester::Owner {
                name: &who,
                uid: 990,
            },
            service: &"test".to_owned().try_into().unwrap(),
            user: &alice,
            account: &alice,
            process: &HostProcess::new(PROCESS, Vec::new()),
            origin: &Origin::Local(format!("u{number}")),
            phase: Phase::After,
            completed_methods: &CompletedMethods::default(),
        };
        let result = verify(&mut test, context, &code_of(&app, 50 + number)).unwrap();
        compared += u32::from(refusal(result).cause == "wrong");
    }
    assert_eq!(compared, 5);
}
