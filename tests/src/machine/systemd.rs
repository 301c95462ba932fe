//! systemd as the first process of its own namespaces. Accounts, programs, the store and
//! /run/postern are those of the test host. The units are those that packaging/install installed,
//! and no other unit is started.

use crate::machine::files::WORK;
use crate::process::processes::{Running, below, patiently};
use std::fs;
use std::process::{Command, Output, Stdio};

/// Script that makes a cgroup; the command that it executes stays there. `$1` is the cgroup's name.
const OUTSIDE: &str = "
    mount -t cgroup2 none /mnt
    mkdir /mnt/$1
    echo 0 >/mnt/$1/cgroup.procs
    umount /mnt
    exec unshare --cgroup --pid --ipc --uts --fork --kill-child bash -euc \"$2\"";

/// Script that mounts /proc, cgroups and /run, without the units that would start on a host that
/// boots.
const INSIDE: &str = "
    mount -t proc none /proc
    umount -l /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
    mount -t tmpfs none /mnt
    for folder in postern postern-tests; do
        mkdir /mnt/$folder
        mount --bind /run/$folder /mnt/$folder
    done
    mkdir /mnt/units
    cp /usr/lib/systemd/system/postern* /mnt/units
    for unit in sysinit.target basic.target sockets.target shutdown.target network.target \\
        nss-user-lookup.target tests.target; do
        printf '[Unit]\\nDefaultDependencies=no\\n' >/mnt/units/$unit
    done
    for unit in posternd postern-gate; do
        mkdir /mnt/units/$unit.service.d
        printf '[Service]\\nStandardOutput=append:/run/postern-tests/%s.unit.log\\nStandardError=inherit\\n' $unit \\
            >/mnt/units/$unit.service.d/tests.conf
    done
    mount -n --move /mnt /run
    export container=tests SYSTEMD_UNIT_PATH=/run/units
    exec /lib/systemd/systemd --system --unit=tests.target --log-target=console --show-status=0";

/// A running systemd. It ends with all that it started when this value is dropped.
pub struct Systemd {
    running: Option<Running>,
    first: u32,
    cgroup: String,
}

impl Systemd {
    /// Starts systemd. The host's clock MUST be the machine's.
    #[track_caller]
    pub fn start() -> Systemd {
        let unique = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("there is a /proc");
        let cgroup = format!("postern-tests-{}", unique.trim());
        for unit in ["posternd", "postern-gate"] {
            let _ = fs::remove_file(log(unit));
        }
        let mut command = Command::new("unshare");
        command.args(["--mount", "bash", "-euc", OUTSIDE, "bash", &cgroup, INSIDE]);
        let mut running = Running::start(command, "systemd.log");
        let unshare = running.process();
        let first = patiently("systemd is started", || {
            assert!(running.is_running(), "{}", running.output());
            Ok(numbered(unshare, 1))
        });
        let mut systemd = Systemd {
            running: Some(running),
            first,
            cgroup,
        };
        patiently("systemd is up", || {
            let runs = systemd.running.as_mut().is_some_and(Running::is_running);
            assert!(runs, "{}", systemd.output());
            let text = systemd.call("is-system-running");
            Ok(matches!(text.as_str(), "running" | "degraded").then_some(()))
        });
        systemd
    }

    /// Runs `systemctl`, and panics if it fails.
    #[track_caller]
    pub fn does(&self, words: &str) {
        let Output { status, stderr, .. } = self.systemctl(words);
        assert!(
            status.success(),
            "systemctl {words}: {}\n{}",
            String::from_utf8_lossy(&stderr),
            self.output()
        );
    }

    /// Runs `systemctl`, and panics if it succeeds.
    #[track_caller]
    pub fn refuses(&self, words: &str) {
        assert!(!self.systemctl(words).status.success(), "systemctl {words}");
    }

    /// Returns the output of `systemctl`.
    #[track_caller]
    pub fn call(&self, words: &str) -> String {
        String::from_utf8_lossy(&self.systemctl(words).stdout)
            .trim()
            .to_owned()
    }

    /// Returns a property of a unit.
    #[track_caller]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.call(&format!("show --value --property={name} {unit}"))
    }

    /// Returns the process id of a service as the host sees it; `None` while there is none.
    #[track_caller]
    pub fn process(&self, service: &str) -> Option<u32> {
        let inside: u32 = self
            .property(service, "MainPID")
            .parse()
            .ok()
            .filter(|process| *process > 0)?;
        numbered(self.first, inside)
    }

    /// Returns everything that a service logged since systemd started.
    pub fn log(&self, service: &str) -> String {
        fs::read_to_string(log(service)).unwrap_or_default()
    }

    fn systemctl(&self, words: &str) -> Output {
        let target = format!("--target={}", self.first);
        let mut command = Command::new("nsenter");
        command
            .args([&target, "--mount", "--pid", "systemctl", "--no-pager"])
            .args(words.split_whitespace());
        command.stdin(Stdio::null()).output().expect("nsenter runs")
    }

    fn output(&self) -> String {
        let text = self
            .running
            .as_ref()
            .map(Running::output)
            .unwrap_or_default();
        text + &self.log("posternd") + &self.log("postern-gate")
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        self.running = None;
        // A process leaves its cgroup some time after its end.
        let remove = "mount -t cgroup2 none /mnt; find /mnt/$1 -depth -type d -exec rmdir {} +";
        for _ in 0..100 {
            let mut unshare = Command::new("unshare");
            unshare
                .args(["--mount", "sh", "-ec", remove, "sh", &self.cgroup])
                .stderr(Stdio::null());
            if unshare.status().is_ok_and(|status| status.success()) {
                return;
            }
        }
    }
}

/// Returns the descendant of `above` whose process id in its own namespace is `inside`.
fn numbered(above: u32, inside: u32) -> Option<u32> {
    below(above).into_iter().find(|process| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        numbers.and_then(|numbers| numbers.split_whitespace().last()?.parse().ok()) == Some(inside)
    })
}

fn log(service: &str) -> String {
    format!("{WORK}/{service}.unit.log")
}
