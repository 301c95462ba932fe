//! A database that hangs: bounded waits, a clear line, and nothing that piles up.

use super::guide;
use super::several_hosts::enrolled;
use std::fs;
use std::time::{Duration, Instant};
use testhost::{APP, Fleet, FleetHost, Postern, PostgresServer, assert_contains, patiently};

/// Time limit of a denial. sshd waits as long for posternd.
const DENIED: Duration = Duration::from_secs(30);
/// Sign-ins at once that meet the database that hangs.
const SIGN_INS: usize = 12;

fn threads(host: &FleetHost) -> [usize; 2] {
    let posternd = host.posternd.as_ref().expect("posternd runs").process();
    [posternd, host.web().gate.process()].map(|process| {
        let tasks = fs::read_dir(format!("/proc/{process}/task"));
        tasks.expect("the daemon runs").count()
    })
}

fn connections(database: &PostgresServer) -> usize {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'postern'";
    database.sql(sql).parse().expect("a number")
}

/// DESIGN 1.4, 1.10: a database that hangs denies within a bounded time, and leaves neither threads
/// nor connections behind.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_database_that_hangs_denies_and_leaves_nothing_behind() {
    let fleet = Fleet::start();
    let database = guide::database(&fleet, "db");
    let mut one = guide::first_host(&fleet, "one", "db.example.com");
    one.start();
    one.start_web(&fleet);
    let (alice, mut codes) = enrolled(&fleet, &one, "alice");
    for _ in 0..2 {
        one.ssh(&alice).enters_with(&codes.next_code());
    }
    let round = |one: &FleetHost, code: &str| {
        let began = Instant::now();
        let mut held: Vec<_> = (0..SIGN_INS).map(|_| one.ssh(&alice).connects()).collect();
        for terminal in &mut held {
            let signs = ["Verification code: ", "Permission denied", "closed"];
            if terminal.expect_one_of(&signs) == 0 {
                terminal.types(code);
            }
        }
        for terminal in held {
            let ended = terminal.ends();
            assert!(!ended.entered(), "{}", ended.transcript);
        }
        began.elapsed()
    };
    // the pools have their sizes once the first round is over
    let mut before = None;
    for number in 0..2 {
        let code = codes.next_code();
        database.hang();
        let took = round(&one, &code);
        println!("{SIGN_INS} sign-ins were denied within {took:?}");
        assert!(took < DENIED, "{took:?}");
        let page = one.browser().password(one.web(), &alice);
        assert_eq!(page.status, 503, "{page:?}");
        one.machine.run(|| {
            let refused = Postern::call("status alice").refuses();
            assert_contains(refused.err, "db.example.com");
        });
        database.go_on();
        patiently("access is granted again", || {
            let mut terminal = one.ssh(&alice).connects();
            let signs = ["Verification code: ", "Permission denied", "closed"];
            if terminal.expect_one_of(&signs) != 0 {
                return Ok(None);
            }
            terminal.types(&codes.next_code());
            Ok(terminal.ends().entered().then_some(()))
        });
        let now = (threads(&one), connections(&database));
        println!("after round {number}: threads of posternd and gate, connections: {now:?}");
        match before {
            None => before = Some(now),
            Some((threads, connections)) => {
                assert!(
                    now.0[0] <= threads[0] + 2 && now.0[1] <= threads[1] + 2,
                    "{now:?}"
                );
                assert!(now.1 <= connections + 1, "{now:?} after {connections}");
            }
        }
    }
    let line = "pam_totp(sshd:auth): refused cause=unavailable address=192.0.2.1 service=sshd \
                user=\"alice\": the store at postgres://postern@db.example.com/postern cannot be \
                reached: no answer";
    fleet.host.journal.says(line);
    let client = one.browser();
    client.signs_in(one.web(), &alice, &codes.next_code());
    client.fetches(APP).expect_status(200);
}
