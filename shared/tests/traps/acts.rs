//! Acts of people and processes that the tests of several faults share.

use crate::test_store::{NOW, TestStore, attempt_at, browser_with, name, password, request};
use postern_shared::credential::input::Input;
use postern_shared::engine::{
    AdministrationError, AfterPassword, Engine, EngineError, Requester, VerifiedAttempt,
};
use postern_shared::protocol::command_request::{
    self, AuthenticatorKind, ChangeOperation, CommandRequest, EnrollmentOperation, Operation,
};
use postern_shared::verify::decision::VerificationResult;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use std::sync::Barrier;
use std::thread;

/// Returns the results of many processes that enter their inputs at the same time.
pub(crate) fn at_once(test: &TestStore, answers: &[(&str, String)]) -> Vec<VerificationResult> {
    let (barrier, config) = (Barrier::new(answers.len()), &test.config);
    let one = |who: &str, typed: &str| {
        let mut opened = Engine::open(config.clone()).unwrap();
        barrier.wait();
        attempt_at(&mut opened, who, &Origin::Unknown, Phase::After, typed, NOW).result
    };
    thread::scope(|scope| {
        let running: Vec<_> = answers
            .iter()
            .map(|(who, typed)| scope.spawn(|| one(who, typed)))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

pub(crate) fn opened(verdicts: &[VerificationResult]) -> usize {
    verdicts.iter().filter(|result| result.is_ok()).count()
}

/// Runs an operation of alice, who is not root, on her own account.
pub(crate) fn asks(
    test: &mut TestStore,
    op: Operation,
) -> Result<command_request::ReplyBody, AdministrationError> {
    let alice = name("alice");
    let caller = Requester::Owner {
        name: &alice,
        uid: 1000,
    };
    Ok(test
        .commands()
        .execute_request(
            caller,
            &CommandRequest {
                account: alice.clone(),
                operation: op,
            },
            NOW,
        )?
        .answer)
}

pub(crate) fn one_more() -> ChangeOperation {
    ChangeOperation::BeginEnrollment(EnrollmentOperation {
        kind: AuthenticatorKind::Further,
        name: "another".parse().unwrap(),
        seed: None,
        counter: None,
        algorithm: None,
        digits: None,
        period: None,
    })
}

pub(crate) fn gives_password(
    engine: &mut Engine,
    from: &Origin,
    cookie: Option<&str>,
    typed: &str,
) -> AfterPassword {
    let browser = browser_with(from, cookie);
    engine
        .login()
        .enter_password(
            &browser,
            &name("alice"),
            Some(&password(typed)),
            &Input::Malformed,
            NOW,
        )
        .unwrap()
}

pub(crate) fn attempts(engine: &mut Engine, typed: &str) -> Result<VerifiedAttempt, EngineError> {
    let (alice, answer) = (name("alice"), Input::parse(typed.as_bytes()));
    let login = request(&alice, &Origin::Unknown);
    engine.verification().verify_input(&login, &answer, NOW)
}
