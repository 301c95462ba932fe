//! A primary that is cut off with some hosts while its standby is promoted: two servers take
//! writes. The old one acknowledges none, since its synchronous standby is gone. It can still be read.

use super::guide;
use super::several_hosts::enrolled;
use std::time::{Duration, Instant};
use testhost::{
    APP, Fleet, FleetHost, Person, Postern, PostgresServer, Ssh, WebClient, patiently, wait_until,
};

/// Time until a host has passed over an old primary, on a busy machine.
const PASSED_OVER: Duration = Duration::from_secs(60);

/// Both servers of the guide's section on failovers.
pub(crate) const BOTH: &str = "db1.example.com,db2.example.com";

/// Starts a primary and its synchronous standby.
#[track_caller]
pub(crate) fn primary_and_standby(fleet: &Fleet) -> [PostgresServer; 2] {
    let primary = guide::database(fleet, "db1");
    let standby = fleet.standby("db2", &primary);
    [primary, standby]
}

/// A sign-in by ssh from the host itself, which no other machine reaches.
fn ssh_on(host: &FleetHost, person: &Person) -> Ssh {
    host.ssh(person).from(&host.machine.address)
}

#[track_caller]
fn check_on(host: &FleetHost, client: &WebClient) -> u16 {
    let client = client.clone().from("127.0.0.1").to("127.0.0.1");
    host.machine.run_on_network(|| client.fetches(APP).status)
}

/// DESIGN 1.1, 1.3, 1.4 across a split: what the old primary says grants no access, whether it is
/// apart from the others or back among them.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_old_primary_grants_no_access() {
    let fleet = Fleet::start();
    let [mut old, new] = primary_and_standby(&fleet);
    let hosts = guide::three_hosts(&fleet, BOTH);
    let [one, two, three] = &hosts;
    let (alice, mut codes) = enrolled(&fleet, one, "alice");
    let bob = fleet.host.person("bob");
    let client = one.browser();
    client.signs_in(one.web(), &alice, &codes.next_code());
    one.ssh(&bob).enters();

    one.machine.set_apart();
    old.machine.set_apart();
    new.promote();
    let split = Instant::now();
    wait_until("the second gate has found the new primary", || {
        Ok(client.to(&two.machine.address).fetches(APP).status == 200)
    });
    println!(
        "the second gate allowed checks {:?} after the promotion",
        split.elapsed()
    );

    // on the side of the new primary bob is enrolled, and alice's session is revoked
    three.machine.run(|| {
        bob.enrols();
        Postern::call("session revoke alice --all").does();
    });
    assert_eq!(client.to(&two.machine.address).fetches(APP).status, 401);
    assert_eq!(check_on(one, &client), 401, "the gate at the old primary");
    let (at_old, code) = (
        one.machine.run_on_network(|| ssh_on(one, &bob).connects()),
        codes.next_code(),
    );
    let ended = at_old.ends();
    assert!(!ended.entered(), "bob is enrolled:\n{}", ended.transcript);
    refuses_the_code(one, &alice, &code);
    two.ssh(&alice).enters_with(&code);

    // the old primary comes back as one
    for machine in [&one.machine, &old.machine] {
        machine.connect();
    }
    let back = Instant::now();
    let code = codes.next_code();
    two.ssh(&alice).enters_with(&code);
    assert_eq!(check_on(one, &client), 401);

    // a host passes over a server that takes writes and acknowledges none
    patiently("the first host uses the new primary", || {
        let mut terminal = one.ssh(&alice).up_to_the_code();
        terminal.types(&codes.next_code());
        Ok(terminal.ends().entered().then_some(()))
    });
    println!("the first host was back after {:?}", back.elapsed());
    one.ssh(&alice).is_refused(&code, "used already");
    assert!(back.elapsed() < PASSED_OVER, "{:?}", back.elapsed());

    // and the old primary is made a standby
    old.kill();
    old.follow(&new);
    new.replicate_to("db1");
    new.has_synchronous_standby("db1");
    one.ssh(&alice).enters_with(&codes.next_code());
}

/// Types a valid code at a host on its own network, and expects that access is denied.
#[track_caller]
fn refuses_the_code(host: &FleetHost, person: &Person, code: &str) {
    let began = Instant::now();
    let mut terminal = host
        .machine
        .run_on_network(|| ssh_on(host, person).connects());
    if terminal.expect_one_of(&["Verification code: ", "Permission denied", "closed"]) == 0 {
        terminal.types(code);
    }
    let ended = terminal.ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    println!(
        "the host at the old primary denied after {:?}",
        began.elapsed()
    );
}
