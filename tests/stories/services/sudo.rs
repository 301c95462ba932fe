//! sudo asks for password and code. A timestamp, NOPASSWD and `-n` skip both. The samples are
//! config/pam.d/sudo and sudo-i.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use testhost::{
    Host, Person, Postern, Store, Terminal, assert_contains, assert_lacks, wait_for_output,
};

/// A delay that is longer than any story, also on a busy machine: sudo sees the machine's clock.
const LONG_DELAY: &str = "[throttle]\nfirst_delay = \"10m\"\n";

/// Prepares a host with the machine's clock, and codes that are valid for minutes.
#[track_caller]
fn host() -> Host {
    let host = Host::fresh();
    host.sample("sudo-i");
    host.clock.as_setuid_programs_see_it();
    host.configure("[totp]\nperiod = \"2m\"\npast_steps = 6\n");
    host
}

#[track_caller]
fn on_a_terminal(person: &Person, command: &str) -> Terminal {
    Terminal::run(person.on_this_host(command))
}

/// Runs a command without a terminal, with lines on stdin.
#[track_caller]
fn piped(person: &Person, command: &str, lines: &[&str]) -> Output {
    let mut sudo: Command = person.on_this_host(command);
    let mut sudo = sudo
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = sudo.stdin.take().expect("stdin is a pipe");
    for line in lines {
        // sudo may exit before it reads the last line.
        let _ = writeln!(stdin, "{line}");
    }
    drop(stdin);
    wait_for_output(sudo)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn password_then_code_and_with_a_ticket_neither() {
    let host = host();
    host.sudoers("alice ALL=(ALL) ALL");
    let (alice, phone) = host.enrolled_user("alice");
    host.journal.forget();

    let mut terminal = on_a_terminal(
        &alice,
        "sudo id -un; sudo id -un; sudo -n id -u; sudo -k; sudo -n id -u; sudo -i id -un",
    );
    terminal
        .expect("password for alice: ")
        .types(&alice.password);
    terminal
        .expect("Verification code: ")
        .types(&phone.code_in(-2));
    terminal
        .expect("root")
        .expect("root")
        .expect("0")
        .expect("a password is required");
    terminal
        .expect("password for alice: ")
        .types(&alice.password);
    terminal
        .expect("Verification code: ")
        .types(&phone.code_in(-1))
        .expect("root");
    assert!(terminal.ends().status.success());

    let log = host.journal.rest();
    assert_eq!(log.matches("pam_totp(").count(), 2, "{log}");
    for service in ["sudo", "sudo-i"] {
        let line = format!(
            "pam_totp({service}:auth): accepted cause=code address=- service={service} user=\"alice\""
        );
        assert_contains(&log, &line);
    }
    let last = Postern::json("log alice --lines 1 --json");
    assert_eq!(last["service"], "sudo-i");
    assert_eq!(last["origin"], "local user alice");
}

/// sudo asks for nothing here, and the policy must not refuse either.
#[test]
#[ignore = "needs the test host: tests/run"]
fn nopasswd_and_root_are_asked_nothing() {
    let host = host();
    host.sudoers("alice ALL=(ALL) NOPASSWD: ALL\nbob ALL=(ALL) NOPASSWD: ALL");
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    alice.enrols();
    host.configure("[policy]\nrequired = \"all\"\n");
    host.journal.forget();

    for person in [&alice, &bob] {
        for command in [
            "sudo -n id -un",
            "sudo -n -i id -un",
            "sudo -n -u root sudo -n -u bob id -u",
        ] {
            let output = piped(person, command, &[]);
            assert!(output.status.success(), "{command}: {}", text(&output));
        }
    }
    let log = host.journal.rest();
    assert_lacks(&log, "pam_totp(");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_terminal_nothing_is_asked_but_what_stdin_answers() {
    let host = host();
    host.sudoers("alice ALL=(ALL) ALL\nDefaults timestamp_timeout=0");
    let (alice, phone) = host.enrolled_user("alice");
    let before = Store::open().dump();

    let output = piped(&alice, "sudo -n id -un", &[]);
    assert!(
        !output.status.success() && text(&output).contains("a password is required"),
        "{}",
        text(&output)
    );
    assert_eq!(Store::open().dump(), before);

    let code = phone.code();
    let output = piped(&alice, "sudo -S id -un", &[&alice.password, &code]);
    assert!(
        output.status.success() && output.stdout == b"root\n",
        "{}",
        text(&output)
    );
    let output = piped(&alice, "sudo -S id -un", &[&alice.password, &code]);
    assert!(
        !output.status.success() && text(&output).contains("That code was used already"),
        "{}",
        text(&output)
    );
    let output = piped(
        &alice,
        "sudo -S id -un",
        &[&alice.password, &code, &phone.code_in(1)],
    );
    assert!(
        output.status.success() && output.stdout == b"root\n",
        "{}",
        text(&output)
    );
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_wrong_password_never_reaches_the_code() {
    let host = host();
    host.sudoers("alice ALL=(ALL) ALL\nDefaults passwd_tries=1");
    let (alice, phone) = host.enrolled_user("alice");
    let before = Store::open().dump();

    let output = piped(&alice, "sudo -S id -un", &["another", &phone.code()]);
    assert_eq!(output.status.code(), Some(1));
    assert_lacks(text(&output), "Verification code");
    assert_eq!(Store::open().dump(), before);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_has_no_second_factor_gets_what_the_policy_says() {
    let host = host();
    host.sudoers("bob ALL=(ALL) ALL\nDefaults timestamp_timeout=0, passwd_tries=1");
    let bob = host.person("bob");

    let output = piped(&bob, "sudo -S id -un", &[&bob.password]);
    assert!(
        output.status.success() && output.stdout == b"root\n",
        "{}",
        text(&output)
    );
    host.journal.says(
        "pam_totp(sudo:auth): not needed cause=not-enrolled address=- service=sudo user=\"bob\"",
    );
    host.configure("[policy]\nrequired = \"all\"\n");
    let output = piped(&bob, "sudo -S id -un", &[&bob.password]);
    assert!(!output.status.success(), "{}", text(&output));
    host.journal
        .says("pam_totp(sudo:auth): refused cause=not-enrolled");
}

/// L5, L8: three codes for each password. The delay after five wrong codes applies to this local
/// user alone.
#[test]
#[ignore = "needs the test host: tests/run"]
fn three_wrong_codes_end_a_try_and_five_are_all_that_is_looked_at() {
    let host = host();
    host.configure(&format!("[totp]\nperiod = \"2m\"\n{LONG_DELAY}"));
    host.sudoers("alice ALL=(ALL) ALL");
    let (alice, phone) = host.enrolled_user("alice");
    let wrong = phone.wrong_codes(9);

    // sudo suppresses messages, so the next prompt says why a code was refused.
    let mut terminal = on_a_terminal(&alice, "sudo id -un");
    for (codes, why) in wrong.chunks(3).zip([
        "That code is wrong",
        "That code is wrong",
        "Too many wrong codes",
    ]) {
        terminal
            .expect("password for alice: ")
            .types(&alice.password);
        terminal
            .expect("Verification code: ")
            .types(&codes[0])
            .expect(why);
        terminal
            .expect("Verification code: ")
            .types(&codes[1])
            .expect(why);
        terminal.expect("Verification code: ").types(&codes[2]);
    }
    let ended = terminal.ends();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.transcript);
    assert_contains(&ended.transcript, "3 incorrect password attempts");
    host.journal.says("refused cause=delayed-");
    assert_eq!(Store::open().number("SELECT sum(cost) FROM failure"), 5);

    alice.with_key().enters_with(&phone.code());
    let mut terminal = on_a_terminal(&alice, "sudo id -un");
    terminal
        .expect("password for alice: ")
        .types(&alice.password);
    terminal
        .expect("Verification code: ")
        .types(&phone.code_in(1))
        .expect("Too many wrong codes: wait");
    let ended = terminal.is_interrupted();
    assert!(!ended.status.success(), "{}", ended.transcript);
    Postern::call("unlock alice").does();
    let mut terminal = on_a_terminal(&alice, "sudo id -un");
    terminal
        .expect("password for alice: ")
        .types(&alice.password);
    terminal
        .expect("Verification code: ")
        .types(&phone.code())
        .expect("That code was used already");
    terminal
        .expect("Verification code: ")
        .types(&phone.code_in(1))
        .expect("root");
    assert!(terminal.ends().status.success());
    alice
        .with_key()
        .is_refused(&phone.code_in(1), "That code was used already");
}
