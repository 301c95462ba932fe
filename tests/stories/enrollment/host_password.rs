//! The first enrollment by a user who is not root, with the user's password on this host.

use crate::enrollment::password_helper::{PROMPT, start_posternd};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postern_shared::protocol::host_password::SOCKET;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use testhost::{
    Host, PasswordHelper, Phone, Postern, Store, Terminal, assert_contains, assert_lacks, ended,
    set_mode, wait_until,
};

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_right_password_of_this_host_sets_up_the_first_second_factor() {
    let host = Host::without_posternd();
    let alice = host.person("alice");
    let posternd = start_posternd(&host);
    let helper = PasswordHelper::start();
    // The row counter of the failures is the only thing that a failed try changes for good.
    let dump = || {
        Store::open()
            .dump()
            .lines()
            .filter(|l| !l.starts_with("sqlite_sequence"))
            .collect::<String>()
    };
    let before = dump();

    let setup = || {
        let mut terminal = Terminal::run(alice.postern("enroll").command());
        terminal.expect(PROMPT).types(&alice.password);
        let screen = terminal
            .expect("Scan it, then enter the code that your app shows: ")
            .screen();
        assert!(
            !screen.contains(&alice.password),
            "what is typed does not show"
        );
        let url = screen
            .lines()
            .find_map(|line| line.strip_prefix("URL: "))
            .expect("a URL");
        let phone = Phone::scans(url.trim());
        (terminal, phone)
    };
    let (mut terminal, phone) = setup();
    terminal.types(&phone.code()).expect("type \"saved\": ");
    assert!(!terminal.is_interrupted().status.success());
    assert_eq!(dump(), before, "a setup that is cut off leaves no trace");

    let (mut terminal, phone) = setup();
    terminal
        .types(&phone.code())
        .expect("type \"saved\": ")
        .types("saved");
    let ended = terminal.ends();
    assert_contains(&ended.transcript, "the second factor of alice is on");
    assert_eq!(alice.postern("status --json").does().json()["state"], "on");
    alice.with_key().enters_with(&phone.code_in(1));
    let enrolled = Postern::json("log alice --json --event enrolled");
    assert_eq!(enrolled["principal"], "alice");
    assert_eq!(enrolled["service"], "postern");

    let again = alice.postern("enroll").types(&alice.password).refuses();
    assert_contains(&again.err, "has a second factor already");
    let bob = host.person("bob");
    let others = bob.postern("enroll alice").types(&alice.password).refuses();
    assert_contains(&others.err, "another account than your own, bob");
    // Other stories sign in with names that are not UTF-8.
    let auth = fs::read("/var/log/auth.log").expect("rsyslogd writes it");
    let auth = String::from_utf8_lossy(&auth).into_owned();
    for log in [posternd.log(), helper.log(), auth] {
        assert_lacks(&log, &alice.password);
        assert_lacks(&log, "panicked");
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn wrong_passwords_are_counted_before_the_first_factor_and_delayed() {
    let host = Host::without_posternd();
    let alice = host.person("alice");
    let posternd = start_posternd(&host);
    let helper = PasswordHelper::start();
    let right = format!("{}\n", alice.password);

    for _ in 0..5 {
        let output = alice
            .postern("enroll")
            .input("not the password\n")
            .refuses();
        assert_contains(&output.err, "That password is wrong");
    }
    let output = alice.postern("enroll").input(&right).refuses();
    assert_contains(&output.err, "Too many wrong passwords: wait 30 s");
    posternd.says("refused cause=password-wrong address=- service=postern user=\"alice\"");
    posternd.says("refused cause=password-delayed-30s address=- service=postern user=\"alice\"");
    let wrong = "refused cause=wrong address=- user=\"alice\"";
    assert_eq!(
        helper.log().matches(wrong).count(),
        5,
        "a delayed one is not asked: {}",
        helper.log()
    );

    // A delay for passwords does not delay a one-time code.
    Postern::call("account add alice").does();
    let code = Postern::one_time_code("alice");
    let mut terminal = Terminal::run(alice.postern("enroll").command());
    terminal
        .expect(PROMPT)
        .types(&code)
        .expect("your app shows: ");
    terminal.is_interrupted();

    host.clock.forward(31);
    let mut terminal = Terminal::run(alice.postern("enroll").command());
    terminal
        .expect(PROMPT)
        .types(&alice.password)
        .expect("your app shows: ");
    terminal.is_interrupted();
    assert_lacks(Store::open().dump(), &alice.password);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn without_the_helper_the_person_is_informed_at_once_and_a_one_time_code_works() {
    let host = Host::without_posternd();
    let alice = host.person("alice");
    let posternd = start_posternd(&host);
    let refused_at_once = |why: &str| {
        for _ in 0..3 {
            let began = Instant::now();
            let output = alice.postern("enroll").types(&alice.password).refuses();
            assert!(
                began.elapsed() < Duration::from_secs(2),
                "{why}: {:?}",
                began.elapsed()
            );
            assert_contains(
                &output.err,
                "ask the administrator to start postern-password.socket",
            );
            assert_contains(&output.err, "postern one-time-code alice");
        }
    };
    refused_at_once("absent");
    posternd.says("postern-password does not answer at /run/postern-password.sock");
    posternd.says("refused cause=password-unavailable address=- service=postern user=\"alice\"");
    let mut helper = PasswordHelper::start();
    let process = Pid::from_raw(i32::try_from(helper.process()).expect("a process"));
    kill(process, Signal::SIGSTOP).expect("it runs");
    refused_at_once("hanging");
    helper.crash();
    // The attack: an impostor listens at the socket's path.
    fs::remove_file(SOCKET).expect("/run can be written");
    let script = "use IO::Socket::UNIX; umask 0; my $l = IO::Socket::UNIX->new(Local => shift, Listen => 9) or die; \
         while (my $s = $l->accept) { print $s \"postern-password 2\\n\"; print $s \"yes\\n\"; }";
    set_mode("/run", 0o777);
    let mut perl = Command::new("setpriv");
    perl.args([
        "--reuid=nobody",
        "--regid=65534",
        "--clear-groups",
        "perl",
        "-e",
        script,
        SOCKET,
    ]);
    let mut impostor = perl.spawn().expect("perl runs");
    wait_until("the impostor listens", || {
        Ok(std::path::Path::new(SOCKET).exists())
    });
    refused_at_once("an impostor");
    impostor.kill().expect("it runs");
    ended(&mut impostor);
    set_mode("/run", 0o755);
    drop(helper);

    Postern::call("account add alice").does();
    let code = Postern::json("one-time-code alice --json")["one_time_code"].clone();
    let mut terminal = Terminal::run(alice.postern("enroll").command());
    terminal
        .expect(PROMPT)
        .types(code.as_str().expect("a code"));
    terminal.expect("your app shows: ");
    terminal.is_interrupted();
    let _helper = PasswordHelper::start();
    let mut terminal = Terminal::run(alice.postern("enroll").command());
    terminal
        .expect(PROMPT)
        .types(&alice.password)
        .expect("your app shows: ");
    terminal.is_interrupted();
}
