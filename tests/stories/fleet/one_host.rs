//! One host whose store is in PostgreSQL on another machine.

use super::guide;
use testhost::{APP, Fleet, Postern, UnusedCodes, assert_contains, assert_lacks};

/// DESIGN 11: sshd and the gate share one memory of used codes, in PostgreSQL over TLS.
#[test]
#[ignore = "needs the test host: tests/run"]
fn ssh_and_web_share_a_store_in_postgresql() {
    let fleet = Fleet::start();
    let database = guide::database(&fleet, "db");
    let mut one = guide::first_host(&fleet, "one", "db.example.com");
    one.start();
    one.start_web(&fleet);
    let alice = fleet.host.person("alice");
    let phone = one.machine.run(|| {
        alice.has_a_password();
        alice.enrols()
    });
    let mut codes = UnusedCodes::of(phone);

    let (first, second) = (codes.next_code(), codes.next_code());
    one.ssh(&alice).enters_with(&first);
    let client = one.browser();
    client.password(one.web(), &alice).expect_status(303);
    let refused = client.code(one.web(), &first).expect_status(401);
    assert_contains(&refused.body, "used already");
    client.code(one.web(), &second).expect_status(303);
    client.loads(&format!("{APP}/notes")).expect_status(200);
    one.ssh(&alice).is_refused(&second, "used already");

    one.machine
        .run(|| Postern::call("session revoke alice --all").does());
    assert_eq!(client.loads(&format!("{APP}/notes")).status, 302);

    let by_tls = "SELECT bool_and(ssl) || ' ' || min(version) FROM pg_stat_ssl \
                  JOIN pg_stat_activity USING (pid) WHERE usename = 'postern'";
    assert_eq!(database.sql(by_tls), "true TLSv1.3");
    assert_lacks(one.web().gate.log(), "panicked");
    assert_lacks(one.posternd.as_ref().expect("it runs").log(), "panicked");
}
