//! What a host that holds no secrets promises, shown step by step. tests/fleet prints it.

use super::demonstration::Steps;
use crate::hosts::break_glass::{enters, is_refused, issue};
use crate::hosts::sign_in::{host_without_store, join};
use testhost::{FleetServer, assert_contains};

const TOPOLOGY: &str = r"
    ssh ---> web1: sshd, posternd  ---TLS, both with certificates--->  server: posternd, store
             no store, no key file
";

/// The steps of tests/fleet for a host that joins: a code, a replay, a server that is gone, break-glass
/// codes, a revocation.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_host_that_holds_no_secrets() {
    println!("{TOPOLOGY}");
    let mut steps = Steps::default();
    steps.begin("web1 joins with a one-time code of an administrator.");
    let host = host_without_store();
    let mut server = FleetServer::start("one", 7443);
    join(&[&server], "web1");
    steps.show("Joined: it has a key of its own, and a certificate.");
    let alice = host.person("alice");
    let phone = server.enrols("alice");

    steps.begin("alice signs in at web1, with a code that the server verifies.");
    let code = phone.code();
    alice.with_key().enters_with(&code);
    steps.show("Access is granted.");
    alice
        .with_key()
        .is_refused(&code, "That code was used already");
    steps.show("The same code again: used already.");

    steps.begin("The administrator makes two break-glass codes for web1, and keeps them on paper.");
    let codes = issue(&server, "web1", 2);
    steps.show("web1 has them.");

    steps.begin("The server is gone.");
    server.crashes();
    is_refused(&alice, "000000", "no break-glass code of this host");
    steps.show("Another code: access is denied.");
    enters(&alice, &codes[0]);
    steps.show("A break-glass code: access is granted.");
    is_refused(&alice, &codes[0], "used already");
    steps.show("The same code again: used already.");

    steps.begin("The server is back.");
    server.restarts();
    host.posternd().says("were reported to");
    assert_contains(server.audit_log(), "break-glass at");
    steps.show("Its log says who got in at web1 with a break-glass code, from where and when.");

    steps.begin("web1 is revoked, and the server is gone again.");
    server.call("host revoke web1").does();
    host.posternd().says("its break-glass codes are removed");
    server.crashes();
    alice.with_key().is_turned_away();
    steps.show("web1 has no break-glass code any more: access is denied.");
}
