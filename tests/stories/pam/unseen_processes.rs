//! PAM hosts whose process posternd cannot see: in another PID namespace, as in a container, or
//! behind a /proc with `hidepid`. If the module names the transaction, users are granted access. If
//! no process can be identified, no completed authentication of an earlier hook counts.

use crate::pam::process::PAM_HOST;
use testhost::{
    HOST_SOCKET, Host, PamEnded, PamHost, Phone, Posternd, assert_contains, assert_lacks,
    install_previous_module, patiently,
};

/// Starts posternd in a PID namespace of its own, where all other processes have number 0.
const BESIDE: &[&str] = &[
    "unshare",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "env",
    "LISTEN_PID=1",
];
/// Starts posternd with a /proc that hides other users' processes; `HIDING_FROM_OTHERS` lets its
/// group see them, as the manual recommends.
const HIDING: &[&str] = &[
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"",
    "sh",
];
const HIDING_FROM_OTHERS: &[&str] = &[
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount -t proc -o hidepid=2,gid=$(getent group postern | cut -d: -f3) proc /proc && exec \"$@\"",
    "sh",
];
const WARNING: &str = "posternd: /proc hides the processes of others";

#[track_caller]
fn host() -> (Host, Phone) {
    let host = Host::without_posternd();
    host.requires_totp("guest", "first_factor=passed");
    let phone = host.person("alice").enrols();
    (host, phone)
}

/// Signs in with a new code through a PAM host that `tool` starts, and runs `meanwhile` between
/// `auth` and `account`.
#[track_caller]
fn logs_in(host: &Host, phone: &Phone, tool: &[&str], meanwhile: impl FnOnce()) -> PamEnded {
    host.clock.forward(30);
    let mut pam = PamHost::start_under(tool, PAM_HOST, "guest", b"alice", &["--pause"]);
    pam.expect("pause");
    pam.continues();
    pam.expect("prompt");
    pam.types(&phone.code());
    pam.expect("pause");
    meanwhile();
    pam.continues();
    pam.ends()
}

#[track_caller]
fn enters(host: &Host, phone: &Phone) {
    let ended = logs_in(host, phone, &[], || ());
    assert!(ended.entered(), "{ended:?}\n{}", host.journal.rest());
}

/// Checks that `auth` succeeds with the code and that `account` denies access, since the policy
/// requires a code that it does not know of.
#[track_caller]
fn is_denied_in_account(host: &Host, ended: &PamEnded, remedy: &str) {
    assert_eq!(
        (ended.number(), ended.all("account")),
        (Some(0), vec![&6.into()]),
        "{ended:?}"
    );
    let line = host
        .journal
        .says("warning cause=process-unidentified address=- service=guest user=\"alice\": ");
    assert_contains(&line, remedy);
    host.journal.says(
        "refused cause=not-verified address=- service=guest user=\"alice\": a mark of its auth line",
    );
}

/// An example is a container's sshd with a bind-mounted socket.
#[test]
#[ignore = "needs the test host: tests/run"]
fn beyond_the_pid_namespace_the_module_names_the_transaction() {
    let (host, phone) = host();
    let posternd = Posternd::start_under(BESIDE);
    enters(&host, &phone);
    install_previous_module();
    let ended = logs_in(&host, &phone, &[], || ());
    is_denied_in_account(&host, &ended, "runs outside posternd's PID namespace");
    assert_eq!(posternd.log(), "");
}

/// The daemon and `--stdio` see different process IDs of the same host.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_container_may_begin_with_the_daemon_and_end_with_its_own_fallback() {
    let (host, phone) = host();
    let posternd = Posternd::start();
    let container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let ended = logs_in(&host, &phone, &container, || drop(posternd));
    assert!(ended.entered(), "{ended:?}\n{}", host.journal.rest());
}

/// `--stdio` reads /proc while it is root, from which /proc hides nothing.
#[test]
#[ignore = "needs the test host: tests/run"]
fn where_proc_hides_others_the_fallback_sees_its_host() {
    let (host, phone) = host();
    install_previous_module();
    let ended = logs_in(&host, &phone, HIDING, || ());
    assert!(ended.entered(), "{ended:?}\n{}", host.journal.rest());
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn where_proc_hides_others_posternd_says_so_and_the_module_names_the_transaction() {
    let (host, phone) = host();
    let posternd = Posternd::start_under(HIDING);
    posternd.says(WARNING);
    enters(&host, &phone);

    // The transaction that a user's own host names is not trusted.
    let tool = [
        "env",
        "-u",
        "LD_PRELOAD",
        "setpriv",
        "--reuid",
        "alice",
        "--clear-groups",
    ];
    let ended = logs_in(&host, &phone, &tool, || ());
    assert_eq!(
        (ended.number(), ended.all("account")),
        (Some(0), vec![&6.into()]),
        "{ended:?}"
    );
    let line = posternd.says("warning cause=process-unidentified");
    assert_contains(&line, "mount /proc with gid=postern");
    posternd.says("pam_totp(guest:account): refused cause=not-verified");

    install_previous_module();
    let ended = logs_in(&host, &phone, &[], || ());
    is_denied_in_account(&host, &ended, "mount /proc with gid=postern");

    // The remedy in the log line solves the problem.
    drop(posternd);
    let posternd = Posternd::start_under(HIDING_FROM_OTHERS);
    patiently("it serves", || {
        std::os::unix::net::UnixStream::connect(HOST_SOCKET).map(Some)
    });
    enters(&host, &phone);
    let ended = logs_in(&host, &phone, &tool, || ());
    assert!(ended.entered(), "{ended:?}\n{}", posternd.log());
    assert_lacks(posternd.log(), WARNING);
}
