//! The units of the gate's root helper: systemd accepts them, and the helper works within their
//! restrictions.

use crate::gate::unit::{forbids_nothing_of, unit};
use postern_shared::protocol::host_password::{Candidate, HostPasswordReply, HostPasswordRequest};
use postern_shared::system::admission::AdmissionClass;
use std::fs;
use std::process::Command;
use testhost::{Host, PasswordHelper, assert_contains, assert_lacks, finished};

const SERVICE: &str = "/usr/lib/systemd/system/postern-password.service";
const SOCKET: &str = "/usr/lib/systemd/system/postern-password.socket";
const TRACE: &str = "/run/postern-tests/password.strace";

#[test]
#[ignore = "needs the test host: tests/run"]
fn systemd_understands_the_units_of_the_helper() {
    let _host = Host::fresh();
    let mut verify = Command::new("systemd-analyze");
    let printed = verify
        .args(["verify", "--man=no", SOCKET, SERVICE])
        .output()
        .expect("systemd-analyze runs");
    let text = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(
        printed.status.success() && !text.contains("postern"),
        "{text}"
    );
    finished(Command::new("systemd-analyze").args([
        "security",
        "--offline=yes",
        "--threshold=45",
        SERVICE,
    ]));
    assert_eq!(
        unit(SOCKET, "ListenStream"),
        [postern_shared::protocol::host_password::SOCKET]
    );
    assert_eq!(
        (unit(SOCKET, "SocketGroup"), unit(SOCKET, "SocketMode")),
        (vec!["postern".into()], vec!["0660".into()])
    );
}

/// Returns a command that makes the file system read-only, hides home folders, and keeps the unit's
/// capabilities alone.
fn sandbox() -> String {
    let kept: Vec<_> = unit(SERVICE, "CapabilityBoundingSet")
        .iter()
        .map(|name| name.replace("CAP_", "+").to_ascii_lowercase())
        .collect();
    format!(
        "umask {}
        cd / # as systemd starts it; the checkout may lie below /tmp
        findmnt --noheadings --list --output TARGET | grep -v -e ^/proc -e ^/sys -e ^/dev | while read -r path; do
            mountpoint --quiet \"$path\" || continue # it lies below another one
            mount -o remount,bind,ro \"$path\"
        done
        mount -t tmpfs none /tmp
        for home in /root /home; do mount -t tmpfs -o ro none $home; done
        exec setpriv --no-new-privs --bounding-set=-all,{} \"$@\"",
        unit(SERVICE, "UMask")[0],
        kept.join(",")
    )
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_helper_does_without_what_its_unit_forbids() {
    let host = Host::fresh();
    let alice = host.person("alice");
    host.pam(
        "postern-gate",
        "@include common-auth\n@include common-account\n",
    );
    let helper = PasswordHelper::start_through(&[
        "strace",
        "--daemonize",
        "--follow-forks",
        "--quiet=all",
        &format!("--output={TRACE}"),
        "unshare",
        "--mount",
        "bash",
        "-euc",
        &sandbox(),
        "bash",
    ]);
    let asked = |password: &str| {
        let password = Candidate::from_input(password.as_bytes()).expect("a password");
        let name = "alice".parse().expect("a name");
        let question = HostPasswordRequest {
            name,
            address: None,
            class: AdmissionClass::Familiar,
            password,
        };
        PasswordHelper::hears(&question.encode())
            .and_then(|output| HostPasswordReply::decode(&output))
    };
    assert_eq!(
        asked(&alice.password),
        Some(HostPasswordReply::Right),
        "{}",
        helper.log()
    );
    assert_eq!(asked("not the password"), Some(HostPasswordReply::Wrong));
    let status = fs::read_to_string(format!("/proc/{}/status", helper.process())).expect("it runs");
    assert_contains(&status, "NoNewPrivs:\t1");
    assert_lacks(&status, "CapBnd:\t000001ffffffffff");
    assert_lacks(helper.log(), "panicked");
    drop(helper);

    let trace = fs::read_to_string(TRACE).expect("strace wrote it");
    let (_, trace) = trace
        .split_once("execve(\"/usr/libexec/postern-password\"")
        .expect("it was started");
    forbids_nothing_of(SERVICE, trace, &["accept4", "prctl", "setsockopt"]);
}
