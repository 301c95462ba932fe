//! The one-time code for PAM prompts that a passkey makes: what makes it, where it is accepted, and
//! what ends it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "test_store/authenticator.rs"]
mod authenticator;
mod test_store;

use authenticator::SoftAuthenticator;
use postern_shared::account::name::Service;
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::credential::input::{Input, InputReading};
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{
    AfterCode, AfterPassword, AfterStepUp, PamContext, Principal, Requester, TrustRequest,
};
use postern_shared::protocol::command_request::{
    ChangeOperation, CommandRequest, Operation, ReadOperation, ReplyBody,
};
use postern_shared::store::KeyBound;
use postern_shared::system::clock::Timestamp;
use postern_shared::system::process::HostProcess;
use postern_shared::token::session::Session;
use postern_shared::token::{PasskeyPurpose, PasskeyToken};
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use test_store::{
    NOW, PASSWORD, TestStore, alice_at_the_web, assert_contains, attempt_at, browser, code_at,
    name, password, remote, signs_in,
};

const GATE: &str = "[gate]\nurl = \"https://auth.example.com/\"\n";
const FROM: &str = "192.0.2.7";

/// Alice, signed in by a code, with a passkey.
struct Alice {
    test: TestStore,
    app: PendingEnrollment,
    session: Session,
    key: SoftAuthenticator,
}

impl Alice {
    fn new(extra: &str) -> Alice {
        let (mut test, app) = alice_at_the_web(&format!("{GATE}{extra}"));
        let session = signs_in(&mut test, &remote(FROM), &code_at(&app, 0, NOW), NOW);
        let mut key = SoftAuthenticator::new(b"one");
        let token = begins(&mut test, &session, PasskeyPurpose::Registration, NOW);
        let response = key.registers(&token.passkey_challenge().to_text());
        let from = remote(FROM);
        let actor = Principal::Session(&session.name, &from, session.id);
        let label = "laptop".parse().unwrap();
        let mut passkeys = test.engine.passkeys();
        passkeys
            .add_passkey(&token, &response, &label, actor, NOW)
            .unwrap();
        Alice {
            test,
            app,
            session,
            key,
        }
    }

    fn begins(&mut self, purpose: PasskeyPurpose, now: Timestamp) -> PasskeyToken {
        begins(&mut self.test, &self.session, purpose, now)
    }

    /// Asks for a code with an answer to a token.
    fn asks(&mut self, token: &PasskeyToken, now: Timestamp) -> Option<String> {
        let response = self.key.asserts(&token.passkey_challenge().to_text());
        let from = remote(FROM);
        let mut login = self.test.engine.login();
        let issued =
            login.issue_passkey_code(&browser(&from), &self.session, token, &response, now);
        let (code, expires) = issued.unwrap()?;
        assert_eq!(expires, now.plus(90));
        Some(code.grouped().to_string())
    }

    #[track_caller]
    fn makes(&mut self, now: Timestamp) -> String {
        let token = self.begins(PasskeyPurpose::PamCode, now);
        self.asks(&token, now).expect("a code is made")
    }
}

fn begins(
    test: &mut TestStore,
    session: &Session,
    purpose: PasskeyPurpose,
    now: Timestamp,
) -> PasskeyToken {
    let mut passkeys = test.engine.passkeys();
    let begun = passkeys.request_in_session(session, purpose, now).unwrap();
    begun.expect("the gate can have passkeys").0
}

/// Types an input at a prompt of sudo, and returns how access was granted or why not.
fn types(
    test: &mut TestStore,
    who: &str,
    origin: &Origin,
    typed: &str,
    now: Timestamp,
) -> Result<&'static str, String> {
    let (service, account) = (Service::from_pam(b"sudo"), name(who));
    let (process, completed_methods) = (HostProcess::find(1), CompletedMethods::default());
    let context = PamContext {
        requester: Requester::Root("root"),
        service: &service,
        user: &account,
        account: &account,
        process: &process,
        origin,
        phase: Phase::After,
        completed_methods: &completed_methods,
    };
    let mut verification = test.engine.verification();
    let verified = verification.verify_pam_input(context, typed, InputReading::Whole, now);
    match verified.unwrap().result {
        Ok(grant) => Ok(grant.into_parts().0),
        Err(refusal) => Err(refusal.cause),
    }
}

fn at_a_prompt(alice: &mut Alice, typed: &str, now: Timestamp) -> Result<&'static str, String> {
    types(&mut alice.test, "alice", &remote(FROM), typed, now)
}

fn refused(cause: &str) -> Result<&'static str, String> {
    Err(cause.to_owned())
}

#[test]
fn a_code_opens_one_prompt_once() {
    let mut alice = Alice::new("");
    let code = alice.makes(NOW);
    assert!(code.starts_with("P-") && code.len() == 16, "{code}");
    let last = NOW.plus(89);
    assert_eq!(at_a_prompt(&mut alice, &code, last), Ok("passkey-code"));
    assert_eq!(at_a_prompt(&mut alice, &code, last), refused("used"));
    let events = alice.test.all_events();
    let kinds: Vec<_> = events.iter().map(|(_, event)| event.kind.name()).collect();
    assert!(kinds.contains(&"passkey-code-issued"), "{kinds:?}");
    let causes = events.iter().filter(|(_, one)| one.cause == "passkey-code");
    assert_eq!(causes.count(), 1);
}

#[test]
fn a_code_expires_and_a_new_one_replaces_it() {
    let mut alice = Alice::new("");
    let old = alice.makes(NOW);
    let late = NOW.plus(90);
    assert_eq!(at_a_prompt(&mut alice, &old, late), refused("code-expired"));
    // A clock that is set back does not extend it.
    let early = NOW.minus(1);
    assert_eq!(
        at_a_prompt(&mut alice, &old, early),
        refused("code-expired")
    );
    let new = alice.makes(NOW);
    assert_eq!(at_a_prompt(&mut alice, &old, NOW), refused("wrong"));
    assert_eq!(at_a_prompt(&mut alice, &new, NOW), Ok("passkey-code"));
}

/// At the web, for a step-up, by a command and for an enrollment the code is a wrong one.
#[test]
fn a_code_is_accepted_at_prompts_alone() {
    let mut alice = Alice::new("");
    let code = alice.makes(NOW);
    let (from, typed) = (remote(FROM), Input::parse(code.as_bytes()));
    let (who, secret) = (name("alice"), password(PASSWORD));

    let none = Input::parse(b"");
    let mut login = alice.test.engine.login();
    let next = login.enter_password(&browser(&from), &who, Some(&secret), &none, NOW);
    let AfterPassword::Code(token) = next.unwrap() else {
        panic!("no code is asked for")
    };
    let no = TrustRequest::NotAsked;
    let entered = login.enter_code(&browser(&from), &token, &typed, no, NOW);
    assert!(matches!(entered.unwrap(), AfterCode::Refused(_)));
    // with the password
    let next = login.enter_password(&browser(&from), &who, Some(&secret), &typed, NOW);
    assert!(!matches!(next.unwrap(), AfterPassword::Opened(_)));

    let session = alice.session.clone();
    let step = login.step_up(&browser(&from), &session, Some(&secret), &typed, NOW);
    assert!(matches!(step.unwrap(), AfterStepUp::Code(_)));

    let request = test_store::request(&who, &from);
    let mut verification = alice.test.engine.verification();
    let by_command = verification.verify_input(&request, &typed, NOW).unwrap();
    assert!(by_command.result.is_err());

    // None of these used it up.
    assert_eq!(at_a_prompt(&mut alice, &code, NOW), Ok("passkey-code"));
}

#[test]
fn a_code_is_of_one_account() {
    let mut alice = Alice::new("");
    alice.test.enrols("bob");
    let code = alice.makes(NOW);
    let of_bob = types(&mut alice.test, "bob", &remote(FROM), &code, NOW);
    assert_eq!(of_bob, refused("wrong"));
    let unknown = types(&mut alice.test, "carol", &remote(FROM), &code, NOW);
    assert!(unknown.is_err());
    assert_eq!(at_a_prompt(&mut alice, &code, NOW), Ok("passkey-code"));
}

/// A passkey without user verification makes none, and neither does an answer to a step-up.
#[test]
fn only_an_answer_to_this_request_by_a_verified_user_makes_a_code() {
    let mut alice = Alice::new("");
    for purpose in [PasskeyPurpose::StepUp, PasskeyPurpose::Registration] {
        let token = alice.begins(purpose, NOW);
        assert_eq!(alice.asks(&token, NOW), None, "{purpose:?}");
    }
    alice.key.verifies_user = false;
    let token = alice.begins(PasskeyPurpose::PamCode, NOW);
    assert_eq!(alice.asks(&token, NOW), None);
    // The request was used up, also for the right answer.
    alice.key.verifies_user = true;
    assert_eq!(alice.asks(&token, NOW), None);
    let token = alice.begins(PasskeyPurpose::PamCode, NOW);
    assert!(alice.asks(&token, NOW).is_some());
    assert_eq!(alice.asks(&token, NOW), None, "one request makes one code");
}

/// The other way round: the answer that makes a code confirms no critical act.
#[test]
fn an_answer_for_a_code_is_no_step_up() {
    let mut alice = Alice::new("");
    let token = alice.begins(PasskeyPurpose::PamCode, NOW);
    let response = alice.key.asserts(&token.passkey_challenge().to_text());
    let from = remote(FROM);
    let mut login = alice.test.engine.login();
    let step = login.step_up_by_passkey(&browser(&from), &alice.session, &token, &response, NOW);
    assert!(step.unwrap().is_none());
}

#[test]
fn what_ends_passkeys_or_sessions_ends_the_code() {
    type End = fn(&mut Alice);
    let ends: [(&str, End); 6] = [
        ("the passkey is removed", |alice| {
            let (who, label) = (name("alice"), "laptop".parse().unwrap());
            let actor = Principal::Command("root");
            let mut passkeys = alice.test.engine.passkeys();
            passkeys.remove_passkey(&who, &label, actor, NOW).unwrap();
        }),
        ("disabled", |alice| {
            alice.test.disables("alice", "root", NOW)
        }),
        ("sessions end", |alice| {
            let mut sessions = alice.test.engine.sessions();
            let root = Principal::Command("root");
            sessions
                .revoke_sessions(&name("alice"), None, root, NOW)
                .unwrap();
        }),
        ("its session ends", |alice| {
            let mut sessions = alice.test.engine.sessions();
            let id = Some(alice.session.id);
            let root = Principal::Command("root");
            sessions
                .revoke_sessions(&name("alice"), id, root, NOW)
                .unwrap();
        }),
        ("the password changes", |alice| {
            alice.test.sets_password("alice");
        }),
        ("keys are renewed", |alice| {
            let mut keys = alice.test.engine.keys();
            let rotated = keys.rotate_keys(Renewal::All, "root", NOW).unwrap();
            let ended = &rotated.ended[&name("alice")];
            assert!(ended.contains(&(KeyBound::PasskeyCodes, 1)), "{ended:?}");
        }),
    ];
    for (what, end) in ends {
        let mut alice = Alice::new("");
        let code = alice.makes(NOW);
        end(&mut alice);
        let typed = at_a_prompt(&mut alice, &code, NOW);
        assert!(typed.is_err(), "{what}: {typed:?}");
        assert_ne!(typed, refused("used"), "{what}");
        assert_eq!(
            alice
                .test
                .number::<u64>("SELECT count(*) FROM passkey_code"),
            0,
            "{what}"
        );
    }
}

/// Neither code takes the place of the other.
#[test]
fn an_administrators_code_and_one_of_a_passkey_are_apart() {
    let mut alice = Alice::new("");
    let (given, _) = alice.test.issues_one_time_code("alice", NOW);
    let made = alice.makes(NOW);
    let given = given.grouped().to_string();
    assert_eq!(at_a_prompt(&mut alice, &made, NOW), Ok("passkey-code"));
    let mut accounts = alice.test.engine.accounts();
    let expiry = accounts.one_time_code_expiry(&name("alice"), NOW).unwrap();
    assert!(expiry.is_some(), "the administrator's code waits");
    assert_eq!(at_a_prompt(&mut alice, &given, NOW), Ok("one-time-code"));

    let made = alice.makes(NOW);
    alice.test.issues_one_time_code("alice", NOW);
    assert_eq!(at_a_prompt(&mut alice, &made, NOW), Ok("passkey-code"));
}

/// Wrong codes of others lock digits, and no code that cannot be guessed. It removes no lock.
#[test]
fn a_code_passes_during_delays_and_locks_and_ends_none() {
    let mut alice = Alice::new("[throttle]\nmax_delay = \"60s\"\nlock_after = 10\n");
    let from = remote(FROM);
    let mut later = NOW;
    for _ in 0..12 {
        attempt_at(
            &mut alice.test.engine,
            "alice",
            &from,
            Phase::After,
            "000000",
            later,
        );
        later = later.plus(60);
    }
    let code = code_at(&alice.app, 0, later);
    assert_eq!(at_a_prompt(&mut alice, &code, later), refused("locked"));
    let made = alice.makes(later);
    assert_eq!(at_a_prompt(&mut alice, &made, later), Ok("passkey-code"));
    let next = later.plus(30);
    let code = code_at(&alice.app, 0, next);
    assert_eq!(at_a_prompt(&mut alice, &code, next), refused("locked"));
}

#[test]
fn where_it_is_off_no_code_is_made_or_accepted() {
    let mut alice = Alice::new("[gate.passkeys]\npam_code = false\n");
    let token = alice.begins(PasskeyPurpose::PamCode, NOW);
    assert_eq!(alice.asks(&token, NOW), None);
    assert!(!alice.test.engine.passkeys().can_make_codes());
    assert_eq!(
        at_a_prompt(&mut alice, "P-2222-2222-2222", NOW),
        refused("wrong")
    );
    let causes = alice.test.all_events();
    let refused = causes.into_iter().map(|(_, event)| event.cause);
    assert_contains(refused.collect::<Vec<_>>().join(" "), "wrong");
}

/// The owner without root lists, renames and removes passkeys, each change with a code.
#[test]
fn an_owner_manages_passkeys_by_command() {
    let mut alice = Alice::new("");
    let own = Requester::Owner {
        name: &name("alice"),
        uid: 1000,
    };
    let run = |alice: &mut Alice, operation: Operation, now: Timestamp| {
        let request = CommandRequest {
            account: name("alice"),
            operation,
        };
        let mut commands = alice.test.engine.commands();
        commands
            .execute_request(own, &request, now)
            .map(|reply| reply.answer)
    };
    let names = |alice: &mut Alice| -> Vec<String> {
        match run(alice, Operation::Read(ReadOperation::Passkeys), NOW) {
            Ok(ReplyBody::Passkeys(all)) => all.iter().map(|one| one.name.to_string()).collect(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(names(&mut alice), ["laptop"]);
    let rename = |code: Option<String>| Operation::Change {
        code: code.map(Into::into),
        change: ChangeOperation::RenamePasskey {
            name: "laptop".parse().unwrap(),
            new: "old".parse().unwrap(),
        },
    };
    let later = NOW.plus(30);
    run(&mut alice, rename(None), later).unwrap_err();
    let made = alice.makes(later);
    run(&mut alice, rename(Some(made)), later).unwrap_err();
    let code = code_at(&alice.app, 0, later);
    run(&mut alice, rename(Some(code)), later).unwrap();
    assert_eq!(names(&mut alice), ["old"]);
    // A name that is not there costs no code.
    let later = later.plus(30);
    let code = code_at(&alice.app, 0, later);
    let remove = |label: &str| Operation::Change {
        code: Some(code.clone().into()),
        change: ChangeOperation::RemovePasskey(label.parse().unwrap()),
    };
    run(&mut alice, remove("laptop"), later).unwrap_err();
    run(&mut alice, remove("old"), later).unwrap();
    assert!(names(&mut alice).is_empty());
    let sessions = alice.test.sessions_of("alice", later);
    assert!(sessions.is_empty(), "{} sessions", sessions.len());
}
