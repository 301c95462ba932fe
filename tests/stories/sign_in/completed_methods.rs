//! Rules that require the code depending on the methods completed before.

use std::process::Command;
use testhost::{Host, Postern, finished};

const METHODS: &str =
    "AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam";

#[track_caller]
fn exempts_after(host: &Host, after: &str) {
    host.configure(&format!(
        "[[policy.exempt]]\nservices = [\"sshd\"]\ncompleted_methods = {after}\n"
    ));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_rule_asks_only_after_a_password_or_only_after_a_key() {
    let host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");

    exempts_after(&host, "[\"publickey\"]");
    alice.with_key().enters();
    host.journal.says(
        "pam_totp(sshd:auth): not needed cause=policy.exempt-1 address=127.0.0.1 service=sshd",
    );
    alice.with_password().enters_with(&phone.code());
    host.journal
        .says("pam_totp(sshd:auth): accepted cause=code");

    exempts_after(&host, "[\"password\"]");
    alice.with_password().enters();
    host.journal.says("not needed cause=policy.exempt-1");
    alice.with_key().enters_with(&phone.code_in(1));
    alice.with_password().password("wrong").is_turned_away();
}

#[test]
#[ignore = "needs the test host: tests/run"]
pub(crate) fn a_rule_asks_after_certain_keys() {
    let mut host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let (another, of_another) = alice.gets_another_key();
    let first = alice.fingerprint();

    exempts_after(&host, &format!("[\"publickey\", \"!{of_another}\"]"));
    alice.with_key().enters();
    alice.with_key().key(&another).enters_with(&phone.code());
    exempts_after(&host, &format!("[\"{of_another}\"]"));
    alice.with_key().key(&another).enters();
    alice.with_key().enters_with(&phone.code_in(1));

    // A certificate never counts as a listed key. Its key may be an excluded one, so a rule that
    // excludes a key requires the code.
    let authority = "/run/postern-tests/authority";
    finished(Command::new("rm").args(["-f", authority, &format!("{authority}.pub")]));
    finished(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", authority]));
    finished(Command::new("ssh-keygen").args([
        "-q",
        "-s",
        authority,
        "-I",
        "alice",
        "-n",
        "alice",
        &format!("{another}.pub"),
    ]));
    host.change_sshd(
        "UsePAM yes",
        &format!("UsePAM yes\nTrustedUserCAKeys {authority}.pub"),
    );
    let certified = || {
        alice
            .with_key()
            .key(&another)
            .option(&format!("CertificateFile={another}-cert.pub"))
    };
    host.clock.forward(60);
    certified().enters_with(&phone.code());
    exempts_after(&host, &format!("[\"publickey\", \"!{first}\"]"));
    certified().enters_with(&phone.code_in(1));
    exempts_after(&host, "[\"publickey\"]");
    certified().enters();
    host.journal.says("not needed cause=policy.exempt-1");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn of_two_keys_both_must_be_listed() {
    let mut host = Host::fresh();
    let (alice, phone) = host.enrolled_user("alice");
    let (another, of_another) = alice.gets_another_key();
    let first = alice.fingerprint();
    host.change_sshd(
        METHODS,
        "AuthenticationMethods publickey,publickey,keyboard-interactive:pam",
    );
    let both = || alice.with_key().option(&format!("IdentityFile={another}"));

    exempts_after(&host, &format!("[\"{first}\"]"));
    both().enters_with(&phone.code());
    exempts_after(&host, &format!("[\"{first}\", \"{of_another}\"]"));
    both().enters();
}

/// sshd does not tell the guard about a key that suffices alone.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_guard_knows_of_no_key_that_suffices_alone() {
    let mut host = Host::fresh();
    let alice = host.person("alice");
    alice.enrols();
    host.change_sshd("AuthenticationMethods", "#AuthenticationMethods");
    exempts_after(&host, "[\"publickey\", \"password\"]");
    alice.with_key().is_turned_away();
    host.journal
        .says("pam_totp(sshd:account): refused cause=not-verified");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn what_no_factor_can_be_is_refused_by_line_and_key() {
    let host = Host::fresh();
    for after in ["[\"pubkey\"]", "[\"!publickey\"]", "[\"SHA256:abc\"]"] {
        host.write_configuration(&format!(
            "# one\n[[policy.exempt]]\ncompleted_methods = {after}\n"
        ));
        let refused = Postern::call("status").refuses();
        assert!(
            refused
                .err
                .contains("postern.toml:3: policy.exempt.completed_methods: must"),
            "{after}: {}",
            refused.err
        );
    }
}

/// sshd passes the completed methods to PAM's own conversation only, and not where it verifies a
/// password by itself.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_key_before_sshds_own_password_is_no_password_alone() {
    let mut host = Host::fresh();
    let alice = host.person("alice");
    alice.enrols();
    let first = alice.fingerprint();
    host.change_sshd("PasswordAuthentication no", "PasswordAuthentication yes");
    host.change_sshd(METHODS, "AuthenticationMethods publickey,password");
    exempts_after(
        &host,
        &format!("[\"publickey\", \"password\", \"!{first}\"]"),
    );
    let mut terminal = alice
        .with_key()
        .option("PreferredAuthentications=publickey,password")
        .connects();
    terminal.expect("password: ").types(&alice.password);
    let ended = terminal.ends();
    assert!(!ended.entered(), "{}", ended.transcript);
}
