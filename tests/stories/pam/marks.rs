//! The mark that `auth` leaves for `account` of the same transaction. Every posternd of the store
//! accepts it, and a revocation makes it invalid.

use crate::pam::process::PAM_HOST;
use std::fs::{self};
use testhost::{
    Host, PamHost, Person, Phone, Posternd, install_previous_module, set_mode, wait_until,
};

/// The service makes the first file once `auth` has passed, and waits for the second before
/// `account`.
const REACHED: &str = "/run/postern-between.reached";
const GO_ON: &str = "/run/postern-between.go";

/// Installs a service that waits between `auth` and `account`, and enrolls alice.
fn between(host: &Host) -> (Person, Phone) {
    let script = "/usr/local/bin/postern-between";
    let text = format!(
        "#!/bin/sh\ntouch {REACHED}\nfor n in $(seq 500); do [ -e {GO_ON} ] && break; sleep 0.02; done\nrm -f {GO_ON}\n"
    );
    fs::write(script, text).expect("the copy of the host can be written");
    set_mode(script, 0o755);
    let lines = format!(
        "auth required pam_totp.so first_factor=passed\naccount required pam_exec.so quiet {script}\n\
         account required pam_totp.so\n"
    );
    host.pam("between", &lines);
    let (alice, phone) = host.enrolled_user("alice");
    (alice, phone)
}

/// Passes `auth` as alice, runs `meanwhile`, and returns whether `account` passes.
#[track_caller]
fn enters(code: &str, meanwhile: impl FnOnce()) -> bool {
    let _ = fs::remove_file(REACHED);
    let mut pam = PamHost::start(PAM_HOST, "between", b"alice", &[]);
    pam.expect("prompt");
    pam.types(code);
    wait_until("auth has passed", || fs::exists(REACHED));
    meanwhile();
    fs::write(GO_ON, "").expect("/run can be written");
    let ended = pam.ends();
    assert_eq!(ended.number(), Some(0), "{ended:?}");
    ended.entered()
}

/// The fault: the daemon is restarted, stopped or started between `auth` and `account`.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_user_who_runs_account_opens_what_another_sealed_in_auth() {
    let host = Host::without_posternd();
    let (_alice, phone) = between(&host);
    let mut posternd = Posternd::start();
    assert!(enters(&phone.code(), || posternd.restart()), "restarted");
    host.clock.forward(30);
    assert!(enters(&phone.code(), || drop(posternd)), "gone");
    host.clock.forward(30);
    let mut later = None;
    assert!(
        enters(&phone.code(), || later = Some(Posternd::start())),
        "come"
    );
    assert_eq!(later.expect("it runs").log(), "");
}

/// The attack: a thief has passed `auth` when the owner revokes everything. `account` must fail.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_revocation_after_auth_ends_the_transaction() {
    let host = Host::without_posternd();
    let (alice, phone) = between(&host);
    let posternd = Posternd::start();
    let revoke = || alice.has_a_password();
    assert!(!enters(&phone.code(), revoke));
    host.journal.says(
        "pam_totp(between:account): refused cause=not-verified address=- service=between user=\"alice\": \
         what its auth line accepted has been revoked",
    );
    drop(posternd);
    // The same without a daemon.
    host.clock.forward(30);
    assert!(!enters(&phone.code(), revoke));
    // The mark is valid for ten minutes, which is enough for the rest of a stack.
    host.clock.forward(30);
    assert!(enters(&phone.code(), || host.clock.forward(500)));
    assert!(!enters(&phone.code(), || host.clock.forward(700)));
    host.journal.says("the mark of its auth line has expired");
}

/// A host forks between `auth` and `account`. The child continues its parent's transaction. A
/// parent whose child passed `auth` has no mark.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_forked_child_continues_with_its_parents_mark_and_a_parent_not_with_its_childs() {
    const USERS: &[&str] = &[
        "env",
        "-u",
        "LD_PRELOAD",
        "setpriv",
        "--reuid",
        "alice",
        "--clear-groups",
    ];
    let host = Host::without_posternd();
    host.requires_totp("forks", "first_factor=passed");
    let phone = host.person("alice").enrols();
    let logs_in = |tool: &[&str], hook: &str| {
        host.clock.forward(30);
        let mut pam = PamHost::start_under(tool, PAM_HOST, "forks", b"alice", &["--fork", hook]);
        pam.expect("prompt");
        pam.types(&phone.code());
        pam.ends()
    };
    let both = |who: &str, tool: &[&str]| {
        let ended = logs_in(tool, "account");
        assert!(ended.entered(), "{who}: {ended:?}\n{}", host.journal.rest());
        let ended = logs_in(tool, "authenticate");
        assert_eq!(
            (ended.number(), ended.all("account")),
            (Some(0), vec![&6.into()]),
            "{who}: {ended:?}"
        );
    };
    both("--stdio", &[]);
    host.journal
        .says("service=forks user=\"alice\": no code was asked for");
    let posternd = Posternd::start();
    both("the daemon", &[]);
    host.journal
        .says("service=forks user=\"alice\": no code was asked for");
    both("a user's", USERS);
    posternd.says("service=forks user=\"alice\": no code was asked for");
    // With version 1 of the protocol only the kernel tells which process is a child of which.
    install_previous_module();
    both("the daemon, by version 1", &[]);
}
