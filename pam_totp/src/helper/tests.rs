//! The helper under every condition that a user can set for a PAM host. Each host is this test
//! program again, as a process of its own (`hostile_host`), which starts the helper and writes its
//! observations to a file.
//!
//! The tests need root, as the helper does; for another user they verify that it is refused.
#![allow(unsafe_code)]

mod hostile_host;

use super::*;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const CASE: &str = "POSTERN_HELPER_CASE";
const RESULT: &str = "POSTERN_HELPER_RESULT";
const NOBODY: libc::uid_t = 65534;

/// Prints what a program inherits, then echoes until its input ends. (Its own status it reads
/// itself: while the shell waits for another program it blocks signals.)
const FACTS: &str = "
    echo env $(tr '\\0' ' ' < /proc/$$/environ)
    echo cwd $(pwd) umask $(umask)
    find /proc/$$/fd -mindepth 1 -printf 'fd %f\\n'
    echo null $(readlink /proc/$$/fd/2)
    while IFS= read -r line; do echo \"$line\"; done < /proc/self/status
    sed 's/^/limit /' /proc/$$/limits
    sed 's/^/cgroup /' /proc/$$/cgroup
    echo oom $(cat /proc/$$/oom_score_adj)
    read -r stat < /proc/$$/stat; set -- ${stat##*) }; echo session $4 tty $5 nice ${17} policy ${39}
    echo pid $$
    echo end
    exec cat";

/// Runs a host under a condition. Returns its observations.
fn host(case: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let result = folder.path().join("result");
    let _cgroups = case.starts_with("cgroup").then(Cgroups::now);
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "helper::tests::hostile_host::hostile_host",
            "--ignored",
            "--nocapture",
            "--quiet",
        ])
        .env(CASE, case)
        .env(RESULT, &result)
        .env("EVIL", "inherited")
        .status()
        .unwrap();
    assert_eq!(status.signal(), None, "{case}: {status}");
    fs::read_to_string(&result).unwrap_or_else(|error| panic!("{case}: {status}, {error}"))
}

/// The cgroups that existed before a case. Dropping this removes those that the case made.
struct Cgroups {
    before: Vec<PathBuf>,
    _making: MutexGuard<'static, ()>,
}

/// A lock, so that one case at a time makes cgroups.
static MAKING: Mutex<()> = Mutex::new(());

impl Cgroups {
    fn now() -> Cgroups {
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        Cgroups {
            before: Cgroups::all().collect(),
            _making,
        }
    }

    /// Returns every folder in which a case may have made a cgroup, the innermost first.
    fn all() -> impl Iterator<Item = PathBuf> {
        let mounts = ["unified", "freezer", "systemd"].map(|name| format!("/sys/fs/cgroup/{name}"));
        let folders = mounts
            .into_iter()
            .flat_map(|mount| [format!("{mount}/user.slice"), mount]);
        folders
            .flat_map(fs::read_dir)
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for new in Cgroups::all().filter(|path| !self.before.contains(path)) {
            let name = new
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if !name.starts_with("postern-test-") && name != "user.slice" {
                continue;
            }
            // a process that has just ended stays in the cgroup for a moment
            let until = Instant::now() + Duration::from_secs(10);
            while fs::remove_dir(&new).is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
            {
                assert!(Instant::now() < until, "{} is in use", new.display());
                std::thread::yield_now();
            }
        }
    }
}

fn assert_entered(case: &str, seen: &str) {
    for line in [
        "env PATH=/usr/sbin:/usr/bin:/sbin:/bin PWD=/",
        "cwd / umask 0077",
        "null /dev/null",
        "Uid:\t0\t0\t0\t0",
        "Gid:\t0\t0\t0\t0",
        "SigBlk:\t0000000000000000",
        "SigIgn:\t0000000000000000",
        "oom 0",
        "echo works",
        "signals 0",
        "children ECHILD",
        "descriptors the same",
        "mask the same",
        "left behind: nothing",
    ] {
        let is_there = seen.lines().any(|seen| {
            seen.trim_end() == line
                || (line.contains("PWD")
                    && seen.starts_with("env PATH=/usr/sbin:/usr/bin:/sbin:/bin"))
        });
        assert!(is_there, "{case}: no {line:?} in\n{seen}");
    }
    assert!(!seen.contains("EVIL"), "{case}\n{seen}");
    assert!(
        seen.lines().any(|line| line.trim() == "Groups:"),
        "{case}\n{seen}"
    );
    let fds: Vec<&str> = seen
        .lines()
        .filter_map(|line| line.strip_prefix("fd "))
        .collect();
    // the shell may have opened 10 for itself; nothing else
    assert!(
        fds.starts_with(&["0", "1"]) && fds.iter().all(|fd| ["0", "1", "2", "10"].contains(fd)),
        "{fds:?}"
    );
    for (name, value) in [
        ("Max cpu time", "unlimited"),
        ("Max file size", "unlimited"),
        ("Max address space", "unlimited"),
        ("Max open files", "1024"),
        ("Max core file size", "0"),
    ] {
        let limit = seen
            .lines()
            .find_map(|line| line.strip_prefix("limit ")?.strip_prefix(name));
        let mut words = limit.unwrap_or_default().split_whitespace();
        assert_eq!(
            (words.next(), words.next()),
            (Some(value), Some(value)),
            "{case}: {name}\n{seen}"
        );
    }
    let session = seen
        .lines()
        .find(|line| line.starts_with("session "))
        .unwrap();
    assert!(
        session.contains("tty 0 nice 0 policy 0"),
        "{case}: {session}"
    );
}

fn is_root() -> bool {
    let root = geteuid().is_root();
    if !root {
        let refused = start(c"/bin/sh", &[], Instant::now() + Duration::from_secs(5));
        assert!(matches!(refused, Err(HelperError::NotRoot)));
    }
    root
}

#[test]
fn the_helper_starts_whatever_the_host_inherited() {
    for case in [
        "plain",
        "real-user",
        "nproc",
        "fsize",
        "as",
        "cpu",
        "data",
        "nofile-few",
        "ignored",
        "handled",
        "blocked",
        "closed",
        "closed-0",
        "closed-1-2",
        "nice",
        "batch",
        "affinity",
        "oom",
        "umask",
        "threads",
    ] {
        if is_root() {
            assert_entered(case, &host(case));
        }
    }
}

/// (The kernel tells the parent of a child that is stopped, whatever its exit signal is: that one
/// SIGCHLD is the user's doing.)
#[test]
fn an_error_names_what_prevents_the_helper() {
    for (case, error) in [
        ("nofile", "raise RLIMIT_NOFILE"),
        ("missing", "cannot be run (No such file"),
        ("stopped-copy", "did not begin in time"),
        (
            "no-capability",
            "cannot raise RLIMIT_FSIZE (Operation not permitted",
        ),
    ] {
        if is_root() {
            let seen = host(case);
            assert!(
                seen.contains(error) && seen.contains("children ECHILD"),
                "{case}: {seen}"
            );
            assert!(
                seen.contains("descriptors the same")
                    && (seen.contains("signals 0") || case == "stopped-copy"),
                "{case}: {seen}"
            );
        }
    }
}

/// Every cgroup of a user's is left: delegated ones, and root's own below user.slice.
#[test]
fn the_helper_leaves_the_cgroups_of_users() {
    for (case, mount) in [
        ("cgroup-delegated", "unified"),
        ("cgroup-session", "unified"),
        ("cgroup-v1-freezer", "freezer"),
        ("cgroup-v1-session", "systemd"),
    ] {
        if is_root() && fs::exists(format!("/sys/fs/cgroup/{mount}/cgroup.procs")).unwrap() {
            let seen = host(case);
            assert!(seen.contains("host was in it"), "{case}: {seen}");
            let inside = seen
                .lines()
                .any(|line| line.starts_with("cgroup ") && line.contains("postern-test"));
            assert!(!inside, "{case}: {seen}");
            assert!(seen.contains("echo works"), "{case}: {seen}");
        }
    }
}

/// The mount is read-only, as in a container.
#[test]
fn a_cgroup_of_a_users_that_cannot_be_left_denies() {
    if is_root() && fs::exists("/sys/fs/cgroup/unified/cgroup.procs").unwrap() {
        let seen = host("cgroup-stuck");
        assert!(
            seen.contains(
                "cannot leave the cgroup of a user, who could freeze it (Read-only file system"
            ),
            "{seen}"
        );
    }
}

#[test]
fn neither_the_user_nor_the_hosts_group_can_signal_the_helper() {
    if is_root() {
        let seen = host("signals");
        assert!(seen.contains("nobody STOP EPERM KILL EPERM"), "{seen}");
        assert!(seen.contains("echo works"), "{seen}");
    }
}

/// One that is stopped by root does not end when its socket closes; it is killed.
#[test]
fn a_stopped_or_silent_helper_ends_at_the_deadline() {
    for case in ["stopped", "silent", "flood"] {
        if is_root() {
            let seen = host(case);
            assert!(
                seen.contains("read TimedOut") && seen.contains("left behind: nothing"),
                "{case}: {seen}"
            );
        }
    }
}

#[test]
fn descriptors_are_closed_by_their_list_where_close_range_is_missing() {
    if is_root() {
        assert_eq!(host("close-listed"), "open 0 1 2\n");
    }
}
