//! A thousand timings: from the code typed to the refusal, everyone takes the same time.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testhost::{Host, on_the_clock};

const ROUNDS: usize = 250;
/// How often a timing of one kind may lie above one of another: half the time where nothing tells them apart.
/// A share needs no unit, so that a machine busy with other things changes nothing; its standard error is 0.03.
const ALIKE: std::ops::RangeInclusive<f64> = 0.35..=0.65;

/// Signs in through pamtester; the time from the code to the end.
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
    let (mut stdin, mut stderr) =
        (tester.stdin.take().expect("a pipe"), tester.stderr.take().expect("a pipe"));
    let mut said = Vec::new();
    let mut until = |prompt: &str| {
        let mut buffer = [0; 512];
        while !said.windows(prompt.len()).any(|window| window == prompt.as_bytes()) {
            let count = stderr.read(&mut buffer).expect("pamtester speaks");
            assert!(count > 0, "no {prompt:?} in {}", String::from_utf8_lossy(&said));
            said.extend(&buffer[..count]);
        }
    };
    until("Password: ");
    writeln!(stdin, "{password}").expect("pamtester listens");
    until("Verification code: ");
    let begin = Instant::now();
    writeln!(stdin, "{code}").expect("pamtester listens");
    assert!(!tester.wait().expect("a child can be waited for").success());
    begin.elapsed()
}

fn median(timings: &[Duration]) -> Duration {
    let mut sorted = timings.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// How often one of `a` lies above one of `b` (Mann and Whitney's statistic, as a share).
fn share_above(a: &[Duration], b: &[Duration]) -> f64 {
    let above = a.iter().map(|a| b.iter().filter(|b| a > b).count()).sum::<usize>();
    above as f64 / (a.len() * b.len()) as f64
}

/// L14, promise 9
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_thousand_timings_tell_nobody_apart() {
    let host = Host::fresh();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = alice.enrols();
    host.pam(
        "strangers",
        "auth required pam_unix.so nodelay\nauth required pam_totp.so first_factor=unknown\n",
    );

    let mut timings: [(&str, Vec<Duration>); 4] = ["wrong password", "wrong code", "unknown", "not enrolled"]
        .map(|kind| (kind, Vec::with_capacity(ROUNDS)));
    for round in 0..ROUNDS {
        // a day and a step later nothing is delayed, and no code is used
        host.clock.forward(86_400 + 30);
        let wrong = phone.wrong();
        // interleaved, and each round in another order
        for turn in 0..4 {
            let kind = (round + turn) % 4;
            timings[kind].1.push(match kind {
                0 => time_of("alice", "not the password", &phone.code()),
                1 => time_of("alice", &alice.password, &wrong),
                2 => time_of("nobody-here", "not the password", &wrong),
                _ => time_of(&bob.name, "not the password", &wrong),
            });
        }
    }
    let medians: Vec<_> = timings.iter().map(|(kind, timings)| (kind, median(timings))).collect();
    for (a, of_a) in &timings {
        for (b, of_b) in timings.iter().filter(|(b, _)| a != b) {
            let share = share_above(of_a, of_b);
            println!("{a} above {b}: {share:.2}");
            assert!(ALIKE.contains(&share), "{a} and {b} can be told apart: {share:.2}; medians {medians:?}");
        }
    }
    println!("medians {medians:?}");
}
