//! Concurrent sign-ins: sessions wait at the prompt and are released by one barrier.

use std::sync::Barrier;
use std::thread;
use testhost::{Host, Person, Postern, Store, Terminal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    In,
    Used,
    Wrong,
    Delayed,
}

const SIGNS: [(&str, End); 4] = [
    ("entered as alice", End::In),
    ("That code was used already", End::Used),
    ("That code is wrong", End::Wrong),
    ("Too many wrong codes", End::Delayed),
];

/// Holds a session at the prompt for each input, types all inputs at the same moment, and counts
/// the results.
#[track_caller]
fn all_at_once(person: &Person, typed: &[String]) -> impl Fn(End) -> usize + use<> {
    let held: Vec<Terminal> = typed.iter().map(|_| person.with_key().connects()).collect();
    let barrier = Barrier::new(held.len());
    let ends: Vec<End> = thread::scope(|scope| {
        let one = |(mut terminal, code): (Terminal, &String)| {
            let barrier = &barrier;
            let code = code.clone();
            scope.spawn(move || {
                terminal.expect("Verification code: ");
                barrier.wait();
                terminal.types(&code);
                SIGNS[terminal.expect_one_of(&SIGNS.map(|(sign, _)| sign))].1
            })
        };
        let running: Vec<_> = held.into_iter().zip(typed).map(one).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("each session comes to an end"))
            .collect()
    });
    move |end| ends.iter().filter(|found| **found == end).count()
}

/// L11, promise 1: one code is accepted once, at ssh.
#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn of_many_sessions_with_one_code_exactly_one_enters() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    for many in [2, 10, 50, 100] {
        host.clock.forward(60);
        let ends = all_at_once(&alice, &vec![phone.code(); many]);
        assert_eq!((ends(End::In), ends(End::Used)), (1, many - 1), "of {many}");
    }
    assert_eq!(
        Store::open().number("SELECT count(*) FROM event WHERE kind = 'accepted'"),
        4
    );
    assert_eq!(Store::open().number("SELECT count(*) FROM failure"), 0);
    Store::open().is_sound();
}

/// L11: one code is accepted once, at the command and at ssh together.
#[test]
#[ignore = "needs the test host: tests/run"]
fn of_many_sessions_and_commands_with_one_code_exactly_one_accepts() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let held: Vec<Terminal> = (0..10).map(|_| alice.with_key().up_to_the_code()).collect();
    let (barrier, code) = (Barrier::new(20), phone.code());

    let accepted: usize = thread::scope(|scope| {
        let (barrier, code) = (&barrier, code.as_str());
        let sessions = held.into_iter().map(|mut terminal| {
            scope.spawn(move || {
                barrier.wait();
                terminal
                    .types(code)
                    .expect_one_of(&["used already", "entered as alice"])
            })
        });
        let mut running: Vec<_> = sessions.collect();
        running.extend((0..10).map(|_| {
            scope.spawn(move || {
                barrier.wait();
                let output = Postern::call("verify alice --json")
                    .input(code)
                    .run()
                    .json();
                assert!(
                    output["verdict"] == "accepted" || output["verdict"] == "used",
                    "{output}"
                );
                usize::from(output["verdict"] == "accepted")
            })
        }));
        running
            .into_iter()
            .map(|thread| thread.join().expect("each comes to an end"))
            .sum()
    });
    assert_eq!(accepted, 1);
}

/// DESIGN 3: a stalled writer causes a bounded wait and a denial for others, never a hang.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_stalled_writer_refuses_others_and_hangs_no_other() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let stalled = Store::open();
    stalled.changes("BEGIN IMMEDIATE; UPDATE account SET created = created");
    let mut terminal = alice.with_key().up_to_the_code();
    terminal.types(&phone.code());
    assert!(!terminal.ends().entered());
    host.journal.says("refused cause=store-busy");
    drop(stalled);
    alice.with_key().enters_with(&phone.code());
}

/// R2: one recovery code is accepted once.
#[test]
#[ignore = "needs the test host: tests/run"]
fn of_many_sessions_with_one_recovery_code_exactly_one_enters() {
    let host = Host::fresh();
    let (alice, _, recovery) = host.enrolled_user_with_recovery_codes("alice");

    let ends = all_at_once(&alice, &vec![recovery[0].clone(); 20]);
    assert_eq!((ends(End::In), ends(End::Used)), (1, 19));
}

/// L8, promise 2: of many wrong codes at once, five are verified.
#[test]
#[ignore = "needs the test host: tests/run"]
fn of_a_hundred_wrong_codes_at_once_five_are_evaluated() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    let ends = all_at_once(&alice, &phone.wrong_codes(100));
    assert_eq!((ends(End::Wrong), ends(End::Delayed)), (5, 95));
    assert_eq!(Store::open().number("SELECT sum(cost) FROM failure"), 5);
    assert_eq!(
        Store::open().number("SELECT count(*) FROM event WHERE kind = 'refused'"),
        5
    );
}

/// L11: sign-ins of different users do not block each other.
#[test]
#[ignore = "needs the test host: tests/run"]
fn many_people_enter_at_once() {
    let host = Host::fresh();
    let people = ["alice", "bob", "carol", "dave", "erin", "frank"].map(|name| host.person(name));
    let phones: Vec<_> = people.iter().map(Person::enrols).collect();

    for _ in 0..3 {
        host.clock.forward(30);
        let held: Vec<_> = people
            .iter()
            .map(|person| person.with_key().up_to_the_code())
            .collect();
        thread::scope(|scope| {
            for ((mut terminal, phone), person) in held.into_iter().zip(&phones).zip(&people) {
                scope.spawn(move || {
                    terminal
                        .types(&phone.code())
                        .expect(&format!("entered as {}", person.name));
                });
            }
        });
    }
}
