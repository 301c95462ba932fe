//! A thousand timings: from the code typed to the refusal, everyone takes the same time.

use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testhost::{Host, Person, Phone, on_the_clock};

const ROUNDS: usize = 250;
const MEASUREMENTS: u32 = 3;
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

    // What tells one from another does so every time; what a busy machine does, does not.
    let mut apart = String::new();
    let alike = (0..MEASUREMENTS).any(|_| {
        apart = told_apart(&host, &alice, &bob, &phone);
        apart.is_empty()
    });
    assert!(alike, "{apart}");
}

/// A thousand refusals of four kinds, in random order: which two kinds the time tells apart.
fn told_apart(host: &Host, alice: &Person, bob: &Person, phone: &Phone) -> String {
    let kinds = ["wrong password", "wrong code", "unknown", "not enrolled"];
    let mut timings = kinds.map(|_| Vec::with_capacity(ROUNDS));
    let shuffle = RandomState::new();
    for round in 0..ROUNDS {
        // a day and a step later nothing is delayed, and no code is used
        host.clock.forward(86_400 + 30);
        let wrong = phone.wrong();
        let mut order = [0, 1, 2, 3];
        order.sort_by_key(|kind| shuffle.hash_one((round, kind)));
        for kind in order {
            timings[kind].push(match kind {
                0 => time_of("alice", "not the password", &phone.code()),
                1 => time_of("alice", &alice.password, &wrong),
                2 => time_of("nobody-here", "not the password", &wrong),
                _ => time_of(&bob.name, "not the password", &wrong),
            });
        }
    }
    let medians = timings.each_ref().map(|timings| median(timings));
    let pairs = (0..4).flat_map(|a| (0..a).map(move |b| (a, b)));
    let shares = pairs.map(|(a, b)| (kinds[a], kinds[b], share_above(&timings[a], &timings[b])));
    let apart = shares.filter(|(.., share)| !ALIKE.contains(share));
    apart.map(|(a, b, share)| format!("{a} and {b}: {share:.2}; medians {medians:?}\n")).collect()
}
