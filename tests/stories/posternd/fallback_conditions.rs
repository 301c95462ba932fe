//! The fallback under limits that the user of the PAM host sets: of files, processes, time and
//! memory, and in a frozen cgroup.

use super::fallback::{a_service, fallback};
use crate::pam::process::PAM_HOST;
use std::fs;
use std::process::Command;
use testhost::{Host, PamHost, assert_lacks, finished, patiently};

/// A condition that a user can cause for the PAM host, from outside or before it starts.
struct Condition {
    name: &'static str,
    /// Commands that precede the host.
    tool: &'static [&'static str],
    /// Options of the host.
    options: &'static [&'static str],
    /// The limit that prlimit(1) sets once the transaction has begun.
    limit: Option<&'static str>,
    /// Text that the log must contain if access is denied; `None` if access must be granted.
    named: Option<&'static str>,
}

const fn condition(name: &'static str) -> Condition {
    Condition {
        name,
        tool: &[],
        options: &["--pause"],
        limit: None,
        named: None,
    }
}

const CONDITIONS: &[Condition] = &[
    condition("nothing"),
    Condition {
        tool: &["env", "--ignore-signal=CHLD"],
        ..condition("SIGCHLD ignored")
    },
    Condition {
        options: &["--pause", "--handler"],
        ..condition("SIGCHLD handled")
    },
    Condition {
        tool: &["env", "--block-signal=CHLD"],
        ..condition("SIGCHLD blocked")
    },
    Condition {
        options: &["--pause", "--closed"],
        ..condition("descriptors 0-2 closed")
    },
    Condition {
        options: &["--pause", "--threads", "1"],
        ..condition("a host with threads")
    },
    // A container without CAP_SYS_RESOURCE cannot raise the limit again.
    Condition {
        tool: &["setpriv", "--ruid", "alice", "prlimit", "--nproc=0:0"],
        named: Some("posternd --stdio cannot raise RLIMIT_NPROC"),
        ..condition("RLIMIT_NPROC 0")
    },
    Condition {
        limit: Some("--nofile=0:"),
        named: Some("no descriptor is left for posternd --stdio; raise RLIMIT_NOFILE"),
        ..condition("RLIMIT_NOFILE 0")
    },
    Condition {
        limit: Some("--fsize=0:"),
        ..condition("RLIMIT_FSIZE 0")
    },
    Condition {
        limit: Some("--as=1:"),
        ..condition("RLIMIT_AS 1")
    },
    Condition {
        limit: Some("--data=1:"),
        ..condition("RLIMIT_DATA 1")
    },
    Condition {
        limit: Some("--cpu=1:"),
        ..condition("RLIMIT_CPU 1")
    },
    Condition {
        tool: &["nice", "-n", "19"],
        ..condition("nice 19")
    },
    Condition {
        tool: &["chrt", "--idle", "0"],
        ..condition("SCHED_IDLE")
    },
    Condition {
        tool: &["choom", "-n", "1000", "--"],
        ..condition("oom_score_adj 1000")
    },
];

/// Access is granted, or denied with a log line that names the obstacle. The table of the results
/// is printed.
#[test]
#[ignore = "needs the test host: tests/run"]
fn under_every_condition_of_a_users_the_host_is_entered_or_the_log_says_why_not() {
    let host = Host::without_posternd();
    a_service(&host);
    let (_, phone) = host.enrolled_user("alice");
    for condition in CONDITIONS {
        host.clock.forward(30);
        let Condition {
            name,
            tool,
            options,
            limit,
            named,
        } = condition;
        let mut pam = PamHost::start_under(tool, PAM_HOST, "guest", b"alice", options);
        pam.expect("pause");
        if let Some(limit) = limit {
            finished(Command::new("prlimit").args([limit, "--pid", &pam.process().to_string()]));
        }
        pam.continues();
        let asks = pam.expect_one_of(&["prompt", "authenticate"]).0 == "prompt";
        if asks {
            pam.types(&phone.code());
        }
        pam.expect("pause");
        pam.continues();
        let ended = pam.ends();
        assert_eq!(ended.signal, None, "{name}: {ended:?}");
        assert!(
            ended.all("signals").iter().all(|count| **count == 0),
            "{name}: {ended:?}"
        );
        match named {
            Some(named) if !asks => {
                assert!(!ended.entered(), "{name}: {ended:?}");
                println!("{name}: denied, {}", host.journal.says(named));
            }
            _ => {
                assert!(
                    ended.entered(),
                    "{name}: {ended:?}\n{}",
                    host.journal.rest()
                );
                println!("{name}: entered");
            }
        }
    }
}

/// The attack: a user freezes the host during the transaction. It holds no lock on the store, and
/// alice signs in elsewhere.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_frozen_host_holds_nothing() {
    let host = Host::without_posternd();
    a_service(&host);
    let (alice, phone) = host.enrolled_user("alice");
    let Some(cgroup) = Cgroup::of_a_user() else {
        return;
    };
    let mut pam = PamHost::start(PAM_HOST, "guest", b"alice", &["--pause"]);
    pam.expect("pause");
    cgroup.takes(pam.process());
    pam.continues();
    pam.expect("prompt");
    let inside = fs::read_to_string(format!("/proc/{}/cgroup", fallback())).expect("it runs");
    assert_lacks(&inside, "postern-story");
    cgroup.freezes(true);
    pam.types(&phone.code());
    alice.with_key().enters_with(&phone.code());
    cgroup.freezes(false);
    let ended = pam.ends();
    assert!(
        !ended.entered() && ended.signal.is_none(),
        "the code was used elsewhere: {ended:?}"
    );
}

/// A cgroup that a user owns.
struct Cgroup {
    folder: String,
    /// The file that freezes the cgroup, and the two values for frozen and thawed.
    freezer: (&'static str, [&'static str; 2]),
}

impl Cgroup {
    /// `None` where the host has no freezer.
    fn of_a_user() -> Option<Cgroup> {
        let mounts = [
            (
                "/sys/fs/cgroup/freezer",
                ("freezer.state", ["THAWED", "FROZEN"]),
            ),
            ("/sys/fs/cgroup/unified", ("cgroup.freeze", ["0", "1"])),
            ("/sys/fs/cgroup", ("cgroup.freeze", ["0", "1"])),
        ];
        mounts.into_iter().find_map(|(mount, freezer)| {
            let folder = format!("{mount}/postern-story");
            let _ = fs::create_dir(&folder);
            let is_one = fs::exists(format!("{folder}/{}", freezer.0)).unwrap_or(false);
            is_one.then(|| {
                finished(Command::new("chown").args(["-R", "alice", &folder]));
                Cgroup { folder, freezer }
            })
        })
    }

    #[track_caller]
    fn takes(&self, process: u32) {
        fs::write(format!("{}/cgroup.procs", self.folder), process.to_string())
            .expect("root may do it");
    }

    #[track_caller]
    fn freezes(&self, frozen: bool) {
        let (file, words) = self.freezer;
        fs::write(
            format!("{}/{file}", self.folder),
            words[usize::from(frozen)],
        )
        .expect("root may do it");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.freezes(false);
        patiently("the cgroup is removed", || {
            fs::remove_dir(&self.folder).map(Some)
        });
    }
}
