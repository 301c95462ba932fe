//! Approval of a PAM prompt by a passkey at the web, and what an attacker cannot make of it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "test_store/authenticator.rs"]
mod authenticator;
mod test_store;

use authenticator::SoftAuthenticator;
use postern_shared::account::event::EventKind;
use postern_shared::account::host::JoinedHost;
use postern_shared::credential::approval_code::{ApprovalCode, ApprovalNumber};
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::credential::input::Input;
use postern_shared::crypto::fleet::authority::HostKey;
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AfterCode, AfterPassword, ApprovalAnswer, PamContext, PamGrant, PamRefusal, PendingApproval,
    Principal, Requester, ShownApproval, TrustRequest,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::process::{HostProcess, ProcessId};
use postern_shared::token::session::Session;
use postern_shared::token::{PasskeyPurpose, PasskeyToken};
use postern_shared::verify::throttle::Phase;
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, assert_contains, assert_lacks, browser, code_at,
    name, password, remote, signs_in,
};

const GATE: &str = "[gate]\nurl = \"https://auth.example.com/\"\n";
const EMAIL: &str = "[email]\nfrom = \"postern@example.com\"\nsmtp_url = \"smtp://localhost\"\n";
/// The address of the phone, and that of the ssh client.
const PHONE: &str = "192.0.2.7";
const CLIENT: &str = "198.51.100.9";

/// A prompt after the first factor.
#[derive(Clone)]
struct Prompt {
    host: Option<JoinedHost>,
    service: &'static str,
    account: &'static str,
    phase: Phase,
    /// Whether a process of the user's own runs it.
    is_own: bool,
}

const SSHD: Prompt = Prompt {
    host: None,
    service: "sshd",
    account: "alice",
    phase: Phase::After,
    is_own: false,
};

impl Prompt {
    fn run<R>(&self, act: impl FnOnce(PamContext<'_>) -> R) -> R {
        let account = name(self.account);
        let requester = match &self.host {
            Some(host) => Requester::Host(host),
            None if self.is_own => Requester::Owner {
                name: &account,
                uid: 1000,
            },
            None => Requester::Root("root"),
        };
        act(PamContext {
            requester,
            service: &self.service.to_owned().try_into().unwrap(),
            user: &account,
            account: &account,
            process: &HostProcess::new(ProcessId::new(4711, 1), Vec::new()),
            origin: &remote(CLIENT),
            phase: self.phase,
            completed_methods: &CompletedMethods::default(),
        })
    }

    fn offers(&self, test: &mut TestStore) -> bool {
        self.run(|context| test.engine.approvals().is_available(context, NOW).unwrap())
    }

    fn requests_at(
        &self,
        test: &mut TestStore,
        now: Timestamp,
    ) -> Result<PendingApproval, PamRefusal> {
        self.run(|context| {
            let mut approvals = test.engine.approvals();
            approvals.request_approval(context, now).unwrap()
        })
    }

    #[track_caller]
    fn requests(&self, test: &mut TestStore) -> PendingApproval {
        self.requests_at(test, NOW).unwrap()
    }

    fn is_open(&self, test: &mut TestStore, pending: &PendingApproval, now: Timestamp) -> bool {
        self.run(|context| {
            test.engine
                .approvals()
                .is_open(context, pending, now)
                .unwrap()
        })
    }

    fn consumes_at(
        &self,
        test: &mut TestStore,
        pending: &PendingApproval,
        now: Timestamp,
    ) -> Result<PamGrant, PamRefusal> {
        self.run(|context| {
            let mut approvals = test.engine.approvals();
            approvals.grant_access(context, pending, now).unwrap()
        })
    }

    /// Returns the cause for which a request grants nothing.
    #[track_caller]
    fn refused(&self, test: &mut TestStore, pending: &PendingApproval) -> String {
        self.consumes_at(test, pending, NOW).unwrap_err().cause
    }
}

/// Registers a passkey of an account, in a session of it.
fn adds_passkey(test: &mut TestStore, session: &Session, key: &mut SoftAuthenticator) {
    let mut passkeys = test.engine.passkeys();
    let purpose = PasskeyPurpose::Registration;
    let begun = passkeys.request_in_session(session, purpose, NOW).unwrap();
    let token = begun.unwrap().0;
    let response = key.registers(&token.passkey_challenge().to_text());
    let from = remote(PHONE);
    let actor = Principal::Session(&session.name, &from, session.id);
    let label = "phone".parse().unwrap();
    passkeys
        .add_passkey(&token, &response, &label, actor, NOW)
        .unwrap();
}

/// Returns a store in which alice has a session on a phone with a passkey.
fn alice() -> (TestStore, PendingEnrollment, Session, SoftAuthenticator) {
    let (mut test, app) = alice_at_the_web(GATE);
    let session = signs_in(&mut test, &remote(PHONE), &code_at(&app, 0, NOW), NOW);
    let mut key = SoftAuthenticator::new(b"one");
    adds_passkey(&mut test, &session, &mut key);
    (test, app, session, key)
}

fn shows(
    test: &mut TestStore,
    session: &Session,
    code: &ApprovalCode,
    now: Timestamp,
) -> Option<(ShownApproval, PasskeyToken)> {
    let found = test.engine.approvals().show_request(session, code, now);
    found.unwrap().map(|(shown, token, _)| (shown, token))
}

fn answers(
    test: &mut TestStore,
    session: &Session,
    pending: &PendingApproval,
    token: &PasskeyToken,
    key: &mut SoftAuthenticator,
    number: ApprovalNumber,
) -> ApprovalAnswer {
    let response = key.asserts(&token.passkey_challenge().to_text());
    let (from, code) = (remote(PHONE), pending.code());
    let mut approvals = test.engine.approvals();
    let passkey = (token, &response);
    approvals
        .approve_request(&browser(&from), session, code, Some(number), passkey, NOW)
        .unwrap()
}

/// Approves a request as its owner.
#[track_caller]
fn approves(
    test: &mut TestStore,
    session: &Session,
    pending: &PendingApproval,
    key: &mut SoftAuthenticator,
) {
    let (_, token) = shows(test, session, pending.code(), NOW).unwrap();
    let answer = answers(test, session, pending, &token, key, pending.number());
    assert!(matches!(answer, ApprovalAnswer::Approved(_)), "{answer:?}");
}

/// Returns the host db1, which joins.
fn joins(test: &mut TestStore) -> JoinedHost {
    let mut hosts = test.engine.hosts();
    let host = "db1".parse().unwrap();
    let (invitation, _) = hosts.invite_host(&host, "root", NOW).unwrap();
    let key = HostKey::generate().unwrap().public_key();
    hosts
        .join_host(invitation.secret(), &key, NOW)
        .unwrap()
        .host
}

/// Locks the bucket of the prompt.
fn locks(test: &mut TestStore) {
    test.attempt_from("alice", &remote(CLIENT), Phase::After, "000000", NOW);
    test.changes(
        "INSERT INTO bucket_lock (owner, phase, scope, at) \
         SELECT DISTINCT owner, phase, scope, at FROM failure WHERE owner > 0",
    );
}

/// Returns a session of another account.
fn signs_mallory_in(test: &mut TestStore) -> Session {
    let app = test.enrols("mallory");
    test.sets_password("mallory");
    let (from, who, none) = (remote(PHONE), name("mallory"), Input::parse(b""));
    let mut login = test.engine.login();
    let typed = password(PASSWORD);
    let asked = login.enter_password(&browser(&from), &who, Some(&typed), &none, NOW);
    let AfterPassword::Code(token) = asked.unwrap() else {
        panic!("no code is asked for")
    };
    let code = Input::parse(code_at(&app, 0, NOW).as_bytes());
    let trust = TrustRequest::NotAsked;
    match login
        .enter_code(&browser(&from), &token, &code, trust, NOW)
        .unwrap()
    {
        AfterCode::Opened(opened) => opened.session,
        AfterCode::Refused(refusal) => panic!("refused: {refusal}"),
    }
}

fn other_number(pending: &PendingApproval) -> ApprovalNumber {
    let other = if pending.number().value() == 42 {
        "43"
    } else {
        "42"
    };
    ApprovalNumber::parse(other).unwrap()
}

fn causes(test: &mut TestStore) -> String {
    let events = test.all_events();
    let causes = events.into_iter().map(|(_, event)| event.cause);
    causes.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_approved_request_grants_access_once_to_the_conversation_that_asked() {
    let (mut test, _, session, mut key) = alice();
    assert!(SSHD.offers(&mut test));
    let pending = SSHD.requests(&mut test);
    let address = format!(
        "https://auth.example.com/approve/{}",
        pending.code().plain()
    );
    assert_eq!(pending.url(), address);
    assert!(SSHD.is_open(&mut test, &pending, NOW));
    let (shown, token) = shows(&mut test, &session, pending.code(), NOW).unwrap();
    assert_eq!((&*shown.service, &*shown.origin), ("sshd", CLIENT));
    assert!(!shown.host.is_empty());
    let number = pending.number();
    let answer = answers(&mut test, &session, &pending, &token, &mut key, number);
    assert!(matches!(answer, ApprovalAnswer::Approved(_)));
    assert!(!SSHD.is_open(&mut test, &pending, NOW));
    let granted = SSHD.consumes_at(&mut test, &pending, NOW).unwrap();
    let (method, mark) = granted.into_parts();
    assert_eq!(method, "approval");
    assert!(mark.is_some(), "the account hook needs a mark");
    assert_eq!(SSHD.refused(&mut test, &pending), "approval-expired");
    let events = test.all_events();
    let signed_in = events
        .iter()
        .filter(|(_, event)| event.kind == EventKind::Accepted && event.cause == "approval");
    assert_eq!(signed_in.count(), 1);
}

/// Unasked, not approved, before the first factor, without a passkey that verifies its user.
#[test]
fn without_an_approval_a_passkey_or_a_first_factor_nothing_is_granted() {
    let (mut test, _, session, _) = alice();
    let pending = SSHD.requests(&mut test);
    assert_eq!(SSHD.refused(&mut test, &pending), "approval-expired");
    assert!(shows(&mut test, &session, pending.code(), NOW).is_none());

    let unasked = ApprovalCode::parse("ABCDEFGHJK").unwrap();
    assert!(shows(&mut test, &session, &unasked, NOW).is_none());

    let before = Prompt {
        phase: Phase::Before,
        ..SSHD
    };
    assert!(!before.offers(&mut test));
    let refusal = before.requests_at(&mut test, NOW).unwrap_err();
    assert_eq!(refusal.cause, "approval-not-available");

    test.enrols("bob");
    let bob = Prompt {
        account: "bob",
        ..SSHD
    };
    assert!(!bob.offers(&mut test));
    let refusal = bob.requests_at(&mut test, NOW).unwrap_err();
    assert_eq!(refusal.cause, "approval-not-available");
}

#[test]
fn a_gate_without_passkeys_offers_no_approval() {
    let (mut test, app) = alice_at_the_web("[gate]\nurl = \"https://192.0.2.1/\"\n");
    signs_in(&mut test, &remote(PHONE), &code_at(&app, 0, NOW), NOW);
    assert!(!SSHD.offers(&mut test));
    let refusal = SSHD.requests_at(&mut test, NOW).unwrap_err();
    assert_eq!(refusal.cause, "approval-not-available");
}

/// A security key without PIN: a finder could use it.
#[test]
fn a_passkey_that_does_not_verify_its_user_approves_nothing() {
    let (mut test, app) = alice_at_the_web(GATE);
    let session = signs_in(&mut test, &remote(PHONE), &code_at(&app, 0, NOW), NOW);
    let mut key = SoftAuthenticator::new(b"one");
    key.verifies_user = false;
    adds_passkey(&mut test, &session, &mut key);
    assert!(!SSHD.offers(&mut test));

    // With one that verifies its user at the registration, and not now.
    let (mut test, _, session, mut key) = alice();
    let pending = SSHD.requests(&mut test);
    key.verifies_user = false;
    let (_, token) = shows(&mut test, &session, pending.code(), NOW).unwrap();
    let number = pending.number();
    let answer = answers(&mut test, &session, &pending, &token, &mut key, number);
    assert!(matches!(answer, ApprovalAnswer::PasskeyRefused));
    assert!(SSHD.is_open(&mut test, &pending, NOW));
    assert_contains(causes(&mut test), "did not verify its user");
}

#[test]
fn another_account_finds_nothing_and_its_passkey_approves_nothing() {
    let (mut test, _, session, _) = alice();
    let pending = SSHD.requests(&mut test);
    let mut mallory = signs_mallory_in(&mut test);
    let mut key = SoftAuthenticator::new(b"two");
    adds_passkey(&mut test, &mallory, &mut key);
    assert!(shows(&mut test, &mallory, pending.code(), NOW).is_none());
    // With a token of her own, for a request of her own.
    let own = Prompt {
        account: "mallory",
        ..SSHD
    };
    let own = own.requests(&mut test);
    let (_, token) = shows(&mut test, &mallory, own.code(), NOW).unwrap();
    let number = pending.number();
    let answer = answers(&mut test, &mallory, &pending, &token, &mut key, number);
    assert!(matches!(answer, ApprovalAnswer::Unknown));
    let from = remote(PHONE);
    let mut approvals = test.engine.approvals();
    let code = pending.code();
    let refused = approvals.refuse_request(&browser(&from), &mallory, code, NOW);
    assert!(refused.unwrap().is_none());
    // A session that calls itself alice's, with another account's number.
    mallory.name = session.name.clone();
    assert!(shows(&mut test, &mallory, pending.code(), NOW).is_none());
    assert!(SSHD.is_open(&mut test, &pending, NOW));
    // With alice's session and token, and a passkey that is not hers.
    let (_, token) = shows(&mut test, &session, pending.code(), NOW).unwrap();
    let answer = answers(&mut test, &session, &pending, &token, &mut key, number);
    assert!(matches!(answer, ApprovalAnswer::PasskeyRefused));
}

#[test]
fn a_number_has_one_try_and_counts_as_a_wrong_code() {
    let (mut test, _, session, mut key) = alice();
    let pending = SSHD.requests(&mut test);
    let (_, token) = shows(&mut test, &session, pending.code(), NOW).unwrap();
    let wrong = other_number(&pending);
    let answer = answers(&mut test, &session, &pending, &token, &mut key, wrong);
    assert!(matches!(answer, ApprovalAnswer::WrongNumber));
    assert!(shows(&mut test, &session, pending.code(), NOW).is_none());
    let failures = "SELECT count(*) FROM failure";
    let before: i64 = test.number(failures);
    assert_eq!(SSHD.refused(&mut test, &pending), "approval-wrong-number");
    assert_eq!(test.number::<i64>(failures), before + 1);
    // once, however often it is asked
    assert_eq!(SSHD.refused(&mut test, &pending), "approval-expired");
    assert_eq!(test.number::<i64>(failures), before + 1);
    assert_contains(causes(&mut test), "approval-wrong-number: sshd at ");
}

/// The challenge of one request approves it once, and no other.
#[test]
fn a_challenge_is_used_once_and_for_its_own_request() {
    let (mut test, _, session, mut key) = alice();
    let first = SSHD.requests(&mut test);
    let (_, token) = shows(&mut test, &session, first.code(), NOW).unwrap();
    let second = SSHD.requests(&mut test);
    assert!(
        !SSHD.is_open(&mut test, &first, NOW),
        "a new request ends the old one"
    );
    assert!(shows(&mut test, &session, first.code(), NOW).is_none());
    let number = second.number();
    let answer = answers(&mut test, &session, &second, &token, &mut key, number);
    assert!(matches!(answer, ApprovalAnswer::PasskeyRefused));
    // A token of a step-up is none of an approval.
    let mut passkeys = test.engine.passkeys();
    let begun = passkeys.request_in_session(&session, PasskeyPurpose::StepUp, NOW);
    let step_up = begun.unwrap().unwrap().0;
    let answer = answers(&mut test, &session, &second, &step_up, &mut key, number);
    assert!(matches!(answer, ApprovalAnswer::PasskeyRefused));

    // Refused with the wrong passkey, then replayed with the right one.
    let (_, token) = shows(&mut test, &session, second.code(), NOW).unwrap();
    let mut foreign = SoftAuthenticator::new(b"foreign");
    let answer = answers(&mut test, &session, &second, &token, &mut foreign, number);
    assert!(matches!(answer, ApprovalAnswer::PasskeyRefused));
    let answer = answers(&mut test, &session, &second, &token, &mut key, number);
    assert!(matches!(answer, ApprovalAnswer::PasskeyRefused));
    approves(&mut test, &session, &second, &mut key);
    // Approved twice.
    let (from, challenge) = (remote(PHONE), token.passkey_challenge().to_text());
    let response = key.asserts(&challenge);
    let mut approvals = test.engine.approvals();
    let (code, passkey) = (second.code(), (&token, &response));
    let again =
        approvals.approve_request(&browser(&from), &session, code, Some(number), passkey, NOW);
    assert!(matches!(again.unwrap(), ApprovalAnswer::Unknown));
    assert!(SSHD.consumes_at(&mut test, &second, NOW).is_ok());
}

#[test]
fn another_conversation_cannot_consume_an_approval() {
    let (mut test, _, session, mut key) = alice();
    let pending = SSHD.requests(&mut test);
    approves(&mut test, &session, &pending, &mut key);
    let sudo = Prompt {
        service: "sudo",
        ..SSHD
    };
    let elsewhere = Prompt {
        host: Some(joins(&mut test)),
        ..SSHD
    };
    test.enrols("bob");
    let bob = Prompt {
        account: "bob",
        ..SSHD
    };
    for other in [sudo, elsewhere, bob] {
        assert_eq!(other.refused(&mut test, &pending), "approval-expired");
    }
    assert!(SSHD.consumes_at(&mut test, &pending, NOW).is_ok());
}

#[test]
fn a_request_expires_after_90_seconds_approved_or_not() {
    let (mut test, _, session, mut key) = alice();
    let pending = SSHD.requests(&mut test);
    assert_eq!(pending.expires(), NOW.plus(90));
    assert!(SSHD.is_open(&mut test, &pending, NOW.plus(89)));
    assert!(shows(&mut test, &session, pending.code(), NOW.plus(89)).is_some());
    assert!(!SSHD.is_open(&mut test, &pending, NOW.plus(90)));
    assert!(shows(&mut test, &session, pending.code(), NOW.plus(90)).is_none());
    approves(&mut test, &session, &pending, &mut key);
    let late = SSHD.consumes_at(&mut test, &pending, NOW.plus(90));
    assert_eq!(late.unwrap_err().cause, "approval-expired");
}

/// Whatever ends the sessions of an account, its passkeys or itself ends its approvals.
#[test]
fn what_ends_the_account_between_approval_and_consumption_ends_the_approval() {
    type End = fn(&mut TestStore, &Session);
    let ends: [(&str, End); 6] = [
        ("disabled", |test, _| {
            test.disables("alice", "root", NOW);
        }),
        ("passkey removed", |test, _| {
            let (who, label) = (name("alice"), "phone".parse().unwrap());
            let mut passkeys = test.engine.passkeys();
            passkeys.remove_passkey(&who, &label, "root", NOW).unwrap();
        }),
        ("sessions ended", |test, _| {
            let mut sessions = test.engine.sessions();
            let who = name("alice");
            sessions.revoke_sessions(&who, None, "root", NOW).unwrap();
        }),
        ("the session that approved ended", |test, session| {
            let mut sessions = test.engine.sessions();
            let (who, one) = (name("alice"), Some(session.id));
            sessions.revoke_sessions(&who, one, "root", NOW).unwrap();
        }),
        ("locked", |test, _| locks(test)),
        ("removed", |test, _| {
            let mut accounts = test.engine.accounts();
            accounts
                .remove_account(&name("alice"), "root", NOW)
                .unwrap();
        }),
    ];
    for (what, end) in ends {
        let (mut test, _, session, mut key) = alice();
        let pending = SSHD.requests(&mut test);
        approves(&mut test, &session, &pending, &mut key);
        end(&mut test, &session);
        let refused = SSHD.consumes_at(&mut test, &pending, NOW);
        assert!(refused.is_err(), "{what}");
    }
}

#[test]
fn this_was_not_me_ends_the_request_and_mails_the_owner() {
    let (mut test, app) = alice_at_the_web(&format!("{EMAIL}{GATE}"));
    let (who, to) = (name("alice"), "alice@example.com".parse().unwrap());
    let mut accounts = test.engine.accounts();
    accounts.set_email(&who, &to, "root", NOW).unwrap();
    let session = signs_in(&mut test, &remote(PHONE), &code_at(&app, 0, NOW), NOW);
    let mut key = SoftAuthenticator::new(b"one");
    adds_passkey(&mut test, &session, &mut key);
    let pending = SSHD.requests(&mut test);
    let (_, token) = shows(&mut test, &session, pending.code(), NOW).unwrap();
    let from = remote(PHONE);
    let mut approvals = test.engine.approvals();
    let refused = approvals.refuse_request(&browser(&from), &session, pending.code(), NOW);
    assert!(refused.unwrap().is_some());
    assert!(!SSHD.is_open(&mut test, &pending, NOW));
    let number = pending.number();
    let answer = answers(&mut test, &session, &pending, &token, &mut key, number);
    assert!(matches!(answer, ApprovalAnswer::Unknown));
    assert_eq!(SSHD.refused(&mut test, &pending), "approval-refused");
    let due = test.engine.mail().take_due_notifications(100, NOW).unwrap();
    let mailed: Vec<_> = due
        .iter()
        .filter(|sent| sent.event.kind == EventKind::ApprovalRefused)
        .collect();
    assert_eq!(mailed.len(), 1);
    assert_contains(&mailed[0].event.cause, "sshd at ");
}

/// Approval fatigue: requests reach no one, and are few.
#[test]
fn requests_reach_no_one_and_five_in_ten_minutes_are_the_most() {
    let config =
        format!("[email]\nfrom = \"postern@example.com\"\nsmtp_url = \"smtp://localhost\"\n{GATE}");
    let (mut test, app) = alice_at_the_web(&config);
    let session = signs_in(&mut test, &remote(PHONE), &code_at(&app, 0, NOW), NOW);
    adds_passkey(&mut test, &session, &mut SoftAuthenticator::new(b"one"));
    let queued = |test: &TestStore| {
        let mails: i64 = test.number("SELECT count(*) FROM outbox");
        let notifications: i64 = test.number("SELECT count(*) FROM notification");
        mails + notifications
    };
    let (before, events) = (queued(&test), test.all_events().len());
    for _ in 0..5 {
        SSHD.requests(&mut test);
    }
    for at in [0, 60, 599] {
        let refusal = SSHD.requests_at(&mut test, NOW.plus(at)).unwrap_err();
        assert_eq!(refusal.cause, "approval-too-many");
    }
    assert_eq!(queued(&test), before, "no mail, no notification");
    assert_eq!(test.all_events().len(), events, "and nothing in the log");
    let open = "SELECT count(*) FROM approval_request WHERE state = 'open'";
    assert_eq!(test.number::<i64>(open), 1);

    // A host of a fleet has requests of its own, and ends none of another host.
    let host = Prompt {
        host: Some(joins(&mut test)),
        ..SSHD
    };
    let pending = host.requests(&mut test);
    let (shown, _) = shows(&mut test, &session, pending.code(), NOW).unwrap();
    assert_eq!(shown.host, "db1");
    assert_eq!(test.number::<i64>(open), 2);

    // Later there may be more, and the old ones are removed.
    assert!(SSHD.requests_at(&mut test, NOW.plus(601)).is_ok());
    let all = "SELECT count(*) FROM approval_request";
    assert_eq!(test.number::<i64>(all), 1);
}

/// A process of alice's own, which has proven nothing, neither ends the request of her ssh login nor uses
/// up what she may ask for there.
#[test]
fn a_process_of_the_users_own_leaves_the_requests_at_ssh() {
    let (mut test, _, session, mut key) = alice();
    let pending = SSHD.requests(&mut test);
    let own = Prompt {
        is_own: true,
        ..SSHD
    };
    for _ in 0..5 {
        own.requests(&mut test);
    }
    let refusal = own.requests_at(&mut test, NOW).unwrap_err();
    assert_eq!(refusal.cause, "approval-too-many");
    approves(&mut test, &session, &pending, &mut key);
    assert!(SSHD.consumes_at(&mut test, &pending, NOW).is_ok());
}

/// Who types something else after the owner's refusal pays for it as well.
#[test]
fn a_refused_request_that_is_given_up_counts_as_a_wrong_code() {
    let (mut test, _, session, _) = alice();
    let pending = SSHD.requests(&mut test);
    let from = remote(PHONE);
    let mut approvals = test.engine.approvals();
    let refused = approvals.refuse_request(&browser(&from), &session, pending.code(), NOW);
    assert!(refused.unwrap().is_some());
    let failures = "SELECT count(*) FROM failure";
    let before: i64 = test.number(failures);
    SSHD.run(|context| {
        let mut approvals = test.engine.approvals();
        approvals.end_request(context, &pending, NOW).unwrap();
    });
    assert_eq!(test.number::<i64>(failures), before + 1);
}

/// Requests of a clock that ran ahead are neither counted nor kept.
#[test]
fn requests_of_the_future_are_forgotten() {
    let (mut test, ..) = alice();
    for _ in 0..5 {
        SSHD.requests_at(&mut test, NOW.plus(1_000_000)).unwrap();
    }
    SSHD.requests(&mut test);
    let all = "SELECT count(*) FROM approval_request";
    assert_eq!(test.number::<i64>(all), 1);
}

#[test]
fn no_request_is_made_during_delays() {
    let (mut test, ..) = alice();
    locks(&mut test);
    let refusal = SSHD.requests_at(&mut test, NOW).unwrap_err();
    assert_eq!(refusal.cause, "locked");
    assert_lacks(causes(&mut test), "approval");
}

/// The store keeps neither address nor number nor what the conversation knows.
#[test]
fn what_the_store_keeps_of_a_request_reveals_neither_address_nor_number() {
    let (mut test, ..) = alice();
    let pending = SSHD.requests(&mut test);
    assert!(!test.holds(pending.code().plain().as_bytes()));
    let columns =
        "SELECT length(hash) + length(number) + length(conversation) FROM approval_request";
    assert_eq!(test.number::<i64>(columns), 96);
}

/// A conversation that gives its request up ends it, also where it was approved.
#[test]
fn a_request_that_is_given_up_grants_nothing() {
    let (mut test, _, session, mut key) = alice();
    let pending = SSHD.requests(&mut test);
    approves(&mut test, &session, &pending, &mut key);
    SSHD.run(|context| {
        test.engine
            .approvals()
            .end_request(context, &pending, NOW)
            .unwrap()
    });
    assert_eq!(SSHD.refused(&mut test, &pending), "approval-expired");
}

#[test]
fn renewed_keys_end_requests() {
    let (mut test, _, session, mut key) = alice();
    let pending = SSHD.requests(&mut test);
    approves(&mut test, &session, &pending, &mut key);
    let mut keys = test.engine.keys();
    keys.rotate_keys(Renewal::All, "root", NOW).unwrap();
    assert!(SSHD.consumes_at(&mut test, &pending, NOW).is_err());
}
