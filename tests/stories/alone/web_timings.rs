//! Two thousand timings at the web, which must not differ between known and unknown names.

use std::collections::HashSet;
use std::time::Instant;
use testhost::{Host, Wire, assert_alike};

/// Wrong passwords for each kind of name. A share of 0.62 of the timings of one kind above those of
/// another is detected.
const ROUNDS: u32 = 500;

/// The attack: text or response time tells which names exist.
#[test]
#[ignore = "needs the test host: tests/run"]
fn unknown_and_known_names_look_and_time_alike() {
    let (host, web) = Host::with_web();
    let (alice, bob, carol) = (
        host.person("alice"),
        host.person("bob"),
        host.person("carol"),
    );
    alice.has_a_password();
    alice.enrols();
    bob.has_a_password();
    carol.enrols();

    let mut wire = Wire::open();
    let mut texts = HashSet::new();
    let kinds = ["alice", "bob", "carol", "nobody"];
    assert_alike(
        kinds,
        ROUNDS,
        // After a day no account is delayed.
        || host.clock.forward(86_401),
        |round, kind| {
            let name = match kinds[kind] {
                "nobody" => format!("nobody-{round}"),
                known => known.to_owned(),
            };
            let address = format!("198.51.{}.{}", round % 250, kind + 1);
            let began = Instant::now();
            let reply = wire.password(&name, "not the password", &address);
            let took = began.elapsed();
            assert_eq!(reply.status, 401, "{reply:?}");
            let headers: Vec<_> = reply
                .headers
                .iter()
                .filter(|(key, _)| key != "date" && key != "content-length")
                .collect();
            texts.insert(format!("{headers:?}{}", reply.body.replace(&name, "NAME")));
            took
        },
    );
    assert_eq!(texts.len(), 1, "{texts:?}");

    // The texts are the same also during a delay and for a name without an account.
    let refused: HashSet<String> = (0..8)
        .flat_map(|round| ["alice", "nobody-here"].map(|name| (round, name)))
        .map(|(round, name)| {
            let reply = wire.password(name, "not the password", &format!("203.0.113.{round}"));
            assert_eq!(reply.status, 401);
            reply.body.replace(name, "NAME")
        })
        .collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    drop(web);
}
