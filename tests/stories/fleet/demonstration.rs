//! What several hosts with one store promise, shown step by step. tests/fleet prints it.

use super::guide;
use super::several_hosts::enrolled;
use super::split::{BOTH, primary_and_standby};
use std::time::{Duration, Instant};
use testhost::{APP, Fleet, FleetHost, Person, Postern, patiently};

const TOPOLOGY: &str = r"
      clients 192.0.2.1
             |
  -----------+------------+-------------+-------------+-------------+----
             |            |             |             |             |
    one  .11           two  .12      three .13     db1  .21      db2  .22
    sshd, posternd     sshd          sshd          PostgreSQL    PostgreSQL
    nginx, gate        posternd      posternd      primary   --> synchronous
                       nginx, gate                               standby
";

#[derive(Default)]
pub(super) struct Steps(u32);

impl Steps {
    pub(super) fn begin(&mut self, what: &str) {
        self.0 += 1;
        println!("{}. {what}", self.0);
    }

    pub(super) fn show(&self, result: &str) {
        println!("      {result}");
    }
}

/// The steps of tests/fleet for hosts with one store.
#[test]
#[ignore = "needs the test host: tests/run"]
fn several_hosts_with_one_store() {
    println!("{TOPOLOGY}");
    let mut steps = Steps(0);
    steps.begin("Three hosts are installed by docs/guides/many-hosts.md, with one store.");
    let fleet = Fleet::start();
    let [mut primary, mut standby] = primary_and_standby(&fleet);
    let hosts = guide::three_hosts(&fleet, BOTH);
    let [one, two, three] = &hosts;
    let (alice, mut codes) = enrolled(&fleet, one, "alice");
    steps.show("alice is enrolled at one.");

    for host in &hosts {
        let code = codes.next_code();
        steps.begin(&format!(
            "alice signs in at {} by ssh, with the code {code}.",
            host.machine.name
        ));
        host.ssh(&alice).enters_with(&code);
        steps.show("Access is granted.");
        for other in hosts
            .iter()
            .filter(|other| other.machine.name != host.machine.name)
        {
            other.ssh(&alice).is_refused(&code, "used already");
            steps.show(&format!(
                "{} refuses the same code: used already.",
                other.machine.name
            ));
        }
    }

    steps.begin("alice signs in at the gate of one. The session is good at both gates.");
    let client = one.browser();
    client.signs_in(one.web(), &alice, &codes.next_code());
    for host in [one, two] {
        client
            .to(&host.machine.address)
            .fetches(APP)
            .expect_status(200);
        steps.show(&format!(
            "The gate of {} allows a request.",
            host.machine.name
        ));
    }
    steps.begin("An administrator revokes her sessions at three.");
    steps.show(&format!("It is reported after {:.2?}.", revoke(three)));
    for host in [one, two] {
        client
            .to(&host.machine.address)
            .fetches(APP)
            .expect_status(401);
        steps.show(&format!(
            "The gate of {} denies the request.",
            host.machine.name
        ));
    }

    steps.begin("two is cut off from the network, and new sessions are revoked meanwhile.");
    client.signs_in(one.web(), &alice, &codes.next_code());
    client
        .to(&two.machine.address)
        .fetches(APP)
        .expect_status(200);
    two.machine.cut_off();
    steps.show(&format!(
        "It is reported after {:.2?}, when the gate's lease has expired.",
        revoke(three)
    ));
    let at_two = client.clone().from("127.0.0.1").to("127.0.0.1");
    let status = two.machine.run_on_network(|| at_two.fetches(APP).status);
    assert_eq!(status, 401);
    steps.show("The gate of two denies the request, though it cannot know of the revocation.");
    two.machine.connect();

    steps.begin("The primary of the database is killed, and the standby promoted.");
    primary.kill();
    let killed = Instant::now();
    standby.promote();
    steps.show(&format!(
        "db2 is the primary after {:.2?}.",
        killed.elapsed()
    ));
    let used = codes.next_code();
    patiently("three grants access", || {
        Ok(enters(three, &alice, &used).then_some(()))
    });
    steps.show(&format!(
        "three grants access {:.2?} after the end of db1.",
        killed.elapsed()
    ));
    one.ssh(&alice).is_refused(&used, "used already");
    steps.show("one refuses the same code: used already.");
    primary.follow(&standby);
    standby.replicate_to("db1");
    standby.has_synchronous_standby("db1");
    steps.show("db1 is back, as a synchronous standby of db2.");
    std::mem::swap(&mut primary, &mut standby);

    steps.begin("And back: db2 is killed, and db1 promoted.");
    primary.kill();
    standby.promote();
    one.ssh(&alice).is_refused(&used, "used already");
    steps.show("one refuses the same code still.");
}

/// Revokes alice's sessions, and returns how long the report took.
#[track_caller]
fn revoke(at: &FleetHost) -> Duration {
    let began = Instant::now();
    at.machine
        .run(|| Postern::call("session revoke alice --all").does());
    began.elapsed()
}

/// Types a code, and returns whether access was granted.
fn enters(host: &FleetHost, person: &Person, code: &str) -> bool {
    let mut terminal = host.ssh(person).connects();
    let signs = ["Verification code: ", "Permission denied", "closed"];
    if terminal.expect_one_of(&signs) != 0 {
        return false;
    }
    terminal.types(code);
    terminal.expect_one_of(&[
        "entered as",
        "Verification code: ",
        "Permission denied",
        "closed",
    ]) == 0
}
