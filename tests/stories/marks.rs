//! The mark between `auth` and `account` of one transaction: any posternd of the store opens it, and a revocation ends it.

use crate::guest_process::PAM_HOST;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use testhost::{
    Answer, Host, PamHost, Person, Phone, Posternd, install_previous_module, patiently,
};

/// Made by the service once `auth` has passed, and waited for before `account`.
const REACHED: &str = "/run/postern-between.reached";
const GO_ON: &str = "/run/postern-between.go";

/// A service that waits between `auth` and `account`.
fn between(host: &Host) -> (Person, Phone) {
    let script = "/usr/local/bin/postern-between";
    let text = format!(
        "#!/bin/sh\ntouch {REACHED}\nfor n in $(seq 500); do [ -e {GO_ON} ] && break; sleep 0.02; done\nrm -f {GO_ON}\n"
    );
    fs::write(script, text).expect("the copy of the host can be written");
    fs::set_permissions(script, Permissions::from_mode(0o755)).expect("root may do it");
    let lines = format!(
        "auth required pam_totp.so first_factor=passed\naccount required pam_exec.so quiet {script}\n\
         account required pam_totp.so\n"
    );
    host.pam("between", &lines);
    let alice = host.person("alice");
    let phone = alice.enrols();
    (alice, phone)
}

/// Alice's `auth` passes; then this happens; whether her `account` passes.
#[track_caller]
fn enters(code: &str, meanwhile: impl FnOnce()) -> bool {
    let _ = fs::remove_file(REACHED);
    let mut pam = PamHost::start(PAM_HOST, "between", b"alice", &[]);
    pam.expect("prompt");
    pam.answers(&Answer::from(code));
    patiently("auth has passed", || Ok(fs::exists(REACHED)?.then_some(())));
    meanwhile();
    fs::write(GO_ON, "").expect("/run can be written");
    let ended = pam.ends();
    assert_eq!(ended.number(), Some(0), "{ended:?}");
    ended.entered()
}

/// The daemon is restarted, or goes, or comes, between the two.
#[test]
#[ignore = "needs the test host: tests/run"]
fn whoever_runs_account_opens_what_another_sealed_in_auth() {
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

/// What ends all that an account has open ends a transaction that has not come to `account` yet.
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
    // the same where the module runs it itself
    host.clock.forward(30);
    assert!(!enters(&phone.code(), revoke));
    // ten minutes are enough for the rest of a stack
    host.clock.forward(30);
    assert!(enters(&phone.code(), || host.clock.forward(500)));
    assert!(!enters(&phone.code(), || host.clock.forward(700)));
    host.journal.says("the mark of its auth line has expired");
}

/// A host that forks between the two: the child has the transaction of its parent, and goes on with it; the parent of one
/// whose child has asked knows nothing of that.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_forked_child_goes_on_with_its_parents_mark_and_a_parent_not_with_its_childs() {
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
    host.pam(
        "forks",
        "auth required pam_totp.so first_factor=passed\naccount required pam_totp.so\n",
    );
    let phone = host.person("alice").enrols();
    let logs_in = |tool: &[&str], hook: &str| {
        host.clock.forward(30);
        let mut pam = PamHost::start_under(tool, PAM_HOST, "forks", b"alice", &["--fork", hook]);
        pam.expect("prompt");
        pam.answers(&Answer::from(&*phone.code()));
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
    // the kernel alone says whose child it is
    install_previous_module();
    both("the daemon, by version 1", &[]);
}
