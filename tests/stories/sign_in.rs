//! Signing in by ssh: the first factor, then the code.

use testhost::{Host, Postern};

/// L4
#[test]
#[ignore = "needs the test host: tests/run"]
fn key_then_code() {
    let host = Host::fresh();
    let alice = host.person("alice");
    let phone = alice.enrols();

    alice.with_key().enters_with(&phone.code());
    host.journal.says("accepted cause=code address=127.0.0.1 service=sshd user=\"alice\"");
    alice.with_password().enters_with(&phone.code_in(1));
    host.journal.says("accepted cause=code address=127.0.0.1 service=sshd user=\"alice\"");
    let _ = Postern::call("status");
}
