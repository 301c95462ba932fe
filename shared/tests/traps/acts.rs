//! What people and processes do at the doors.

use crate::home::{Home, NOW, attempt_at, name, password};
use shared::credential::input::Answer;
use shared::engine::{
    AdministrationError, AfterPassword, Browser, Caller, Door, DoorError, Outcome, Visitor,
};
use shared::protocol::command_request::{self, Change, Errand, Kind, Setup, Task};
use shared::verify::decision::Verdict;
use shared::verify::origin::Origin;
use shared::verify::throttle::Stage;
use std::sync::Barrier;
use std::thread;

/// What each of many processes at once gets for an answer, all begun at one moment.
pub(crate) fn at_once(home: &Home, answers: &[(&str, String)]) -> Vec<Verdict> {
    let (barrier, config) = (Barrier::new(answers.len()), &home.config);
    let one = |who: &str, typed: &str| {
        let mut door = Door::open(config.clone()).unwrap();
        barrier.wait();
        attempt_at(&mut door, who, &Origin::Unknown, Stage::After, typed, NOW).verdict
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

pub(crate) fn opened(verdicts: &[Verdict]) -> usize {
    verdicts
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::Accepted(_)))
        .count()
}

/// What alice, who is not root, asks about her own account.
pub(crate) fn asks(
    home: &mut Home,
    task: Task,
) -> Result<command_request::Answer, AdministrationError> {
    let alice = name("alice");
    let caller = Caller::Owner {
        name: &alice,
        uid: 1000,
    };
    Ok(home
        .door
        .run_errand(
            caller,
            &Errand {
                account: alice.clone(),
                task,
            },
            NOW,
        )?
        .answer)
}

pub(crate) fn one_more() -> Change {
    Change::BeginSetup(Setup {
        kind: Kind::Further,
        name: "another".parse().unwrap(),
        seed: None,
        counter: None,
        algorithm: None,
        digits: None,
        period: None,
    })
}

pub(crate) fn gives_password(
    door: &mut Door,
    from: &Origin,
    cookie: Option<&str>,
    typed: &str,
) -> AfterPassword {
    let browser = Browser {
        origin: from,
        name: "Test",
        cookie,
        scope: "example.com",
        page: None,
        session: None,
    };
    door.enter_password(
        &browser,
        &name("alice"),
        Some(&password(typed)),
        &Answer::Unfit,
        NOW,
    )
    .unwrap()
}

pub(crate) fn attempts(door: &mut Door, typed: &str) -> Result<Outcome, DoorError> {
    let (alice, answer) = (name("alice"), Answer::read(typed.as_bytes()));
    let visitor = Visitor {
        name: &alice,
        stage: Stage::After,
        origin: &Origin::Unknown,
        browser: None,
        service: "test",
    };
    door.attempt(&visitor, &answer, NOW)
}
