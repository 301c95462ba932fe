//! A bare Debian in a folder of its own, booted: systemd is its first process and starts what its
//! packages enable, sshd and nginx among them. It shares the network of the test host, so its
//! servers listen on the loopback addresses of the story. The clock is the machine's.
//!
//! tests/roots makes the roots. MUST NOT run on a machine that is not thrown away.

use crate::machine::files::{WORK, checkout};
use crate::process::limit::Limit;
use crate::process::processes::{Running, below, finished, patiently, wait_for_output};
use crate::user::person::Person;
use crate::user::ssh::Ssh;
use crate::user::terminal::Terminal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Folder of the booted root.
const ROOT: &str = "/run/postern-booted";
/// Folder of the checkout in the booted root.
const CHECKOUT: &str = "/home/admin/postern";
/// Who installs Postern there: a member of the group sudo.
const ADMIN: &str = "admin";

/// What the installer of Debian writes.
const HOSTS: &str =
    "127.0.0.1 localhost\n127.0.1.1 bare\n::1 localhost ip6-localhost ip6-loopback\n";

/// Script that makes a cgroup, in which the container stays. `$1` is its name.
const BOOT: &str = "
    mount -t cgroup2 none /mnt
    mkdir /mnt/$1
    echo 0 >/mnt/$1/cgroup.procs
    umount /mnt
    umount -l /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
    shift
    exec systemd-nspawn \"$@\"";

/// A booted host. It ends with all that it started when this value is dropped.
pub struct BootedHost {
    /// The open session of the administrator.
    session: Option<Running>,
    running: Option<Running>,
    first: u32,
    cgroup: String,
    _limit: Limit,
}

impl BootedHost {
    /// Boots a fresh copy of the root of a Debian release, such as `trixie`.
    #[track_caller]
    pub fn boot(release: &str) -> BootedHost {
        assert!(
            std::env::var_os("POSTERN_TEST_HOST").is_some_and(|value| value == "1"),
            "this story boots a system: run it with tests/run, on a throwaway copy of the host"
        );
        let limit = Limit::begin();
        fs::create_dir_all(WORK).expect("/run can be written");
        unpack(release);
        let unique = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("there is a /proc");
        let cgroup = format!("postern-tests-{}", unique.trim());
        let bind = |from: PathBuf, to: &str| format!("--bind-ro={}:{to}", from.display());
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout("target"), PathBuf::from);
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "bash", "-euc", BOOT, "bash", &cgroup])
            .args(["--boot", "--register=no", "--keep-unit", "--console=pipe"])
            .args(["--machine=bare", "--link-journal=no"])
            .arg(format!("--directory={ROOT}"))
            .arg(bind(real(&checkout("")), CHECKOUT))
            .arg(bind(real(&target), &format!("{CHECKOUT}/target")));
        let mut running = Running::start(command, "booted.log");
        let nspawn = running.process();
        let first = patiently("systemd runs as the first process", || {
            assert!(running.is_running(), "{}", running.output());
            Ok(first_process(nspawn))
        });
        let mut host = BootedHost {
            session: None,
            running: Some(running),
            first,
            cgroup,
            _limit: limit,
        };
        host.waits_until_booted();
        let _ = fs::remove_file(known_hosts());
        host.person(ADMIN);
        host.runs(&format!(
            "usermod --append --groups sudo {ADMIN}; echo '{ADMIN} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin"
        ));
        host.session = Some(open_session());
        host
    }

    #[track_caller]
    fn waits_until_booted(&self) {
        patiently("the host has booted", || {
            let shown = self.call("systemctl is-system-running");
            let state = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
            assert!(state != "degraded", "{}", self.runs("systemctl --failed"));
            Ok((state == "running").then_some(()))
        });
    }

    /// Makes an account with a password and a key, as an installation of Debian does.
    #[track_caller]
    pub fn person(&self, name: &str) -> Person {
        let person = Person {
            name: name.to_owned(),
            password: format!("the password of {name}"),
        };
        let key = key_of(name);
        if !Path::new(&key).exists() {
            finished(
                Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &key]),
            );
        }
        let public = fs::read_to_string(format!("{key}.pub")).expect("ssh-keygen wrote it");
        let Person { password, .. } = &person;
        let account = match name {
            "root" => String::new(),
            name => format!("useradd --create-home --shell /bin/bash {name}\n"),
        };
        self.runs(&format!(
            "{account}echo '{name}:{password}' | chpasswd
            home=$(getent passwd {name} | cut -d: -f6)
            install -d -o {name} -g $(id -g {name}) -m 0700 $home/.ssh
            echo '{public}' >$home/.ssh/authorized_keys
            chown {name}: $home/.ssh/authorized_keys"
        ));
        person
    }

    /// Runs a script as root inside, and returns its output. Panics if it fails.
    #[track_caller]
    pub fn runs(&self, script: &str) -> String {
        let output = self.call(script);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{script}: {}\n{text}{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        text
    }

    /// Types a command line at a terminal of the administrator's open session, in the checkout.
    #[track_caller]
    pub fn types(&self, line: &str) -> Terminal {
        let line = line.replace('\'', r"'\''");
        let mut ssh = ssh_of_admin();
        ssh.args(["-tt", "-l", ADMIN, "127.0.0.1"]).arg(format!(
            "cd {CHECKOUT} && exec bash -o pipefail -c '{line}'"
        ));
        Terminal::run(ssh)
    }

    /// Types a command line, and returns what it prints. Panics if it fails.
    #[track_caller]
    pub fn does(&self, line: &str) -> String {
        let ended = self.types(line).ends();
        assert!(
            ended.status.success(),
            "{line}: {}\n{}\n{}",
            ended.status,
            ended.transcript,
            self.log()
        );
        ended.transcript
    }

    /// Starts login(1) on a terminal of the booted host, as a getty does.
    #[track_caller]
    pub fn console(&self) -> Terminal {
        let mut login = self.inside();
        login.args(["script", "--quiet", "--command", "exec login", "/dev/null"]);
        Terminal::run(login)
    }

    /// Prepares a sign-in by ssh with the key of a person of this host.
    pub fn with_key(&self, person: &Person) -> Ssh {
        reach(person.with_key(), person)
    }

    /// Prepares a sign-in by ssh with the password of a person of this host.
    pub fn with_password(&self, person: &Person) -> Ssh {
        reach(person.with_password(), person)
    }

    /// Returns the journal of this boot from warnings on.
    pub fn log(&self) -> String {
        let output = self.call("journalctl --boot --no-pager --quiet --priority=warning");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Writes a file of the booted root.
    #[track_caller]
    pub fn writes(&self, path: &str, text: &str) {
        let text = text.replace('\'', r"'\''");
        self.runs(&format!("printf %s '{text}' >{path}"));
    }

    /// Returns the path at which the test host sees a file of the booted root.
    pub fn outside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("{ROOT}{path}"))
    }

    /// Prepares a command of root's inside, whose words follow.
    fn inside(&self) -> Command {
        let target = format!("--target={}", self.first);
        let mut command = Command::new("nsenter");
        command
            .args([&target, "--mount", "--uts", "--ipc", "--pid", "--wd=/"])
            .args([
                "env",
                "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root",
            ]);
        command
    }

    fn call(&self, script: &str) -> Output {
        let mut command = self.inside();
        command
            .args(["bash", "-euc", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        wait_for_output(command.spawn().expect("nsenter runs"))
    }
}

impl Drop for BootedHost {
    fn drop(&mut self) {
        self.session = None;
        self.running = None;
        // Processes leave their cgroups, and mounts their namespace, some time after their end.
        let remove = "mount -t cgroup2 none /mnt; find /mnt/$1 -depth -type d -exec rmdir {} +";
        for _ in 0..200 {
            let mut unshare = Command::new("unshare");
            unshare
                .args(["--mount", "sh", "-ec", remove, "sh", &self.cgroup])
                .stderr(Stdio::null());
            if unshare.status().is_ok_and(|status| status.success()) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        // If this fails, the mount ends with the throwaway host.
        let _ = Command::new("umount").args(["--lazy", ROOT]).status();
    }
}

/// Returns the file with the root of a release.
fn root_of(release: &str) -> String {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    format!("{target}/roots/{release}.tar")
}

/// Whether there is a root of a release that tests/roots does not make by itself.
pub fn has_root(release: &str) -> bool {
    Path::new(&root_of(release)).exists()
}

/// Unpacks the root into memory.
#[track_caller]
fn unpack(release: &str) {
    let tar = root_of(release);
    assert!(
        Path::new(&tar).exists(),
        "{tar} is missing: tests/run makes it with tests/roots"
    );
    fs::create_dir_all(ROOT).expect("/run can be written");
    finished(Command::new("mount").args([
        "-t",
        "tmpfs",
        "-o",
        "mode=0755,suid,dev",
        "tests",
        ROOT,
    ]));
    finished(Command::new("tar").args(["-C", ROOT, "-xf", &tar]));
    // As the installer of Debian does.
    for (file, text) in [("hostname", "bare\n"), ("hosts", HOSTS)] {
        fs::write(format!("{ROOT}/etc/{file}"), text).expect("the root can be written");
    }
    fs::create_dir_all(format!("{ROOT}{CHECKOUT}")).expect("the root can be written");
}

/// Returns systemd: the child of nspawn that is the first process of its namespace.
fn first_process(nspawn: u32) -> Option<u32> {
    below(nspawn).into_iter().find(|process| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let last = numbers.and_then(|numbers| numbers.split_whitespace().last());
        let is_systemd = status.starts_with("Name:\tsystemd\n");
        last == Some("1") && is_systemd
    })
}

/// Opens a connection that later commands share, as a careful person keeps a session open.
#[track_caller]
fn open_session() -> Running {
    // One that was killed leaves its socket.
    let _ = fs::remove_file(session_socket());
    let mut ssh = ssh_of_admin();
    ssh.args(["-M", "-N", "-i", &key_of(ADMIN), "-l", ADMIN])
        .args(["-o", "IdentitiesOnly=yes", "127.0.0.1"]);
    let mut session = Running::start(ssh, "booted.session.log");
    patiently("the administrator is in", || {
        assert!(session.is_running(), "{}", session.output());
        let mut check = ssh_of_admin();
        check.args(["-O", "check", "-l", ADMIN, "127.0.0.1"]);
        let output = check.stdin(Stdio::null()).output()?;
        match output.status.success() {
            true => Ok(Some(())),
            false => Err(std::io::Error::other(session.output())),
        }
    });
    session
}

fn ssh_of_admin() -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-S", &session_socket()])
        .args(["-o", &format!("UserKnownHostsFile={}", known_hosts())])
        .args(["-o", "StrictHostKeyChecking=accept-new"])
        .args(["-o", "LogLevel=ERROR"]);
    ssh
}

fn reach(ssh: Ssh, person: &Person) -> Ssh {
    ssh.key(&key_of(&person.name))
        .port(22)
        .option(&format!("UserKnownHostsFile={}", known_hosts()))
        .option("StrictHostKeyChecking=accept-new")
}

/// The people of the test host have other keys.
fn key_of(name: &str) -> String {
    format!("{WORK}/booted.{name}")
}

fn session_socket() -> String {
    format!("{WORK}/booted.ssh")
}

fn known_hosts() -> String {
    format!("{WORK}/booted.known_hosts")
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().expect("the folder exists")
}
