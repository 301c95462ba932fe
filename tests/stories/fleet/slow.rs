//! A network that is slow, between a host and its database, and between a host that holds no secrets
//! and its server. What is late is a doubt; what is in time is as on a fast network.

use super::guide;
use super::several_hosts::enrolled;
use crate::hosts::sign_in::host_without_store;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use testhost::{
    APP, Fleet, FleetHost, FleetServer, Machine, Person, Postern, PostgresServer, SlowPath,
    assert_contains, finished, patiently,
};

/// How long a gate may answer from what it has read last.
const LEASE: Duration = Duration::from_secs(5);
/// Time limit of a report beyond the lease, on a busy machine.
const MORE: Duration = Duration::from_secs(4);
/// Time limit of a sign-in, which the guide states.
const SIGN_IN: Duration = Duration::from_secs(20);
/// A slow network, in each direction: 300 ms for a round trip, as to the other side of the world.
const SLOW: Duration = Duration::from_millis(150);
/// A network that is slow and of use, in each direction.
const FAR: Duration = Duration::from_millis(50);
/// One that is of no use: a round trip is longer than the lease.
const TOO_SLOW: Duration = Duration::from_secs(4);
const NONE: Duration = Duration::ZERO;

/// Has a machine reach the database through a relay on the machine itself.
#[track_caller]
fn slow_path(machine: &Machine, database: &PostgresServer) -> SlowPath {
    let name = format!("{}.example.com", database.machine.name);
    let address = &database.machine.address;
    let to = format!("{address}:5432").parse().expect("an address");
    machine.run(|| {
        let hosts = fs::read_to_string("/etc/hosts").expect("there is an /etc/hosts");
        let real = format!("{address} {name}");
        assert_contains(&hosts, &real);
        let own = hosts.replace(&real, &format!("127.0.0.1 {name}"));
        fs::write("/run/own-hosts", own).expect("/run can be written");
        finished(Command::new("mount").args(["--bind", "/run/own-hosts", "/etc/hosts"]));
        SlowPath::start("127.0.0.1:5432".parse().expect("an address"), to)
    })
}

/// Types a code, and returns whether access was granted, what was on the screen, and how long it took.
#[track_caller]
fn sign_in(ssh: &testhost::Ssh, code: &str) -> (bool, String, Duration) {
    let began = Instant::now();
    let mut terminal = ssh.connects();
    let signs = ["Verification code: ", "Permission denied", "closed"];
    if terminal.expect_one_of(&signs) == 0 {
        terminal.types(code);
    }
    let ended = terminal.ends();
    (ended.entered(), ended.transcript, began.elapsed())
}

/// A slow database: sessions go on, and sign-ins take their time. A slower one: the gate denies after
/// its lease, hears of the revocation meanwhile, and recovers.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_gate_that_is_too_slow_denies_after_its_lease_and_recovers() {
    let fleet = Fleet::start();
    let database = guide::database(&fleet, "db");
    let one = guide::first_host(&fleet, "one", "db.example.com");
    let two = guide::further_host(&fleet, "two", "db.example.com", &one);
    let slow = slow_path(&two.machine, &database);
    let mut hosts = [one, two];
    hosts.iter_mut().for_each(FleetHost::start);
    hosts.iter_mut().for_each(|host| host.start_web(&fleet));
    let [one, two] = &hosts;
    let (alice, mut codes) = enrolled(&fleet, one, "alice");
    let client = one.browser();
    client.signs_in(one.web(), &alice, &codes.next_code());
    let at_two = client.to(&two.machine.address);
    at_two.fetches(APP).expect_status(200);

    slow.delays(SLOW);
    let began = Instant::now();
    while began.elapsed() < 2 * LEASE {
        let reply = at_two.fetches(APP);
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    slow.delays(FAR);
    let browser = two.browser();
    let began = Instant::now();
    browser.signs_in(two.web(), &alice, &codes.next_code());
    println!(
        "a sign-in at a gate with {FAR:?} each way took {:?}",
        began.elapsed()
    );
    browser.fetches(APP).expect_status(200);

    slow.delays(TOO_SLOW);
    let began = Instant::now();
    patiently("the gate denies", || {
        Ok((at_two.fetches(APP).status != 200).then_some(()))
    });
    println!(
        "the gate denied {:?} after it became too slow",
        began.elapsed()
    );
    assert!(began.elapsed() < LEASE + MORE, "{:?}", began.elapsed());
    client.fetches(APP).expect_status(200);
    let began = Instant::now();
    one.machine
        .run(|| Postern::call("session revoke alice --all").does());
    println!("a revocation was reported after {:?}", began.elapsed());
    assert!(began.elapsed() < LEASE + MORE, "{:?}", began.elapsed());
    assert_ne!(at_two.fetches(APP).status, 200);
    assert_ne!(client.fetches(APP).status, 200);

    slow.delays(NONE);
    let other = one.browser();
    other.signs_in(one.web(), &alice, &codes.next_code());
    let began = Instant::now();
    let at_two = other.to(&two.machine.address);
    patiently("the gate allows again", || {
        Ok((at_two.fetches(APP).status == 200).then_some(()))
    });
    println!("the gate allowed again after {:?}", began.elapsed());
    assert_eq!(browser.fetches(APP).status, 401);
}

/// A host with a store, and a slow database: in, or denied with the reason in the log, within the
/// time that the guide states.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_sign_in_with_a_slow_database_is_in_or_denied_in_time() {
    let fleet = Fleet::start();
    let database = guide::database(&fleet, "db");
    let mut one = guide::first_host(&fleet, "one", "db.example.com");
    let slow = slow_path(&one.machine, &database);
    one.start();
    let (alice, mut codes) = enrolled(&fleet, &one, "alice");
    one.ssh(&alice).enters_with(&codes.next_code());

    slow.delays(FAR);
    let (entered, screen, took) = sign_in(&one.ssh(&alice), &codes.next_code());
    println!("a sign-in with {FAR:?} each way took {took:?}");
    assert!(entered, "{screen}");
    slow.delays(SLOW);
    // on a busy machine it may be late, and is denied then
    let (entered, _, took) = sign_in(&one.ssh(&alice), &codes.next_code());
    println!("with {SLOW:?} each way: entered {entered} after {took:?}");
    assert!(took < SIGN_IN + MORE, "{took:?}");
    if !entered {
        fleet.host.journal.says("refused cause=unavailable");
    }
    slow.delays(TOO_SLOW);
    let (entered, screen, took) = sign_in(&one.ssh(&alice), &codes.next_code());
    println!("with {TOO_SLOW:?} each way: entered {entered} after {took:?}");
    assert!(!entered, "{screen}");
    assert!(took < SIGN_IN + MORE, "{took:?}");
    fleet
        .host
        .journal
        .says("refused cause=unavailable address=192.0.2.1 service=sshd user=\"alice\"");
    slow.delays(NONE);
    comes_back(&one, &alice, &mut codes);
}

#[track_caller]
fn comes_back(host: &FleetHost, person: &Person, codes: &mut testhost::UnusedCodes) {
    patiently("access is granted again", || {
        let (entered, _, _) = sign_in(&host.ssh(person), &codes.next_code());
        Ok(entered.then_some(()))
    });
}

/// A host that holds no secrets, and a slow server: the user reads why access is denied.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_sign_in_with_a_slow_server_is_in_or_denied_in_time() {
    let host = host_without_store();
    let server = FleetServer::start("one", 7443);
    let at = |port: u16| format!("127.0.0.1:{port}").parse().expect("an address");
    let slow = SlowPath::start(at(7543), at(7443));
    let joined = Postern::call("host join https://127.0.0.1:7543")
        .types(&server.invites("web1"))
        .does();
    assert_contains(&joined.out, "joined as web1");
    let alice = host.person("alice");
    let phone = server.enrols("alice");
    alice.with_key().enters_with(&phone.code());

    slow.delays(SLOW);
    host.clock.forward(30);
    let (entered, screen, took) = sign_in(&alice.with_key(), &phone.code());
    println!("a sign-in with {SLOW:?} each way took {took:?}");
    assert!(entered, "{screen}");
    assert!(took < SIGN_IN, "{took:?}");

    slow.delays(TOO_SLOW);
    host.clock.forward(30);
    let (entered, screen, took) = sign_in(&alice.with_key(), &phone.code());
    println!("with {TOO_SLOW:?} each way: entered {entered} after {took:?}");
    assert!(!entered, "{screen}");
    assert!(took < SIGN_IN, "{took:?}");
    assert_contains(&screen, "No server answers that could check your code");
    host.journal.says("refused cause=no-server");

    slow.delays(NONE);
    patiently("access is granted again", || {
        host.clock.forward(30);
        let (entered, _, _) = sign_in(&alice.with_key(), &phone.code());
        Ok(entered.then_some(()))
    });
}
