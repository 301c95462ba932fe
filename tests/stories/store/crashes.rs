//! The fault: kill -9 at every write to the store. No code is accepted twice, and the store keeps
//! its integrity.

use testhost::{
    Host, Phone, Postern, Posternd, Store, TracedProcess, killed_at, wait_until, was_killed,
};

const VERIFY_ROUNDS: u32 = 140;
const SSH_ROUNDS: u32 = 60;

/// Returns how often `verify` accepts the current code in two more tries.
#[track_caller]
fn accepted_later(phone: &Phone) -> u32 {
    let verdict = || {
        let output = Postern::call("verify alice --json")
            .input(&phone.code())
            .run()
            .json();
        output["verdict"].as_str().expect("a verdict").to_owned()
    };
    let (first, second) = (verdict(), verdict());
    assert!(first == "accepted" || first == "used", "{first}");
    assert_eq!(second, "used");
    u32::from(first == "accepted")
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn verify_killed_at_any_write_accepts_no_code_twice() {
    let host = Host::fresh();
    let phone = host.person("alice").enrols();
    let (mut killed, mut at, mut deepest) = (0, 0, 0);

    for round in 0..VERIFY_ROUNDS {
        host.clock.forward(30);
        at += 1;
        let output = Postern::under(killed_at(
            at,
            Postern::call("verify alice --json").command(),
        ))
        .input(&phone.code())
        .run();
        let accepted = u32::from(output.out.contains("\"accepted\""));
        let later = accepted_later(&phone);
        assert!(
            accepted + later <= 1,
            "round {round}: accepted twice, killed at write {at}"
        );
        Store::open().is_sound();
        if was_killed() {
            killed += 1;
            deepest = deepest.max(at);
        } else {
            // The process made fewer writes than that, so that it ended by itself. The next round
            // begins at the first write again.
            assert_eq!(accepted, 1, "round {round}: {}", output.all());
            at = 0;
        }
    }
    assert!(
        killed > VERIFY_ROUNDS / 2 && deepest >= 4,
        "killed {killed} times, at most at write {deepest}"
    );
}

/// The process that sshd starts verifies the code, and is killed.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_helper_killed_at_any_write_accepts_no_code_twice() {
    accepts_no_code_twice(&mut Host::without_posternd());
}

/// posternd verifies the code, and is killed.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_posternd_killed_at_any_write_accepts_no_code_twice() {
    let mut host = Host::without_posternd();
    host.posternd = Some(Posternd::start());
    accepts_no_code_twice(&mut host);
}

#[track_caller]
fn accepts_no_code_twice(host: &mut Host) {
    let (alice, phone) = host.enrolled_user("alice");
    let (mut killed, mut at) = (0, 0);

    for round in 0..SSH_ROUNDS {
        host.clock.forward(30);
        at += 1;
        let traced = TracedProcess::kills_at(
            host.posternd
                .as_ref()
                .map_or(host.sshd(), Posternd::process),
            at,
        );
        let mut terminal = alice.with_key().connects();
        // Opening the store writes too, so some processes are killed before the prompt. sshd then
        // refuses, or the connection closes.
        let next = [
            "Verification code: ",
            "Connection closed",
            "Permission denied",
        ];
        if terminal.expect_one_of(&next) == 0 {
            terminal.types(&phone.code());
        }
        let entered = terminal.ends().entered();
        if !entered {
            // sshd may refuse before strace has noted the death of the process.
            wait_until(
                &format!("round {round}: the process is killed at write {at}, which was refused"),
                || Ok(was_killed()),
            );
        }
        drop(traced);
        let later = accepted_later(&phone);
        assert!(
            u32::from(entered) + later <= 1,
            "round {round}: accepted twice, killed at write {at}"
        );
        Store::open().is_sound();
        if was_killed() {
            killed += 1;
            if let Some(posternd) = host.posternd.as_mut() {
                posternd.restart();
            }
        } else {
            at = 0;
        }
    }
    assert!(killed > SSH_ROUNDS / 2, "killed {killed} times");
}

/// An enrollment is stored as a whole or not at all, also if the process is killed.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_setup_killed_at_any_write_is_whole_or_not_there() {
    let host = Host::fresh();
    host.person("alice");
    let mut at = 0;
    loop {
        at += 1;
        assert!(at < 1000, "no setup comes to its end");
        let enroll = Postern::call("enroll alice --no-confirm --json").command();
        let output = Postern::under(killed_at(at, enroll)).run();
        let store = Store::open();
        store.is_sound();
        let (live, codes) = (
            store.number("SELECT count(*) FROM authenticator"),
            store.number("SELECT count(*) FROM recovery_code"),
        );
        assert!(
            (live, codes) == (0, 0) || (live, codes) == (1, 6),
            "killed at write {at}: {live}, {codes}"
        );
        if live == 1 {
            Postern::call("disable alice").does();
        }
        if !was_killed() {
            assert_eq!(output.exit, Some(0), "{}", output.all());
            break;
        }
    }
    assert!(at > 3, "{at}");
}
