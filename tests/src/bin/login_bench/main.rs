//! Measures PAM logins, each in a new process: pam_permit, google-authenticator, pam_oath and the
//! module, with posternd and without. tests/benches/login prepares a throwaway copy of the host for
//! it, with all state on a real disk.
//!
//!   login_bench PAM_HOST [--rounds N] [--at-once N] [--logins N] [--accounts N]
//!
//!   --rounds N     logins of each contestant, each with its own account and code (100)
//!   --at-once N    hosts at a time (16)
//!   --logins N     logins without a daemon before the second table (20000; 0 omits them)
//!   --accounts N   accounts in the store, each with an app password, before the third table and the
//!                  revocations (1000000; 0 omits them)
//!
//! MUST NOT run on a machine that is not thrown away: it writes /etc/passwd, /etc/pam.d and the
//! store.
#![forbid(unsafe_code)]

mod contestants;
mod daemons;
mod login;
mod memory;
mod people;
mod report;
mod revocation;

use contestants::{Contestant, Kind};
use daemons::Posternd;
use std::path::PathBuf;

/// Logins of each host in the measurement of parallel logins.
const LOGINS_AT_ONCE: usize = 20;

struct Bench {
    pam_host: PathBuf,
    rounds: usize,
    at_once: usize,
    logins: usize,
    accounts: usize,
}

fn main() {
    assert!(
        std::env::var_os("POSTERN_TEST_HOST").is_some_and(|value| value == "1"),
        "it changes accounts, /etc and /var: run it with tests/benches/login, on a throwaway copy of the host"
    );
    let bench = Bench::of_arguments();
    // The two tables after the first need fewer logins: they are compared with the first.
    let again = bench.rounds.div_ceil(2);
    let each = bench.rounds + bench.at_once * LOGINS_AT_ONCE + 2 * again + memory::LOGINS;
    let all = Kind::ALL.map(|kind| Contestant::new(kind, each, bench.rounds));
    let counters = people::with_counters(100);
    contestants::set_up(&all, &counters);

    let host = bench.pam_host.as_path();
    let each: Vec<&Contestant> = all.iter().collect();

    let posternd = Posternd::start();
    report::begin();
    report::table(
        "One after the other",
        &login::interleaved(host, &each, &posternd, bench.rounds),
    );
    report::peaks(&memory::peaks(host, &each, &posternd));
    report::rates(
        bench.at_once,
        &login::at_once(host, &all, bench.at_once, LOGINS_AT_ONCE),
    );
    report::idle("posternd", posternd.process());
    let gate = daemons::Gate::start();
    report::idle("postern-gate", gate.process());
    drop((gate, posternd));

    let rest: Vec<&Contestant> = all.iter().filter(|one| one.kind != Kind::Oath).collect();
    if bench.logins > 0 {
        let run = login::without_a_daemon(host, &counters, bench.logins);
        report::many(bench.logins, &run);
        let posternd = Posternd::start();
        let title = format!("After {} logins without a daemon", bench.logins);
        report::table(&title, &login::interleaved(host, &rest, &posternd, again));
    }
    if bench.accounts > 0 {
        people::fill_store(bench.accounts);
        let posternd = Posternd::start();
        let title = format!("With {} accounts", bench.accounts);
        report::table(&title, &login::interleaved(host, &rest, &posternd, again));
        report::idle("posternd", posternd.process());
        drop(posternd);
        report::revocations(&revocation::measure(host, &counters[0], bench.accounts));
    }
}

impl Bench {
    fn of_arguments() -> Bench {
        let mut words = std::env::args_os().skip(1);
        let pam_host = words.next().expect("PAM_HOST").into();
        let mut bench = Bench {
            pam_host,
            rounds: 100,
            at_once: 16,
            logins: 20_000,
            accounts: 1_000_000,
        };
        while let Some(word) = words.next() {
            let number = words
                .next()
                .and_then(|word| word.into_string().ok()?.parse().ok());
            let number: usize = number.unwrap_or_else(|| panic!("a number after {word:?}"));
            match word.to_str() {
                Some("--rounds") => bench.rounds = number.max(1),
                Some("--at-once") => bench.at_once = number.max(1),
                Some("--logins") => bench.logins = number,
                Some("--accounts") => bench.accounts = number,
                _ => panic!("no option: {word:?}"),
            }
        }
        bench
    }
}
