//! Exemptions that depend on the completed methods.

use super::*;

const KEY: &str =
    "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KP\n";
const BOTH: &str = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEp/obPU6ZIlYCHB8fiCNRIHMT7V/OqFgzRmspboa4KP\npassword\n";
const PRINT: &str = "SHA256:Gf/CoChim98JfgmP7qqTdSiy4vqvCKXAcZ/T5s6Rdzw";

fn home(after: &str) -> Home {
    Home::new(&format!("[[policy.exempt]]\ncompleted_methods = {after}"))
}

fn sshd(said: &'static str) -> Fake {
    Fake::at("sshd", "alice").with_variable("SSH_AUTH_INFO_0", said)
}

/// Returns whether the hook prompts alice.
#[track_caller]
fn asks(home: &Home, host: &Fake, words: &str) -> bool {
    match home.auth(host, words) {
        NotNeeded => {
            host.assert_logged("not needed cause=policy.exempt-1");
            assert!(host.prompts.borrow().is_empty());
            assert_eq!(home.account(host, ""), Passed);
            false
        }
        // nothing is typed
        Denied(Conversation) => true,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rule_can_require_a_code_only_after_a_password() {
    let home = home("[\"publickey\"]");
    assert!(!asks(&home, &sshd(KEY), AFTER_FIRST));
    assert!(!asks(&home, &sshd(KEY), ""));
    assert!(asks(&home, &sshd(""), AFTER_FIRST));
    assert!(asks(&home, &sshd("password\n"), AFTER_FIRST));
    assert!(asks(&home, &sshd(BOTH), AFTER_FIRST));
}

#[test]
fn a_rule_can_require_a_code_only_after_a_key() {
    let home = home("[\"password\"]");
    assert!(asks(&home, &sshd(KEY), AFTER_FIRST));
    assert!(!asks(&home, &sshd(""), AFTER_FIRST));
    assert!(!asks(&home, &sshd("password\n"), ""));
    assert!(asks(&home, &sshd(BOTH), ""));
    assert!(!asks(
        &home,
        &Fake::at("sudo", "alice").run_by("alice"),
        AFTER_FIRST
    ));
    // sshd's own password method states nothing, not even a key before it
    assert!(asks(&home, &Fake::at("sshd", "alice"), AFTER_FIRST));
}

#[test]
fn a_rule_can_name_keys() {
    let that_one = home(&format!("[\"{PRINT}\"]"));
    assert!(!asks(&that_one, &sshd(KEY), ""));
    assert!(asks(
        &that_one,
        &sshd("publickey ssh-ed25519-cert-v01@openssh.com AAAA\n"),
        ""
    ));
    let all_but_that_one = home(&format!("[\"publickey\", \"!{PRINT}\"]"));
    assert!(asks(&all_but_that_one, &sshd(KEY), ""));
    assert!(asks(
        &all_but_that_one,
        &sshd("publickey ssh-ed25519-cert-v01@openssh.com AAAA\n"),
        ""
    ));
}

/// Users choose the variables of any other host.
#[test]
fn only_an_sshd_is_trusted() {
    let home = home("[\"publickey\"]");
    let other = Fake::at("sudo", "alice").with_variable("SSH_AUTH_INFO_0", KEY);
    assert!(asks(&home, &other, AFTER_FIRST));
}

#[test]
fn before_the_first_factor_every_user_is_prompted() {
    let home = home("[\"publickey\", \"password\"]");
    assert!(asks(&home, &sshd(""), ""));
    let host = sshd("").who_types(&[&home.code(0)]);
    assert_eq!(home.auth(&host, ""), Passed);
}

/// `first_factor` in postern.toml describes the `auth` hook: where that hook was skipped it proves
/// nothing.
#[test]
fn the_account_hook_trusts_sshd_alone() {
    let home = Home::new(
        "[pam]\nfirst_factor = \"passed\"\n[[policy.exempt]]\ncompleted_methods = [\"password\"]",
    );
    assert_eq!(home.account(&sshd(""), AFTER_FIRST), Denied(NotAsked));
    assert_eq!(home.account(&sshd(KEY), ""), Denied(NotAsked));
    assert_eq!(home.account(&sshd("password\n"), ""), Passed);
}

#[test]
fn debug_logs_the_completed_methods() {
    let host = sshd(BOTH);
    home("[\"password\"]").auth(&host, "debug");
    let line = format!("completed_methods=publickey/{PRINT},password");
    host.assert_logged(&line);
}

/// A user who knows the account's name, or its password, types wrong codes elsewhere: the owner, whose
/// key sshd has verified, is at an address that was never seen, and is not made to wait.
#[test]
fn a_verified_key_is_not_delayed_by_unauthenticated_clients() {
    let home = Home::new("");
    let from = |address: &'static str, said| sshd(said).with_variable("SSH_CONNECTION", address);
    for _ in 0..2 {
        let stranger = from("198.51.100.7 1 192.0.2.1 22", "password\n").who_types(&["000000"; 3]);
        assert!(matches!(home.auth(&stranger, AFTER_FIRST), Denied(_)));
    }
    let delayed = from("203.0.113.9 1 192.0.2.1 22", "password\n").who_types(&["000000"]);
    home.auth(&delayed, AFTER_FIRST);
    delayed.assert_logged("cause=delayed-");
    for (said, offset) in [
        (KEY, 0),
        ("publickey ssh-ed25519-cert-v01@openssh.com AAAA\n", 1),
    ] {
        let owner = from("203.0.113.9 1 192.0.2.1 22", said).who_types(&[&home.code(offset)]);
        home.expect_auth(&owner, AFTER_FIRST, Passed);
    }
}

/// At the console no address is known, and neither is any of sshd's where a client hides it.
#[test]
fn unauthenticated_clients_without_an_address_do_not_delay_the_console() {
    let home = Home::new("");
    for _ in 0..2 {
        let stranger = sshd("password\n").who_types(&["000000"; 3]);
        assert!(matches!(home.auth(&stranger, AFTER_FIRST), Denied(_)));
    }
    let console = || Fake::at("login", "alice").with(PamItem::Terminal, "/dev/tty1");
    let owner = console().who_types(&[&home.code(0)]);
    home.expect_auth(&owner, AFTER_FIRST, Passed);
}
