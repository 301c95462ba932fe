//! The processor time of a check, measured without the tests' clock, which would make every reading
//! of the time slower.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use testhost::{Host, finished};

const BENCHMARK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/checks");

/// An app password costs a check about as much as a cookie does. An idle timeout and rules add almost
/// nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_app_password_costs_a_check_about_what_a_cookie_costs() {
    drop(Host::fresh());
    for folder in ["/etc/postern", "/var/lib/postern"] {
        fs::remove_dir_all(folder).expect("the benchmark sets up its own");
    }
    let table = finished(Command::new(BENCHMARK).arg("3"));
    println!("{table}");
    let cost: HashMap<&str, f64> = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?.parse().ok()?))
        })
        .collect();
    let [empty, cookie, idle, bearer, basic, rules] = [
        "healthz",
        "cookie",
        "cookie-idle",
        "bearer",
        "basic",
        "cookie-200-rules",
    ]
    .map(|kind| cost[kind]);
    assert!(bearer < cookie * 1.5 && basic < cookie * 1.5, "{table}");
    assert!(idle < cookie * 1.15, "{table}");
    assert!(cookie < empty * 3.0 && rules < cookie * 2.0, "{table}");
}
