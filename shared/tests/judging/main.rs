//! What the engine answers PAM hosts that are not root: about one's own account, and to services that the configuration
//! names.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../home/mod.rs"]
mod home;
mod marks;
mod prompt;

use home::{Home, NOW, alice, code_of, name};
use shared::account::event::{EventFilter, EventKind};
use shared::account::second_factor::Enrolled;
use shared::credential::completed_methods::CompletedMethods;
use shared::credential::input::InputReading;
use shared::credential::otpauth_uri;
use shared::credential::totp::{self, OtpParameters, Step};
use shared::engine::enrollment::pending::PendingEnrollment;
use shared::engine::{
    AdministrationError, MailQueued, MailRefusal, MailRequest, Principal, Requester,
    VerificationRequest,
};
use shared::policy::requirement::{EnrollmentGrace, Requirement};
use shared::protocol::command_request::{
    EngineReply, MarkRefusal, PromptEnrollment, ReplyBody, TypedText, VerifyOperation, VerifyReply,
    VerifyRequest,
};
use shared::system::clock::Timestamp;
use shared::system::process::{HostProcess, ProcessId, TransactionId, UnidentifiedProcess};
use shared::verify::method::AuthenticationMethod;
use shared::verify::origin::Origin;
use shared::verify::throttle::Phase;

const TRUSTING: &str = "[pam]\nsocket_users = [\"dovecot\"]";

type Done = Result<EngineReply, AdministrationError>;

/// A PAM host that runs as `who`, with what it says of itself.
struct Host {
    who: &'static str,
    uid: u32,
    address: Option<&'static str>,
    stage: Phase,
    earlier: &'static str,
    service: &'static str,
    process: &'static [ProcessId],
}

const PROCESS: ProcessId = ProcessId::new(4711, 1);
const LOCKER: Host = Host {
    who: "alice",
    uid: 1000,
    address: None,
    stage: Phase::After,
    earlier: "",
    service: "test",
    process: &[PROCESS],
};
const DOVECOT: Host = Host {
    who: "dovecot",
    uid: 990,
    address: Some("192.0.2.7"),
    stage: Phase::Before,
    ..LOCKER
};

impl Host {
    fn asks(
        &self,
        home: &mut Home,
        account: &str,
        question: VerifyOperation,
        now: Timestamp,
    ) -> Done {
        let judging = VerifyRequest {
            service: self.service.to_owned().try_into().unwrap(),
            user: name(account),
            process: HostProcess::new(self.process[0], self.process[1..].to_vec()),
            origin: self.address.map_or(Origin::Unknown, home::remote),
            stage: self.stage,
            earlier: CompletedMethods::parse_ssh_auth_info(self.earlier.as_bytes()),
            question,
        };
        let who = name(self.who);
        let caller = Requester::Owner {
            name: &who,
            uid: self.uid,
        };
        home.door.judge_for(caller, &name(account), &judging, now)
    }

    fn has_a_code_mailed(&self, home: &mut Home, account: &str) -> MailRequest<MailQueued> {
        let (who, account) = (name(self.who), name(account));
        let origin = self.address.map_or(Origin::Unknown, home::remote);
        let visitor = VerificationRequest {
            name: &account,
            phase: self.stage,
            origin: &origin,
            browser: None,
            service: self.service,
        };
        home.door
            .post_code_for(
                Requester::Owner {
                    name: &who,
                    uid: self.uid,
                },
                &visitor,
                NOW,
            )
            .unwrap()
    }

    fn answers(&self, home: &mut Home, account: &str, typed: &str) -> VerifyReply {
        judged(self.asks(home, account, answer(typed), NOW))
    }

    /// The cause of a refusal.
    #[track_caller]
    fn refused(&self, home: &mut Home, account: &str, typed: &str) -> String {
        match self.answers(home, account, typed) {
            VerifyReply::Refused { cause, .. } => cause,
            other => panic!("{other:?}"),
        }
    }

    /// The mark of an answer that opens.
    #[track_caller]
    fn opens(&self, home: &mut Home, account: &str, typed: &str) -> TypedText {
        let reply = self.asks(home, account, answer(typed), NOW).unwrap();
        assert!(
            matches!(
                reply.answer,
                ReplyBody::Judged(VerifyReply::Accepted { .. })
            ),
            "{:?}",
            reply.answer
        );
        reply.mark.unwrap()
    }

    fn need(&self, home: &mut Home, account: &str) -> Requirement {
        match judged(self.asks(home, account, VerifyOperation::Need, NOW)) {
            VerifyReply::Need { need, .. } => need,
            other => panic!("{other:?}"),
        }
    }

    fn books(&self, home: &mut Home, mark: &TypedText, now: Timestamp) -> Done {
        self.asks(home, "alice", VerifyOperation::Account(mark.clone()), now)
    }

    /// Why a mark of alice's does not count, if it does not.
    fn refuses(&self, home: &mut Home, mark: &TypedText, now: Timestamp) -> Option<MarkRefusal> {
        match judged(self.books(home, mark, now)) {
            VerifyReply::Marked => None,
            VerifyReply::NotMarked(refusal) => Some(refusal),
            other => panic!("{other:?}"),
        }
    }
}

fn answer(typed: &str) -> VerifyOperation {
    VerifyOperation::Answer {
        typed: typed.to_owned().into(),
        reading: InputReading::Whole,
    }
}

#[track_caller]
fn judged(done: Done) -> VerifyReply {
    match done.unwrap().answer {
        ReplyBody::Judged(judged) => judged,
        other => panic!("{other:?}"),
    }
}

fn last_sign_in(home: &mut Home) -> Option<Timestamp> {
    home.door
        .account_status(&name("alice"))
        .unwrap()
        .tally
        .last_sign_in
}

#[test]
fn a_code_is_spent_at_every_door() {
    let (mut home, app) = alice(TRUSTING);
    LOCKER.opens(&mut home, "alice", &code_of(&app, 0));
    assert_eq!(
        LOCKER.refused(&mut home, "alice", &code_of(&app, 0)),
        "used"
    );
    assert_eq!(
        DOVECOT.refused(&mut home, "alice", &code_of(&app, 0)),
        "used"
    );
    home::accepted(&home.attempt("alice", &code_of(&app, 1), NOW));
    assert_eq!(
        LOCKER.refused(&mut home, "alice", &code_of(&app, 1)),
        "used"
    );
}

#[test]
fn for_ones_own_account_no_claim_chooses_the_row() {
    let (mut home, app) = alice("");
    let wrong = code_of(&app, 99);
    let claims = [
        (Some("192.0.2.1"), Phase::Before),
        (Some("2001:db8::1"), Phase::After),
        (None, Phase::Before),
    ];
    for (address, stage) in claims.into_iter().cycle().take(5) {
        assert_eq!(
            Host {
                address,
                stage,
                ..LOCKER
            }
            .refused(&mut home, "alice", &wrong),
            "wrong"
        );
    }
    for (address, stage) in claims {
        let host = Host {
            address,
            stage,
            ..LOCKER
        };
        assert_eq!(
            host.refused(&mut home, "alice", &code_of(&app, 0)),
            "delayed-30s"
        );
    }
    let refused = EventFilter {
        kind: Some(EventKind::Refused),
        ..EventFilter::default()
    };
    let events = home.door.events(&refused, 0, 100).unwrap();
    assert_eq!(events.len(), 5);
    assert!(
        events
            .iter()
            .all(|(_, event)| event.origin == "local user alice"),
        "{events:?}"
    );
    home::accepted(&home.attempt("alice", &code_of(&app, 0), NOW));
}

#[test]
fn others_are_refused_alike_whether_or_not_they_have_an_account() {
    let (mut home, app) = alice(TRUSTING);
    let bob = Host {
        who: "bob",
        uid: 1001,
        ..LOCKER
    };
    let of = |home: &mut Home, account: &str| {
        let code = TypedText::from(code_of(&app, 0));
        [
            VerifyOperation::Need,
            VerifyOperation::Waive,
            answer(&code),
            VerifyOperation::Account(code),
        ]
        .map(|question| {
            bob.asks(home, account, question, NOW)
                .unwrap_err()
                .to_string()
        })
    };
    let (known, unknown) = (of(&mut home, "alice"), of(&mut home, "nobody-here"));
    assert_eq!(known, unknown);
    assert!(known[0].contains("only about the account bob"), "{known:?}");
    assert_eq!(bob.need(&mut home, "bob"), Requirement::Nothing);
    home::accepted(&home.attempt("alice", &code_of(&app, 0), NOW));
}

#[test]
fn a_service_that_is_named_is_believed_and_counted_by_address() {
    let (mut home, app) = alice(TRUSTING);
    for account in ["bob", "carol"] {
        home.door
            .add_account(
                &name(account),
                shared::account::name::Distinct::No,
                "root",
                NOW,
            )
            .unwrap();
        for other in 50..55 {
            assert_eq!(
                DOVECOT.refused(&mut home, account, &code_of(&app, other)),
                "wrong"
            );
        }
    }
    let delayed = DOVECOT.refused(&mut home, "alice", &code_of(&app, 0));
    assert!(delayed.starts_with("address-delayed-"), "{delayed}");
    let elsewhere = Host {
        address: Some("198.51.100.9"),
        ..DOVECOT
    };
    elsewhere.opens(&mut home, "alice", &code_of(&app, 0));

    // its own account is its own as anyone's
    let own = Host {
        stage: Phase::Before,
        ..DOVECOT
    };
    let app = PendingEnrollment::new(home.door.config(), &name("dovecot")).unwrap();
    home.activates(&app);
    own.opens(&mut home, "dovecot", &code_of(&app, 0));
    let accepted = EventFilter {
        kind: Some(EventKind::Accepted),
        account: Some(name("dovecot")),
        ..EventFilter::default()
    };
    assert_eq!(
        home.door.events(&accepted, 0, 1).unwrap()[0].1.origin,
        "local user dovecot"
    );
}

#[test]
fn what_opened_before_the_first_factor_is_booked_after_it_and_only_once() {
    let (mut home, app) = alice(TRUSTING);
    assert_eq!(
        DOVECOT.refused(&mut home, "alice", &code_of(&app, 98)),
        "wrong"
    );
    let mark = DOVECOT.opens(&mut home, "alice", &code_of(&app, 0));
    assert_eq!(last_sign_in(&mut home), None);

    // whatever address the host names now
    let elsewhere = Host {
        address: Some("198.51.100.9"),
        ..DOVECOT
    };
    let reply = elsewhere.books(&mut home, &mark, NOW.plus(5)).unwrap();
    assert_eq!(
        reply.messages,
        ["1 wrong code since your last sign-in, last from 192.0.2.7"]
    );
    assert_eq!(last_sign_in(&mut home), Some(NOW.plus(5)));
    for other in 50..55 {
        DOVECOT.refused(&mut home, "alice", &code_of(&app, other));
        assert!(
            DOVECOT
                .books(&mut home, &mark, NOW.plus(6))
                .unwrap()
                .messages
                .is_empty()
        );
    }
    assert_eq!(
        DOVECOT.refused(&mut home, "alice", &code_of(&app, 1)),
        "delayed-30s",
        "nothing was forgiven"
    );
    // it is not familiar
    elsewhere.opens(&mut home, "alice", &code_of(&app, 1));
}

#[test]
fn a_recovery_code_turns_nothing_off_before_the_first_factor_has_passed_and_nothing_twice() {
    let (mut home, app) = alice(&format!("{TRUSTING}\n[recovery]\non_use = \"disable\""));
    let enrolled = |home: &mut Home| {
        home.door
            .load_policy_facts(&name("alice"))
            .unwrap()
            .enrolled
    };
    let mark = DOVECOT.opens(&mut home, "alice", &app.recovery_codes()[0].grouped());
    assert_eq!(enrolled(&mut home), Enrolled::Yes);
    // signing in elsewhere meanwhile does not keep it from what it does
    home::accepted(&home.attempt("alice", &code_of(&app, 0), NOW));
    DOVECOT.books(&mut home, &mark, NOW).unwrap();
    assert_eq!(enrolled(&mut home), Enrolled::No);

    let anew = PendingEnrollment::new(home.door.config(), &name("alice")).unwrap();
    home.activates(&anew);
    assert_eq!(
        DOVECOT.refuses(&mut home, &mark, NOW),
        Some(MarkRefusal::Revoked)
    );
    assert_eq!(enrolled(&mut home), Enrolled::Yes);
}

#[test]
fn a_hint_about_a_future_code_does_not_leave_the_engine() {
    let (mut home, app) = alice("");
    let ahead = code_of(&app, 5);
    let VerifyReply::Refused { cause, words, .. } = LOCKER.answers(&mut home, "alice", &ahead)
    else {
        panic!("a code of the future opens")
    };
    assert_eq!(
        (cause.as_str(), words.as_str()),
        ("wrong", "That code is wrong")
    );
    let events = home.door.events(&EventFilter::default(), 0, 100).unwrap();
    assert!(
        events
            .iter()
            .any(|(_, event)| event.cause == "ahead-5-steps"),
        "{events:?}"
    );
    let behind = LOCKER.refused(&mut home, "alice", &code_of(&app, -5));
    assert_eq!(behind, "behind-5-steps");
}

#[test]
fn the_gates_policy_counts() {
    let policy = "[policy]\nrequired = [\"bob\", \"carol\"]\nenroll_within = \"1h\"\n\
         [[policy.exempt]]\nnetworks = [\"192.0.2.0/24\"]";
    let (mut home, _) = alice(&format!("{TRUSTING}\n{policy}"));
    assert_eq!(LOCKER.need(&mut home, "alice"), Requirement::Code);
    let claimed = Host {
        address: Some("192.0.2.1"),
        ..LOCKER
    };
    assert_eq!(
        claimed.need(&mut home, "alice"),
        Requirement::Code,
        "a claimed address exempts nobody"
    );
    assert_eq!(DOVECOT.need(&mut home, "alice"), Requirement::Exempt(1));

    let waived = |home: &mut Home, host: &Host, account: &str| match judged(host.asks(
        home,
        account,
        VerifyOperation::Waive,
        NOW,
    )) {
        VerifyReply::Waived(waiver) => waiver,
        other => panic!("{other:?}"),
    };
    let bob = Host {
        who: "bob",
        uid: 1001,
        stage: Phase::Before,
        ..LOCKER
    };
    assert_eq!(bob.need(&mut home, "bob"), Requirement::Enrollment);
    assert_eq!(
        waived(&mut home, &bob, "bob"),
        Some(EnrollmentGrace::Until(NOW.plus(3600)))
    );
    assert_eq!(
        waived(&mut home, &DOVECOT, "carol"),
        None,
        "before the first factor nobody signs in"
    );
    assert!(home.door.account_status(&name("carol")).is_err());
}

/// A process calls itself what it likes.
#[test]
fn a_claimed_service_exempts_nobody_but_for_a_service_that_is_named() {
    let (mut home, _) = alice(&format!(
        "{TRUSTING}\n[[policy.exempt]]\nservices = [\"test\"]"
    ));
    assert_eq!(LOCKER.need(&mut home, "alice"), Requirement::Code);
    assert_eq!(DOVECOT.need(&mut home, "alice"), Requirement::Exempt(1));
}

#[test]
fn what_passed_before_is_believed_of_a_service_that_is_named_and_after_the_first_factor() {
    let policy = "[[policy.exempt]]\ncompleted_methods = [\"password\"]";
    let (mut home, _) = alice(&format!("{TRUSTING}\n{policy}"));
    let own = Host {
        earlier: "password",
        ..LOCKER
    };
    assert_eq!(
        own.need(&mut home, "alice"),
        Requirement::Code,
        "of one's own account nobody else has seen it"
    );
    let named = Host {
        earlier: "password",
        stage: Phase::After,
        ..DOVECOT
    };
    assert_eq!(named.need(&mut home, "alice"), Requirement::Exempt(1));
    for host in [
        Host {
            earlier: "password",
            ..DOVECOT
        },
        Host {
            stage: Phase::After,
            ..DOVECOT
        },
        Host {
            earlier: "password\npublickey x",
            stage: Phase::After,
            ..DOVECOT
        },
    ] {
        assert_eq!(
            host.need(&mut home, "alice"),
            Requirement::Code,
            "{}",
            host.earlier
        );
    }
}

/// Whoever has the stolen phone and waits at the password's prompt does not come in after the owner has ended it all.
#[test]
fn what_opened_before_the_first_factor_does_not_outlive_a_revocation() {
    type End = fn(&mut Home);
    let ends: [(&str, End); 4] = [
        ("second factor turned off", |home| {
            home.door
                .disable_second_factor(&name("alice"), "root", NOW)
                .unwrap();
        }),
        ("password changed", |home| {
            home.door
                .record_host_password_change(&name("alice"), Principal::Command("root"), NOW)
                .unwrap();
        }),
        ("account removed", |home| {
            home.door
                .remove_account(&name("alice"), "root", NOW)
                .unwrap()
        }),
        // a sign-in of the owner's since looked as if the ticket had been used, and had ended the sessions itself
        ("password changed, and the owner came in", |home| {
            home.door
                .record_host_password_change(&name("alice"), Principal::Command("root"), NOW)
                .unwrap();
            let origin = Origin::Unknown;
            let alice = name("alice");
            let visitor = VerificationRequest {
                name: &alice,
                phase: Phase::After,
                origin: &origin,
                browser: None,
                service: "test",
            };
            home.door
                .complete_login(&visitor, AuthenticationMethod::Code, NOW.plus(3))
                .unwrap()
                .unwrap();
        }),
    ];
    for (what, end) in ends {
        let (mut home, app) = alice(TRUSTING);
        let code = DOVECOT.opens(&mut home, "alice", &code_of(&app, 0));
        let recovery = DOVECOT.opens(&mut home, "alice", &app.recovery_codes()[0].grouped());
        end(&mut home);
        for mark in [code, recovery] {
            let refusal = DOVECOT.refuses(&mut home, &mark, NOW.plus(5));
            assert_eq!(refusal, Some(MarkRefusal::Revoked), "{what}");
        }
    }
}

/// Each local user has a row of his own, so who that is must not be the service's to say: it would never run out of tries.
#[test]
fn a_service_that_is_named_cannot_invent_local_users_to_guess_as() {
    let (mut home, app) = alice(TRUSTING);
    let mut compared = 0;
    for number in 0..20 {
        let judging = VerifyRequest {
            service: "test".to_owned().try_into().unwrap(),
            user: name("alice"),
            process: HostProcess::new(PROCESS, Vec::new()),
            origin: Origin::Local(format!("u{number}")),
            stage: Phase::After,
            earlier: CompletedMethods::default(),
            question: answer(&code_of(&app, 50 + number)),
        };
        let who = name("dovecot");
        let caller = Requester::Owner {
            name: &who,
            uid: 990,
        };
        let done = home.door.judge_for(caller, &name("alice"), &judging, NOW);
        let VerifyReply::Refused { cause, .. } = judged(done) else {
            panic!("a wrong code opens")
        };
        compared += u32::from(cause == "wrong");
    }
    assert_eq!(compared, 5);
}
