//! Three hosts and two gates with one store: what is consumed or counted at one is so at all.

use super::guide;
use std::sync::Barrier;
use std::thread;
use testhost::{Fleet, FleetHost, Person, Terminal, UnusedCodes, assert_contains};

/// Results of a sign-in with a code, by what the client sees.
const SIGNS: [&str; 4] = [
    "entered as alice",
    "used already",
    "Permission denied",
    "closed",
];
const IN: usize = 0;

/// Returns a person with a key, a password at the web and an authenticator.
#[track_caller]
pub(crate) fn enrolled(fleet: &Fleet, at: &FleetHost, name: &str) -> (Person, UnusedCodes) {
    let person = fleet.host.person(name);
    let phone = at.machine.run(|| {
        person.has_a_password();
        person.enrols()
    });
    (person, UnusedCodes::of(phone))
}

/// DESIGN 1.1 across machines: the code is typed at three sshds and two gates at the same moment.
#[test]
#[ignore = "needs the test host: tests/run"]
fn of_a_hundred_places_with_one_code_exactly_one_enters() {
    let fleet = Fleet::start();
    let _database = guide::database(&fleet, "db");
    let hosts = guide::three_hosts(&fleet, "db.example.com");
    let (alice, mut codes) = enrolled(&fleet, &hosts[0], "alice");
    let addresses = fleet.client_addresses(100);
    let code = codes.next_code();

    let (at_ssh, at_web) = addresses.split_at(75);
    let held: Vec<Terminal> = at_ssh
        .iter()
        .zip(hosts.iter().cycle())
        .map(|(address, host)| host.ssh(&alice).from(address).connects())
        .collect();
    let barrier = Barrier::new(addresses.len());
    let entered: usize = thread::scope(|scope| {
        let (barrier, code, alice) = (&barrier, code.as_str(), &alice);
        let ssh = held.into_iter().map(|mut terminal| {
            scope.spawn(move || {
                terminal.expect("Verification code: ");
                barrier.wait();
                terminal.types(code);
                usize::from(terminal.expect_one_of(&SIGNS) == IN)
            })
        });
        let mut all: Vec<_> = ssh.collect();
        for (address, host) in at_web.iter().zip(hosts[..2].iter().cycle()) {
            let client = host.browser().from(address);
            all.push(scope.spawn(move || {
                client.password(host.web(), alice).expect_status(303);
                barrier.wait();
                let reply = client.code(host.web(), code);
                assert!([303, 401, 503].contains(&reply.status), "{reply:?}");
                usize::from(reply.status == 303)
            }));
        }
        all.into_iter()
            .map(|each| each.join().expect("each comes to an end"))
            .sum()
    });
    assert_eq!(entered, 1);
    for host in &hosts {
        host.ssh(&alice).is_refused(&code, "used already");
    }
    hosts[2].ssh(&alice).enters_with(&codes.next_code());
}

/// DESIGN 1.2 across machines: wrong codes at one host and gate count at all.
#[test]
#[ignore = "needs the test host: tests/run"]
fn wrong_codes_at_several_hosts_are_counted_together() {
    let fleet = Fleet::start();
    let _database = guide::database(&fleet, "db");
    let hosts = guide::three_hosts(&fleet, "db.example.com");
    fleet.client_addresses(3);
    let [one, two, _] = &hosts;
    let (alice, mut codes) = enrolled(&fleet, one, "alice");
    let wrong = codes.wrong_codes(4);

    // each is compared with 12 time steps, and costs 4; 5 are free, with a verified key
    one.ssh(&alice).is_refused(&wrong[0], "That code is wrong");
    two.ssh(&alice).is_refused(&wrong[1], "That code is wrong");
    let code = codes.next_code();
    for host in &hosts {
        host.ssh(&alice).is_refused(&code, "Too many wrong codes");
    }
    // and elsewhere
    for (code, host) in wrong[2..].iter().zip([one, two]) {
        let client = host.browser().from("192.0.2.101");
        client.password(host.web(), &alice).expect_status(303);
        let reply = client.code(host.web(), code).expect_status(401);
        assert_contains(&reply.body, "That code is wrong");
    }
    let client = two.browser().from("192.0.2.102");
    client.password(two.web(), &alice).expect_status(303);
    let reply = client.code(two.web(), &code).expect_status(429);
    assert_contains(&reply.body, "Too many wrong codes");
}
