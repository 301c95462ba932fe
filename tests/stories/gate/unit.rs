//! The gate's unit: systemd accepts it, and the gate works within its restrictions. No systemd runs
//! on the test host, so the gate runs in an equivalent sandbox, and its system calls are compared
//! with the unit's filters.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use testhost::{
    APP, Host, Postern, STORE, Store, WebClient, assert_contains, assert_lacks, finished,
};

const UNIT: &str = "/usr/lib/systemd/system/postern-gate.service";
const TRACE: &str = "/run/postern-tests/gate.strace";

/// Returns the values of a key of a unit.
#[track_caller]
pub(crate) fn unit(unit: &str, key: &str) -> Vec<String> {
    let text = fs::read_to_string(unit).expect("the unit is installed");
    let values = text
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let found: Vec<_> = values
        .flat_map(|value| value.split_whitespace().map(str::to_owned))
        .collect();
    assert!(!found.is_empty(), "{key}");
    found
}

/// Returns the system calls of systemd's filter sets, by the name of the set.
fn sets() -> BTreeMap<String, Vec<String>> {
    let output = finished(Command::new("systemd-analyze").args(["--no-pager", "syscall-filter"]));
    let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut set = String::new();
    for line in output.lines() {
        match line.strip_prefix("    ") {
            Some(entry) if !entry.starts_with('#') => {
                sets.entry(set.clone())
                    .or_default()
                    .push(entry.trim().to_owned());
            }
            None if line.starts_with('@') => line.clone_into(&mut set),
            _ => {}
        }
    }
    sets
}

fn expand(sets: &BTreeMap<String, Vec<String>>, name: &str, into: &mut BTreeSet<String>) {
    match sets.get(name) {
        Some(entries) => entries.iter().for_each(|entry| expand(sets, entry, into)),
        None => {
            into.insert(name.to_owned());
        }
    }
}

/// Script for a file system like the unit's: read-only except for its own folders, empty homes, a
/// private /tmp.
fn sandbox() -> String {
    let writable = unit(UNIT, "ReadWritePaths").join(" ").replace('-', "");
    format!(
        "umask {}
        cd / # as systemd starts it; the checkout may lie below /tmp
        for path in {writable}; do mount --bind $path $path; done
        findmnt --noheadings --list --output TARGET | grep -v -e ^/proc -e ^/sys -e ^/dev | while read -r path; do
            mountpoint --quiet \"$path\" || continue # it lies below another one
            case \" {writable} \" in *\" $path \"*) ;; *) mount -o remount,bind,ro \"$path\" ;; esac
        done
        mount -t tmpfs none /tmp
        for home in /root /home; do mount -t tmpfs -o ro none $home; done
        exec setpriv --no-new-privs \"$@\"",
        unit(UNIT, "UMask")[0]
    )
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn systemd_understands_the_unit() {
    let _host = Host::fresh();
    let mut verify = Command::new("systemd-analyze");
    let printed = verify
        .args(["verify", "--man=no", UNIT])
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
        "--threshold=20",
        UNIT,
    ]));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_gate_does_without_what_its_unit_forbids() {
    let (host, mut web) = Host::with_web();
    let log = format!("{STORE}-wal");
    let (alice, phone) = host.web_user("alice");
    // The last process that closes the store must not remove the write-ahead log: the gate could
    // not create it again.
    web.gate.stop();
    Store::open().is_sound();
    assert!(Path::new(&log).exists(), "closing it last took it away");
    web.gate.restart_through(&[
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
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", web.gate.process()))
        .expect("the gate runs");
    assert_contains(&mounts, " /etc ro,");
    assert_contains(&mounts, " /var/lib/postern rw,");
    let client = WebClient::new();
    assert_eq!(
        client
            .sends_password(&web.pages, "alice", "not the password")
            .status,
        401
    );
    client.signs_in_and_trusts(&web, &alice, &phone.code());
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    assert_eq!(web.application.got().value("Remote-User"), "alice");
    // Root's commands use the same store.
    Postern::call("session revoke alice --all").does();
    assert_eq!(client.loads(&format!("{APP}/")).status, 302);
    assert_lacks(web.gate.log(), "panicked");
    web.gate.stop();

    let trace = fs::read_to_string(TRACE).expect("strace wrote it");
    let (_, trace) = trace
        .split_once("execve(\"/usr/bin/postern-gate\"")
        .expect("the gate was started");
    forbids_nothing_of(UNIT, trace, &["accept4", "fdatasync"]);
}

/// Compares the system calls of a traced process with the unit's filter; the calls in `certain`
/// must occur.
#[track_caller]
pub(crate) fn forbids_nothing_of(path: &str, trace: &str, certain: &[&str]) {
    let sets = sets();
    let mut allowed = BTreeSet::new();
    unit(path, "SystemCallFilter")
        .iter()
        .for_each(|name| expand(&sets, name, &mut allowed));
    assert!(
        allowed.contains("openat") && !allowed.contains("ptrace"),
        "{allowed:?}"
    );
    let calls: BTreeSet<_> = trace
        .lines()
        .filter_map(|line| Some(line.split_once(' ')?.1.trim()))
        .collect();
    let name = |line: &&str| line.split_once('(').map(|(name, _)| name.to_owned());
    let made: BTreeSet<_> = calls
        .iter()
        .filter_map(name)
        .filter(|name| !name.contains(' '))
        .collect();
    assert!(
        certain.iter().all(|name| made.contains(*name)),
        "the trace is of another: {made:?}"
    );
    let forbidden: Vec<_> = made.difference(&allowed).collect();
    assert!(
        forbidden.is_empty(),
        "SystemCallFilter forbids {forbidden:?}"
    );
    let families = unit(path, "RestrictAddressFamilies");
    for call in calls {
        let executable = call.contains("PROT_EXEC");
        assert!(
            !executable || !call.contains("PROT_WRITE"),
            "MemoryDenyWriteExecute forbids {call}"
        );
        assert!(
            !executable || !call.starts_with("mprotect"),
            "MemoryDenyWriteExecute forbids {call}"
        );
        if let Some(arguments) = call.strip_prefix("socket(") {
            assert!(
                families.iter().any(|family| arguments.starts_with(family)),
                "{call}"
            );
        }
        let special = ["S_ISUID", "S_ISGID", "02770", "04755"]
            .iter()
            .any(|mode| call.contains(mode));
        let changes = ["chmod(", "fchmod(", "fchmodat(", "mkdir("]
            .iter()
            .any(|name| call.starts_with(name));
        assert!(!(special && changes), "RestrictSUIDSGID forbids {call}");
    }
}
