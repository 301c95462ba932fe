//! PAM hosts whose process posternd cannot see: beyond its PID namespace, as in a container, and behind a /proc that hides the
//! processes of others. Where the module names the transaction people enter; where nothing tells the process, no mark counts.

use crate::guest_process::PAM_HOST;
use testhost::{
    Answer, HOST_SOCKET, Host, PamEnded, PamHost, Phone, Posternd, install_previous_module,
    patiently,
};

/// posternd in a PID namespace of its own, to which everyone else has number 0.
const BESIDE: &[&str] = &[
    "unshare",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "env",
    "LISTEN_PID=1",
];
/// posternd with a /proc that hides others; and where its group sees them, as its manual says.
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
    host.pam(
        "guest",
        "auth required pam_totp.so first_factor=passed\naccount required pam_totp.so\n",
    );
    let phone = host.person("alice").enrols();
    (host, phone)
}

/// A login with a new code, by a host that a command starts; `meanwhile` is done between its two hooks.
#[track_caller]
fn logs_in(host: &Host, phone: &Phone, tool: &[&str], meanwhile: impl FnOnce()) -> PamEnded {
    host.clock.forward(30);
    let mut pam = PamHost::start_under(tool, PAM_HOST, "guest", b"alice", &["--pause"]);
    pam.expect("pause");
    pam.goes_on();
    pam.expect("prompt");
    pam.answers(&Answer::from(&*phone.code()));
    pam.expect("pause");
    meanwhile();
    pam.goes_on();
    pam.ends()
}

#[track_caller]
fn enters(host: &Host, phone: &Phone) {
    let ended = logs_in(host, phone, &[], || ());
    assert!(ended.entered(), "{ended:?}\n{}", host.journal.rest());
}

/// `auth` passes by the code, and `account` asks the policy, which wants one.
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
    assert!(line.contains(remedy), "{line}");
    host.journal.says(
        "refused cause=not-verified address=- service=guest user=\"alice\": a mark of its auth line",
    );
}

/// A container's sshd at a socket that is bind-mounted, and the like.
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

/// The daemon and `--stdio` know the host by different numbers.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_container_may_begin_with_the_daemon_and_end_with_its_own_fallback() {
    let (host, phone) = host();
    let posternd = Posternd::start();
    let container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let ended = logs_in(&host, &phone, &container, || drop(posternd));
    assert!(ended.entered(), "{ended:?}\n{}", host.journal.rest());
}

/// `--stdio` looks while it is root, whom /proc hides nothing from.
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

    // of a user's host nobody believes a name
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
    assert!(line.contains("mount /proc with gid=postern"), "{line}");
    posternd.says("pam_totp(guest:account): refused cause=not-verified");

    install_previous_module();
    let ended = logs_in(&host, &phone, &[], || ());
    is_denied_in_account(&host, &ended, "mount /proc with gid=postern");

    // as the line says
    drop(posternd);
    let posternd = Posternd::start_under(HIDING_FROM_OTHERS);
    patiently("it serves", || {
        std::os::unix::net::UnixStream::connect(HOST_SOCKET).map(Some)
    });
    enters(&host, &phone);
    let ended = logs_in(&host, &phone, &tool, || ());
    assert!(ended.entered(), "{ended:?}\n{}", posternd.log());
    assert!(!posternd.log().contains(WARNING), "{}", posternd.log());
}
