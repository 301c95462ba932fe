//! A thousand timings from the input to the refusal, which must not differ between accounts.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testhost::{Host, assert_alike, ended, on_the_clock};

const ROUNDS: u32 = 250;

/// Signs in through pamtester, and returns the time from the code to the end.
#[track_caller]
fn time_of(name: &str, password: &str, code: &str) -> Duration {
    let mut tester = on_the_clock(Command::new("pamtester"));
    tester.args(["strangers", name, "authenticate"]);
    let mut tester = tester
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pamtester runs; tests/run installs it");
    let (mut stdin, mut stderr) = (
        tester.stdin.take().expect("a pipe"),
        tester.stderr.take().expect("a pipe"),
    );
    let mut output = Vec::new();
    let mut until = |prompt: &str| {
        let mut buffer = [0; 512];
        while !output
            .windows(prompt.len())
            .any(|window| window == prompt.as_bytes())
        {
            let count = stderr.read(&mut buffer).expect("pamtester speaks");
            assert!(
                count > 0,
                "no {prompt:?} in {}",
                String::from_utf8_lossy(&output)
            );
            output.extend(&buffer[..count]);
        }
    };
    until("Password: ");
    writeln!(stdin, "{password}").expect("pamtester listens");
    until("Verification code: ");
    let begin = Instant::now();
    writeln!(stdin, "{code}").expect("pamtester listens");
    assert!(!ended(&mut tester).success());
    begin.elapsed()
}

/// The attack: response times tell which accounts exist, or have a second factor.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_thousand_timings_do_not_distinguish_accounts() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    host.pam(
        "strangers",
        "auth required pam_unix.so nodelay\nauth required pam_totp.so first_factor=unknown\n",
    );

    assert_alike(
        ["wrong password", "wrong code", "unknown", "not enrolled"],
        ROUNDS,
        || {
            // After a day and a time step no account is delayed, and no code is used.
            host.clock.forward(86_400 + 30);
        },
        |_, kind| {
            let wrong = phone.wrong();
            match kind {
                0 => time_of("alice", "not the password", &phone.code()),
                1 => time_of("alice", &alice.password, &wrong),
                2 => time_of("nobody-here", "not the password", &wrong),
                _ => time_of(&bob.name, "not the password", &wrong),
            }
        },
    );
}
