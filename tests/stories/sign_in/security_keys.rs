//! FIDO security keys at sshd: where the policy lists `publickey-sk`, one that has verified its user
//! is the second factor.

use std::process::Command;
use testhost::{AsksPin, Host, Postern, SecurityKeyType, assert_contains, assert_lacks, finished};

const POLICY: &str =
    "[[policy.exempt]]\nservices = [\"sshd\"]\ncompleted_methods = [\"publickey-sk\"]\n";
const AUTHORITY: &str = "/run/postern-tests/authority-of-security-keys";

/// Returns a host whose policy lists security keys, and whose sshd has them verify their users.
#[track_caller]
fn host_with_security_keys() -> Host {
    let mut host = Host::fresh();
    host.configure(POLICY);
    set_option(&mut host, "PubkeyAuthOptions verify-required");
    host
}

#[track_caller]
fn set_option(host: &mut Host, option: &str) {
    host.change_sshd("UsePAM yes", &format!("UsePAM yes\n{option}"));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_security_key_that_has_verified_its_user_is_the_second_factor() {
    let host = host_with_security_keys();
    let (alice, phone) = host.enrolled_user("alice");
    for kind in [SecurityKeyType::Ed25519, SecurityKeyType::Ecdsa] {
        let key = alice.gets_security_key(kind, AsksPin::Yes);
        let ended = key.connects(&key.ssh()).ends();
        assert!(ended.entered(), "{}", ended.transcript);
        assert_lacks(&ended.transcript, "Verification code");
        let line = host
            .journal
            .says("not needed cause=policy.exempt-1 address=127.0.0.1 service=sshd user=\"alice\"");
        assert_contains(&line, format!("after the security key {}", key.fingerprint));
    }
    alice.with_key().enters_with(&phone.code());
    alice.with_password().enters_with(&phone.code_in(1));
}

/// Where the policy does not list it, a security key is a key as any other.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_security_key_is_a_first_factor_where_the_policy_does_not_list_it() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let key = alice.gets_security_key(SecurityKeyType::Ed25519, AsksPin::No);
    key.ssh().enters_with(&phone.code());
    host.configure("[[policy.exempt]]\ncompleted_methods = [\"publickey\", \"!publickey-sk\"]\n");
    key.ssh().enters_with(&phone.code_in(1));
    alice.with_key().enters();
}

/// A key with the words of a security key in its comment, and a certificate of a security key, whose
/// authority decides what it certifies.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_key_that_only_looks_like_a_security_key_is_none() {
    let mut host = host_with_security_keys();
    let (alice, phone) = host.enrolled_user("alice");
    let (another, _) = alice.gets_another_key();
    let key = alice.gets_security_key(SecurityKeyType::Ed25519, AsksPin::Yes);
    let public = std::fs::read_to_string(format!("{another}.pub")).expect("ssh-keygen wrote it");
    let mut words = public.split_whitespace();
    let (kind, blob) = (words.next().expect("a type"), words.next().expect("a key"));
    let comment = "sk-ssh-ed25519@openssh.com publickey-sk";
    let home = "/home/alice/.ssh/authorized_keys";
    let before = std::fs::read(home).expect("a home can be read");
    let only = format!("{kind} {blob} {comment}\n");
    std::fs::write(home, only).expect("a home can be written");
    alice.with_key().key(&another).enters_with(&phone.code());
    host.journal.says("accepted cause=code");

    finished(Command::new("rm").args(["-f", AUTHORITY, &format!("{AUTHORITY}.pub")]));
    finished(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", AUTHORITY]));
    let public = format!("{}.pub", key.path);
    let names = ["-I", "alice", "-n", "alice"];
    finished(
        Command::new("ssh-keygen")
            .args(["-q", "-s", AUTHORITY])
            .args(names)
            .arg(public),
    );
    set_option(&mut host, &format!("TrustedUserCAKeys {AUTHORITY}.pub"));
    std::fs::write(home, "").expect("a home can be written");
    let certificate = format!("{}-cert.pub", key.path);
    let mut terminal = key.connects(&key.ssh().option(&format!("CertificateFile={certificate}")));
    terminal
        .expect("Verification code: ")
        .types(&phone.code_in(1));
    let ended = terminal.ends();
    assert!(ended.entered(), "{}", ended.transcript);
    host.journal.says("accepted cause=code");
    // Other stories use the same key, and ssh would try this first.
    std::fs::remove_file(certificate).expect("the tests' folder can be written");
    std::fs::write(home, before).expect("a home can be written");
}

/// sshd refuses the signature itself: the module is not asked.
#[test]
#[ignore = "needs the test host: tests/run"]
fn sshd_refuses_a_security_key_that_has_not_verified_its_user() {
    let host = host_with_security_keys();
    let (alice, _) = host.enrolled_user("alice");
    let only = "PreferredAuthentications=publickey";
    for kind in [SecurityKeyType::Ed25519, SecurityKeyType::Ecdsa] {
        let key = alice.gets_security_key(kind, AsksPin::No);
        let screen = key.ssh().option(only).is_turned_away();
        assert_contains(&screen, "Permission denied (publickey");
        host.journal.says("user verification requirement not met");
    }
    let key = alice.gets_security_key(SecurityKeyType::Ed25519, AsksPin::Yes);
    let ended = key.connects(&key.ssh_untouched().option(only)).ends();
    assert!(!ended.entered(), "{}", ended.transcript);
    host.journal
        .says("user presence (authenticator touch) requirement not met");
    assert_lacks(host.journal.rest(), "pam_totp(sshd:auth): not needed");
}

/// Without `verify-required` anyone who holds the key is in: `postern check` says so, and who is
/// concerned.
#[test]
#[ignore = "needs the test host: tests/run"]
fn check_demands_that_security_keys_verify_their_users() {
    let mut host = Host::fresh();
    let (alice, _) = host.enrolled_user("alice");
    let found = |words: &str| {
        let said = Postern::call("check").run().out;
        let lines = said.lines().filter(|line| line.contains(words));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(found("security key"), Vec::<String>::new());
    host.configure(POLICY);
    let key = alice.gets_security_key(SecurityKeyType::Ed25519, AsksPin::No);
    key.ssh().enters();
    let lines = found("security key");
    assert_eq!(lines.len(), 1, "{lines:?}");
    for words in [
        "fault",
        "policy.exempt-1 asks for no code after a security key",
        "set PubkeyAuthOptions verify-required",
    ] {
        assert_contains(&lines[0], words);
    }
    set_option(&mut host, "PubkeyAuthOptions verify-required");
    assert_contains(&found("security key")[0], "ok");
    key.ssh()
        .option("PreferredAuthentications=publickey")
        .is_turned_away();
    set_option(
        &mut host,
        "Match User alice\nPubkeyAuthOptions none\nMatch all",
    );
    let lines = found("security key");
    assert_contains(&lines[0], "fault");
    assert_contains(
        &lines[0],
        "turns its verification of the user off for alice",
    );
    key.ssh().enters();
}
