//! Properties that sshd, sudo, su and login share, each with its sample.

use std::process::Command;
use std::sync::Barrier;
use std::{fs, thread};
use testhost::{Host, Person, STORE, Store, Terminal, finished, on_the_clock};

/// Text on the screen once access is granted: of a command, or of a shell.
const IN: [&str; 2] = ["entered as ", "$ "];
const ECHO: &str = "echo entered as $(id -un)";

/// Returns a host with all of these services, and with the clock that sudo and su use.
#[track_caller]
fn host() -> Host {
    let host = Host::fresh();
    for service in ["su", "login"] {
        host.sample(service);
    }
    host.sudoers("alice ALL=(ALL) ALL\nbob ALL=(ALL) NOPASSWD: ALL");
    host.clock.as_setuid_programs_see_it();
    host.configure("[totp]\nperiod = \"2m\"\n");
    host
}

fn sudo(person: &Person) -> Terminal {
    let mut terminal = Terminal::run(person.on_this_host(&format!("sudo sh -c '{ECHO}'")));
    terminal
        .expect("password for alice: ")
        .types(&person.password);
    terminal
}

fn su(from: &Person, to: &Person) -> Terminal {
    let mut terminal = Terminal::run(from.on_this_host(&format!("su {} -c '{ECHO}'", to.name)));
    terminal.expect("Password: ").types(&to.password);
    terminal
}

fn login(words: &[&str]) -> Terminal {
    let mut login = on_the_clock(Command::new("login"));
    login.args(words);
    Terminal::run(login)
}

fn console(person: &Person) -> Terminal {
    let mut terminal = login(&[]);
    terminal
        .expect("login: ")
        .types(&person.name)
        .expect("Password: ")
        .types(&person.password);
    terminal
}

/// The attack: one code is used at the prompts of all services at the same time.
#[test]
#[ignore = "needs the test host: tests/run"]
fn one_code_at_all_of_them_at_once_opens_one() {
    let host = host();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    let code = phone.code();

    let mut held: Vec<Terminal> = (0..3)
        .flat_map(|_| {
            [
                sudo(&alice),
                su(&bob, &alice),
                console(&alice),
                alice.with_key().connects(),
            ]
        })
        .collect();
    for terminal in &mut held {
        terminal.expect("Verification code: ");
    }
    let barrier = Barrier::new(held.len());
    let ends: Vec<usize> = thread::scope(|scope| {
        let one = |mut terminal: Terminal| {
            let (barrier, code) = (&barrier, &code);
            scope.spawn(move || {
                barrier.wait();
                terminal
                    .types(code)
                    .expect_one_of(&[IN[0], IN[1], "That code was used already"])
            })
        };
        let running: Vec<_> = held.into_iter().map(one).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("each comes to an end"))
            .collect()
    });
    assert_eq!(
        ends.iter().filter(|end| **end < IN.len()).count(),
        1,
        "{ends:?}"
    );
    assert_eq!(
        Store::open().number("SELECT count(*) FROM event WHERE kind = 'accepted'"),
        1
    );
}

/// The fault: the store is missing. Services that ask for a code deny access. Services that rightly
/// ask for none stay usable for the repair.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_store_those_who_are_asked_are_refused_and_no_other_user() {
    let host = host();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    let aside = format!("{STORE}.aside");
    fs::rename(STORE, &aside).expect("root may");
    host.journal.forget();

    let asked = [
        ("sudo", sudo(&alice), "try again"),
        (
            "su",
            su(&bob, &alice),
            "cannot retrieve authentication info",
        ),
        ("login", console(&alice), "Login incorrect"),
    ];
    for (service, mut terminal, words) in asked {
        terminal.expect(words);
        let screen = terminal.screen();
        assert!(
            !screen.contains("Verification code") && !screen.contains(IN[0]),
            "{service}: {screen}"
        );
    }
    let log = host.journal.rest();
    for service in ["sudo", "su", "login"] {
        let line = format!(
            "pam_totp({service}:auth): refused cause=unavailable address=- service={service} "
        );
        assert!(log.contains(&line), "{service}: {log}");
    }
    alice.with_key().is_turned_away();

    let output = bob
        .on_this_host("sudo -n id -un")
        .output()
        .expect("sudo runs");
    assert_eq!(output.stdout, b"root\n");
    assert_eq!(
        finished(Command::new("su").args(["alice", "-c", "id -un"])),
        "alice\n"
    );
    login(&["-f", "alice"]).expect(IN[1]);

    fs::rename(&aside, STORE).expect("root may");
    let mut terminal = su(&bob, &alice);
    terminal
        .expect("Verification code: ")
        .types(&phone.code())
        .expect(IN[0]);
}

/// A module that learned the offset of a phone's clock would accept replayed codes. The offset is
/// reported to the person, and the window stays as it is.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_fast_phone_never_moves_the_window() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    for _ in 0..3 {
        alice.with_key().enters_with(&phone.code_in(1));
        alice
            .with_key()
            .is_refused(&phone.code_in(2), "That code is wrong");
        host.journal.says("refused cause=ahead-2-steps");
        host.clock.forward(60);
    }
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code_in(-1));
}
