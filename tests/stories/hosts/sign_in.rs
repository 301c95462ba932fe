//! A host without a store: sshd there, and servers that decide.

use crate::mail::codes::PLAIN;
use std::fs;
use std::path::Path;
use testhost::{
    CONFIG, FleetServer, Host, KEY, MailServer, Postern, STORE, assert_contains, assert_lacks,
    wait_until,
};

/// Makes the test host one without store and master key, with a posternd.
pub(crate) fn host_without_store() -> Host {
    let host = Host::with_posternd("a host of a fleet has one");
    for path in [CONFIG, KEY, STORE, "/etc/postern/postern.toml.valid"] {
        fs::remove_file(path).expect("the host can be changed");
    }
    host
}

/// Makes the test host one of a fleet with one server.
pub(super) fn joined_host() -> (Host, FleetServer) {
    let host = host_without_store();
    let server = FleetServer::start("one", 7443);
    join(&[&server], "web1");
    (host, server)
}

pub(crate) fn join(servers: &[&FleetServer], name: &str) {
    let urls: Vec<String> = servers.iter().map(|server| server.url()).collect();
    let joined = Postern::call(&format!("host join {}", urls.join(" ")))
        .types(&servers[0].invites(name))
        .does();
    assert_contains(&joined.out, format!("joined as {name}"));
}

/// The whole way: join, sign in with a code that the server verifies, replay refused, the log of the
/// server names the host, and nothing of the store is on the host.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_code_is_verified_by_the_server_and_the_log_names_the_host() {
    let (host, server) = joined_host();
    let alice = host.person("alice");
    let phone = server.enrols("alice");

    alice
        .with_key()
        .is_refused(&phone.wrong(), "That code is wrong");
    alice.with_key().enters_with(&phone.code());
    host.journal
        .says("accepted cause=code address=127.0.0.1 service=sshd user=\"alice\"");
    alice
        .with_password()
        .is_refused(&phone.code(), "That code was used already");
    let log = server.audit_log();
    assert_contains(&log, "127.0.0.1 on web1");
    assert_contains(&log, "host-joined");
    for path in [KEY, STORE] {
        assert!(!Path::new(path).exists(), "{path}");
    }
    let listed = server.call("host list").does().out;
    assert_contains(&listed, "web1");
    // a host has no store
    let refused = Postern::call("status").refuses();
    assert_contains(refused.all(), "this host has no store");
}

/// A user without a second factor signs in as before, where the policy requires none; the groups are
/// those of the host.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_policy_of_the_server_applies_with_the_groups_of_the_host() {
    let (host, server) = joined_host();
    let bob = host.person("bob");
    bob.with_key().enters();
    host.journal
        .says("not needed cause=not-enrolled address=127.0.0.1 service=sshd user=\"bob\"");
    server.configure("[policy]\nrequired = [\"%bob\"]\n");
    let screen = bob.with_key().is_turned_away();
    assert_contains(&screen, "This account needs a second factor and has none");
}

/// A second factor is required of everyone at a group of hosts, and elsewhere only of the enrolled. Also
/// a service file of the guard asks the policy of the host.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_group_of_hosts_can_require_a_second_factor_of_everyone() {
    let (host, server) = joined_host();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = server.enrols("alice");
    let group = |hosts: &str| {
        format!(
            "[policy]\nrequired_hosts = [\"%production\"]\n[host_group]\nproduction = [{hosts}]\n"
        )
    };
    server.configure(&group("\"db1\""));
    bob.with_key().enters();
    assert_contains(
        server.call("check").run().all(),
        "names hosts that have not joined: db1",
    );
    server.configure(&group("\"db1\", \"WEB1\""));
    let screen = bob.with_key().is_turned_away();
    assert_contains(&screen, "This account needs a second factor and has none");
    host.journal
        .says("refused cause=not-enrolled address=127.0.0.1 service=sshd user=\"bob\"");
    alice.with_key().enters_with(&phone.code());
    // a typo is refused, and what was in force stays in force
    server.writes_config("[policy]\nrequired_hosts = [\"%prod\"]\n[host_group]\nproduction = []\n");
    bob.with_key().is_turned_away();
    assert_contains(
        server.call("check").refuses().all(),
        "names the group of hosts \"prod\", which [host_group] does not have",
    );
}

/// Codes by mail at a prompt of a host: only where the policy names the host. Elsewhere the user reads
/// where a code can be had; one that was mailed elsewhere is accepted everywhere.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_prompt_on_a_host_has_a_code_mailed_where_the_policy_says_so() {
    const OFFER: &str = "Type m for a code by mail.";
    let (host, server) = joined_host();
    let mail_server = MailServer::start();
    let alice = host.person("alice");
    server.enrols("alice");
    server.configure(PLAIN);
    server.call("email set alice alice@example.test").does();
    let confirmation = mail_server.got();
    server
        .call("email confirm alice")
        .types(&confirmation.code())
        .does();
    host.clock.forward(60);

    let mut terminal = alice.with_key().connects();
    let screen = terminal.expect("Verification code: ").screen();
    assert_lacks(&screen, OFFER);
    terminal
        .types("m")
        .expect("No code is mailed from this host")
        .expect("Verification code: ");
    mail_server.got_nothing();

    server.configure(&format!("{PLAIN}[policy]\nmail_hosts = [\"web1\"]\n"));
    let mut offered = alice.with_key().connects();
    offered.expect(OFFER).expect("Verification code: ");
    offered
        .types("m")
        .expect("A code is on its way to a•••@example.test")
        .expect("Verification code: ");
    let mail = mail_server.got();
    // at the prompt that had offered none
    terminal.types(&mail.code());
    assert!(terminal.ends().entered());
    host.journal
        .says("accepted cause=mailed-code address=127.0.0.1 service=sshd user=\"alice\"");
    assert_contains(server.audit_log(), "127.0.0.1 on web1");
    offered
        .types(&mail.code())
        .expect("That code was used already");
}

/// The first server is gone, then hangs: the second decides, and the code is used up for both.
#[test]
#[ignore = "needs the test host: tests/run"]
fn another_server_decides_while_one_is_gone_or_hangs() {
    let host = host_without_store();
    let mut first = FleetServer::start("one", 7443);
    let second = FleetServer::beside(&first, "two", 7444);
    join(&[&first, &second], "web1");
    let alice = host.person("alice");
    let phone = first.enrols("alice");
    alice.with_key().enters_with(&phone.code());
    first.crashes();
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    first.restarts();
    first.hangs();
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    first.goes_on();
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
}

/// A server that is killed between its prompt and its result: the user reads what happened, and the next
/// attempt goes to another server at once. The code that was typed did not reach the first one, or is
/// used up for both.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_server_that_ends_in_the_middle_of_a_conversation_is_named_and_another_decides() {
    const ENDED: &str = "The server that was to check your code has ended the connection";
    let host = host_without_store();
    let mut first = FleetServer::start("one", 7443);
    let second = FleetServer::beside(&first, "two", 7444);
    join(&[&first, &second], "web1");
    let alice = host.person("alice");
    let phone = first.enrols("alice");
    alice.with_key().enters_with(&phone.code());

    // killed while the user types
    host.clock.forward(30);
    let mut terminal = alice.with_key().up_to_the_code();
    first.crashes();
    terminal.types(&phone.code());
    let ended = terminal.ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    assert_contains(&ended.transcript, ENDED);
    host.journal
        .says("refused cause=no-server address=127.0.0.1 service=sshd user=\"alice\"");
    // it never left the host, and the other server accepts it
    alice.with_key().enters_with(&phone.code());

    // silent with the code in its hands, and killed then
    first.restarts();
    host.clock.forward(30);
    second.hangs();
    let mut terminal = alice.with_key().up_to_the_code();
    first.hangs();
    second.goes_on();
    terminal.types(&phone.code());
    first.crashes();
    let ended = terminal.ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    assert_contains(&ended.transcript, ENDED);
    // it had verified nothing
    alice.with_key().enters_with(&phone.code());
    assert_lacks(host.posternd().log(), "panicked");
}

/// Without posternd on the host, the module starts `posternd --stdio`, which relays too.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_daemon_on_the_host_the_fallback_relays() {
    let (mut host, server) = joined_host();
    host.posternd = None;
    let alice = host.person("alice");
    let phone = server.enrols("alice");
    alice.with_key().enters_with(&phone.code());
    assert_contains(server.audit_log(), "127.0.0.1 on web1");
}

/// No server: denied, and the user reads why. Never open.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_server_access_is_denied_and_the_user_reads_why() {
    let (host, mut server) = joined_host();
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let phone = server.enrols("alice");
    alice.with_key().enters_with(&phone.code());
    bob.with_key().enters();
    server.crashes();
    for person in [&alice, &bob] {
        let screen = person.with_key().is_turned_away();
        assert_contains(&screen, "No server answers that could check your code");
    }
    host.journal
        .says("refused cause=no-server address=127.0.0.1 service=sshd user=\"alice\"");
    server.restarts();
    server.hangs();
    let screen = alice.with_key().is_turned_away();
    assert_contains(&screen, "No server answers that could check your code");
    server.goes_on();
    host.clock.forward(30);
    alice.with_key().enters_with(&phone.code());
    assert_lacks(host.posternd().log(), "panicked");
}

/// `postern check` looks at the key and the servers of the host, and at no store.
#[test]
#[ignore = "needs the test host: tests/run"]
fn check_looks_at_the_servers_of_the_host() {
    let (_host, mut server) = joined_host();
    let output = Postern::call("check").run();
    assert_contains(&output.out, "https://127.0.0.1:7443 accepts this host");
    assert_lacks(&output.out, "neither a key nor a store");
    server.crashes();
    let output = Postern::call("check").refuses();
    assert_contains(&output.out, "no server accepts this host");
}

/// The certificate is renewed by itself, and outlives the first one.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_certificate_of_a_host_is_renewed() {
    const DAY: u64 = 24 * 3600;
    let (host, server) = joined_host();
    let alice = host.person("alice");
    let phone = server.enrols("alice");
    for times in 1..=3 {
        host.clock.forward(40 * DAY);
        wait_until("the certificate is renewed", || {
            let log = host.posternd().log();
            Ok(log
                .matches("the certificate of this host was renewed")
                .count()
                >= times)
        });
        alice.with_key().enters_with(&phone.code());
    }
}
