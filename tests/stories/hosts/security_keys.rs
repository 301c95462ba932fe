//! Real FIDO security keys at a host: with servers as their policy says, and while no server answers.

use super::break_glass::{enters, issue};
use super::sign_in::joined_host;
use testhost::{AsksPin, SecurityKeyType, assert_contains, patiently};

/// With `sk_keys_without_server` a security key enters while no server answers, and a code is asked
/// for while one does; the server hears of it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_security_key_enters_while_no_server_answers_where_the_policy_says_so() {
    let (mut host, mut server) = joined_host();
    host.change_sshd(
        "UsePAM yes",
        "UsePAM yes\nPubkeyAuthOptions verify-required",
    );
    let alice = host.person("alice");
    let phone = server.enrols("alice");
    let key = alice.gets_security_key(SecurityKeyType::Ed25519, AsksPin::Yes);
    let other = alice.gets_security_key(SecurityKeyType::Ecdsa, AsksPin::Yes);
    server.crashes();
    // the policy does not say so
    let ended = key.connects(&key.ssh()).ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    assert_contains(&ended.transcript, "No server answers");

    server.restarts();
    server.configure("[policy]\nsk_keys_without_server = [\"web1\"]\n");
    server.restarts();
    let mut terminal = key.connects(&key.ssh());
    terminal.expect("Verification code: ").types(&phone.code());
    let ended = terminal.ends();
    assert!(ended.entered(), "{}", ended.transcript);

    // the host hears of the policy with its codes
    let codes = issue(&server, "web1", 1);
    server.crashes();
    let ended = key.connects(&key.ssh()).ends();
    assert!(ended.entered(), "{}", ended.transcript);
    let line = host.journal.says("accepted cause=sk-key address=127.0.0.1");
    assert_contains(&line, &key.fingerprint);
    let ended = other.connects(&other.ssh()).ends();
    assert!(ended.entered(), "{}", ended.transcript);
    let line = host.journal.says("accepted cause=sk-key address=127.0.0.1");
    assert_contains(&line, &other.fingerprint);

    // neither another key, nor this one without its user
    let mut terminal = alice.with_key().connects();
    terminal.expect("Break-glass code");
    terminal.closes();
    let untouched = key.ssh_untouched();
    let untouched = untouched.option("PreferredAuthentications=publickey");
    let ended = key.connects(&untouched).ends();
    assert!(!ended.entered(), "{}", ended.transcript);

    enters(&alice, &codes[0]);

    server.restarts();
    patiently("the server was told", || {
        let log = server.audit_log();
        Ok((log.contains(&key.fingerprint) && log.contains(&other.fingerprint)).then_some(()))
    });
}

/// The policy of the server lists security keys for this host: no code is asked for.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_security_key_is_the_second_factor_at_a_host_that_the_policy_names() {
    let (host, mut server) = joined_host();
    let alice = host.person("alice");
    let phone = server.enrols("alice");
    let key = alice.gets_security_key(SecurityKeyType::Ecdsa, AsksPin::No);
    let exempt = |name: &str| {
        format!("[[policy.exempt]]\ncompleted_methods = [\"publickey-sk\"]\nhosts = [\"{name}\"]\n")
    };
    server.configure(&exempt("web2"));
    server.restarts();
    key.ssh().enters_with(&phone.code());
    server.configure(&exempt("web1"));
    server.restarts();
    key.ssh().enters();
    let line = host.journal.says("not needed cause=policy.exempt-1");
    assert_contains(&line, &key.fingerprint);
    alice.with_key().enters_with(&phone.code_in(1));
}
