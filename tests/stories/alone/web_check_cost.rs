//! The cost of a check, measured without the tests' clock, which would make every reading of the
//! time slower.
//!
//! The programs are those of the release profile: tests/run builds them.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use testhost::{Host, finished};

const BENCHMARK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/checks");

/// A row of a table of the benchmark.
struct Cost {
    /// Ratio to a bare hyper server with the same request and answer.
    to_bare: f64,
    /// Ratio to a check by cookie.
    to_cookie: f64,
}

/// Reads the table whose title begins with these words. The columns of numbers are the last three.
fn read_table<'a>(output: &'a str, title: &str) -> HashMap<&'a str, Cost> {
    let lines = output.lines().skip_while(|line| !line.starts_with(title));
    let rows = lines.skip(1).map_while(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, _, to_bare, to_cookie] = words[..] else {
            return None;
        };
        let cost = Cost {
            to_bare: to_bare.parse().ok()?,
            to_cookie: to_cookie.parse().ok()?,
        };
        Some((kind, cost))
    });
    rows.collect()
}

/// Other load of the machine changes no number of instructions, and such a number differs by less
/// than a hundredth from run to run; processor time has no limit here, since it may double. valgrind
/// knows no instructions for SHA-256, which therefore is a third of what an app password needs there;
/// its ratio to a cookie says little here.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_check_costs_little_more_than_a_bare_answer_whatever_the_number_of_sessions_and_rules() {
    drop(Host::fresh());
    for folder in ["/etc/postern", "/var/lib/postern"] {
        fs::remove_dir_all(folder).expect("the benchmark sets up its own");
    }
    let sizes = ["--sessions", "100000", "--rules", "2000"];
    let output = finished(Command::new(BENCHMARK).args(sizes).arg("instructions"));
    println!("{output}");

    let instructions = read_table(&output, "instructions");
    for (kind, limit) in [
        ("healthz", 1.05),
        ("cookie", 1.43),
        ("bearer", 2.25),
        ("basic", 2.45),
    ] {
        assert!(instructions[kind].to_bare < limit, "{kind}\n{output}");
    }
    assert!(instructions["cookie-full"].to_cookie < 1.07, "{output}");
}
