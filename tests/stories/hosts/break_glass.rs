//! Break-glass codes: what a host accepts itself while no server answers, once, and reports afterwards.

use super::sign_in::{host_without_store, join, joined_host};
use std::process::Command;
use std::thread;
use testhost::{Ended, FleetServer, Person, Terminal, assert_contains, assert_lacks, patiently};

const PROMPT: &str = "Break-glass code (BG-...): ";
const FILE: &str = "/var/lib/postern/break-glass";

/// Makes codes for a host, and waits until it has them.
pub(crate) fn issue(server: &FleetServer, name: &str, count: u32) -> Vec<String> {
    let made = server.call(&format!("host break-glass {name} --count {count} --json"));
    let made = made.does().json();
    let codes = made["codes"].as_array().expect("a list of codes");
    let codes: Vec<String> = codes
        .iter()
        .map(|code| code.as_str().expect("a code").to_owned())
        .collect();
    has_codes(server, name, u64::from(count));
    codes
}

/// Waits until the host has so many codes, as the server knows.
fn has_codes(server: &FleetServer, name: &str, count: u64) {
    patiently("the host has the codes", || {
        let listed = server.call("host list --json").does();
        let listed = listed.json();
        let hosts = listed.as_array().expect("a list of hosts");
        let host = hosts
            .iter()
            .find(|host| host["host"] == name && host["revoked"].is_null())
            .expect("the host has joined");
        let is_there = host["break_glass_codes"] == count
            && (count == 0 || !host["break_glass_received"].is_null());
        Ok(is_there.then_some(()))
    });
}

fn types(person: &Person, codes: &[&str]) -> Ended {
    let mut terminal = person.with_key().connects();
    for code in codes {
        terminal.expect(PROMPT).types(code);
    }
    terminal.ends()
}

#[track_caller]
pub(crate) fn enters(person: &Person, code: &str) {
    let ended = types(person, &[code]);
    assert!(ended.entered(), "{}", ended.transcript);
    assert_contains(
        &ended.transcript,
        "No server answers that could check your code",
    );
    assert_contains(
        &ended.transcript,
        "not valid any more; the servers will be told",
    );
}

#[track_caller]
pub(crate) fn is_refused(person: &Person, code: &str, why: &str) {
    let ended = types(person, &[code, code, code]);
    assert!(!ended.entered(), "{}", ended.transcript);
    assert_contains(&ended.transcript, why);
}

/// The whole way: no server, one code, once; the server hears of it; and codes are of no use while it
/// answers.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_break_glass_code_is_accepted_once_while_no_server_answers() {
    let (host, mut server) = joined_host();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = server.enrols("alice");
    let codes = issue(&server, "web1", 3);
    // the server answers: a code is none, and stays valid
    let asked = alice.with_key();
    asked.is_refused(&codes[0], "That is not a code");
    assert_lacks(host.posternd().log(), "was revoked");

    server.crashes();
    enters(&alice, &codes[0]);
    host.journal
        .says("accepted cause=break-glass address=127.0.0.1 service=sshd user=\"alice\"");
    is_refused(&bob, &codes[0], "used already");
    host.journal.says("refused cause=used address=127.0.0.1");
    enters(&bob, &codes[1].to_lowercase().replace('-', " "));
    assert_lacks(server.call("log").does().out, "break-glass at");

    server.restarts();
    host.posternd().says("were reported to");
    let log = server.audit_log();
    assert_contains(&log, "127.0.0.1 on web1");
    assert_eq!(log.matches("break-glass at").count(), 2, "{log}");
    assert_contains(&log, "break-glass-issued");
    has_codes(&server, "web1", 1);
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    alice.with_key().is_refused(&codes[2], "That is not a code");

    server.crashes();
    is_refused(&alice, &codes[0], "no break-glass code of this host");
    enters(&alice, &codes[2]);
    let screen = alice.with_key().is_turned_away();
    assert_contains(&screen, "No server answers that could check your code");
    host.journal.says("refused cause=no-server");
    assert_lacks(host.posternd().log(), "panicked");
}

/// Twenty at once with the same code: one gets in.
#[test]
#[ignore = "needs the test host: tests/run"]
fn of_twenty_at_once_with_the_same_code_one_gets_in() {
    let (host, mut server) = joined_host();
    let alice = host.person("alice");
    let code = &issue(&server, "web1", 1)[0];
    server.crashes();
    let mut terminals: Vec<_> = (0..20)
        .map(|_| {
            let mut terminal = alice.with_key().connects();
            terminal.expect(PROMPT);
            terminal
        })
        .collect();
    for terminal in &mut terminals {
        terminal.types(code);
    }
    let entered = thread::scope(|scope| {
        let ends = terminals.into_iter().map(|mut terminal| {
            scope.spawn(move || {
                let is_in = terminal.expect_one_of(&["entered as", "used already"]) == 0;
                terminal.types("exit");
                is_in
            })
        });
        let ends: Vec<_> = ends.collect();
        let ends = ends.into_iter().map(|one| one.join().expect("it ends"));
        ends.filter(|is_in| *is_in).count()
    });
    assert_eq!(entered, 1);
}

/// A code is for one host; wrong ones are slowed down, and do not keep an administrator out.
#[test]
#[ignore = "needs the test host: tests/run"]
fn wrong_codes_are_slowed_down_and_the_right_one_still_passes() {
    let (host, mut server) = joined_host();
    let alice = host.person("alice");
    let codes = issue(&server, "web1", 1);
    let other = server.call("host invite web2 --json").does();
    drop(other);
    let refused = server.call("host break-glass web2").refuses();
    assert_contains(refused.all(), "no host web2 has joined");
    for count in [0, 21] {
        let refused = server.call(&format!("host break-glass web1 --count {count}"));
        assert_contains(refused.run().all(), "1..=20");
    }
    server.crashes();
    let wrong = "BG-AAAAA-BBBBB-CCCCC-DDDDD";
    for _ in 0..4 {
        is_refused(&alice, wrong, "no break-glass code of this host");
    }
    host.journal.says("refused cause=wrong address=127.0.0.1");
    host.journal.says("refused cause=delayed address=127.0.0.1");
    let ended = types(&alice, &[wrong]);
    assert_contains(&ended.transcript, "too many wrong ones");
    enters(&alice, &codes[0]);
}

/// A copy of the files from before brings no used code back, with and without posternd; the server then
/// removes the codes.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_copy_of_the_file_brings_no_used_code_back() {
    let (mut host, mut server) = joined_host();
    let alice = host.person("alice");
    let codes = issue(&server, "web1", 2);
    let tar = |words: &str| {
        let done = Command::new("sh").args(["-c", words]).status();
        assert!(done.expect("tar runs").success());
    };
    tar(&format!(
        "tar --create --file /root/copy.tar {FILE} {FILE}.anchor"
    ));
    server.crashes();
    enters(&alice, &codes[0]);
    tar("tar --extract --directory / --file /root/copy.tar");
    let screen = alice.with_key().is_turned_away();
    assert_contains(&screen, "No server answers");
    host.journal.says("was replaced by a copy");
    host.posternd = None;
    alice.with_key().is_turned_away();
    host.posternd = Some(testhost::Posternd::start());
    server.restarts();
    server.posternd().says("has lost its break-glass codes");
    assert_contains(server.audit_log(), "break-glass-lost");
    has_codes(&server, "web1", 0);
    server.crashes();
    alice.with_key().is_turned_away();
}

/// A compromised key ends the fleet. The prompt says what becomes of the hosts: cut off, and left with
/// the codes that they hold, since no server can tell them.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_compromised_key_cuts_the_host_off_and_its_prompt_says_what_stays() {
    let (host, mut server) = joined_host();
    let alice = host.person("alice");
    let phone = server.enrols("alice");
    let codes = issue(&server, "web1", 2);
    let call = || server.call("key rotate --compromised");
    assert_contains(
        call().refuses().all(),
        "break-glass codes of all hosts of the fleet",
    );
    alice.with_key().enters_with(&phone.code());

    let mut terminal = Terminal::run(call().command());
    let screen = terminal.expect("Type \"renew\" to continue: ").screen();
    let screen = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "1 host is cut off at once, and denies every sign-in until it joins again: web1.",
        "and 2 break-glass codes of theirs, are removed from the store",
        "accepts what it holds for that case, its break-glass codes and security keys, until its certificate expires",
    ] {
        assert_contains(&screen, text);
    }
    terminal
        .types("renew")
        .expect("have each host of the fleet join again");
    assert_eq!(terminal.ends().status.code(), Some(0));

    // as the prompt said
    host.clock.forward(30);
    enters(&alice, &codes[0]);
    is_refused(&alice, &phone.code(), "no break-glass code of this host");
    join(&[&server], "web1");
    alice.with_key().enters_with(&phone.code());
    server.crashes();
    alice.with_key().is_turned_away();
}

/// Without a daemon on the host, `posternd --stdio` accepts a code once, too.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_daemon_on_the_host_a_code_is_accepted_once_too() {
    let (mut host, mut server) = joined_host();
    let alice = host.person("alice");
    let phone = server.enrols("alice");
    let codes = issue(&server, "web1", 2);
    host.posternd = None;
    server.crashes();
    enters(&alice, &codes[0]);
    is_refused(&alice, &codes[0], "used already");
    server.restarts();
    alice.with_key().enters_with(&phone.code());
    patiently("the use was reported", || {
        Ok(server.audit_log().contains("break-glass at").then_some(()))
    });
}

/// A host that is revoked has no codes any more once a server has told it, and none for its name at the
/// server. One that has joined again starts with none.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_revoked_host_accepts_no_code() {
    let host = host_without_store();
    let mut server = FleetServer::start("one", 7443);
    join(&[&server], "web1");
    let alice = host.person("alice");
    let codes = issue(&server, "web1", 2);
    server.call("host revoke web1").does();
    host.posternd().says("its break-glass codes are removed");
    let refused = server.call("host break-glass web1").refuses();
    assert_contains(refused.all(), "no host web1 has joined");
    server.crashes();
    alice.with_key().is_turned_away();
    server.restarts();
    join(&[&server], "web1");
    server.crashes();
    alice.with_key().is_turned_away();
    drop((codes, host));
}
