//! The units of posternd under a real systemd: sockets that outlive both daemons, socket
//! activation, the watchdog, reload, drain, and the restrictions of the units.

use crate::gate::unit::unit;
use crate::posternd::floods::attacker;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use postern_shared::protocol::{Instruction, receive};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use testhost::{
    HOST_SOCKET, Host, PAM_SOCKET, Person, Phone, Systemd, assert_contains, assert_lacks,
    assert_within, finished, patiently, signal, wait_until,
};

const UNITS: &str = "/usr/lib/systemd/system";
const GATE_SOCKET: &str = "/run/postern/gate.sock";

#[test]
#[ignore = "needs the test host: tests/run"]
fn systemd_understands_the_units_of_posternd() {
    let _host = Host::fresh();
    let [service, host, pam] = ["posternd.service", "posternd.socket", "posternd-pam.socket"]
        .map(|name| format!("{UNITS}/{name}"));
    let mut verify = Command::new("systemd-analyze");
    let printed = verify
        .args(["verify", "--man=no", &service, &host, &pam])
        .output()
        .expect("systemd-analyze runs");
    let text = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(
        printed.status.success() && !text.contains("postern"),
        "{text}"
    );
    for service in [&service, &format!("{UNITS}/postern-gate.service")] {
        finished(Command::new("systemd-analyze").args([
            "security",
            "--offline=yes",
            "--threshold=20",
            service,
        ]));
        let text = fs::read_to_string(service).expect("the unit is installed");
        assert!(
            !text.contains("\nRuntimeDirectory"),
            "the sockets of both go with it"
        );
        assert!(
            !text.contains("\nPrivateUsers"),
            "every peer would be uid 65534"
        );
    }
    assert_eq!(
        unit(&host, "ListenStream"),
        [postern_shared::protocol::HOST_SOCKET]
    );
    assert_eq!(unit(&pam, "ListenStream"), [PAM_SOCKET]);
}

/// Enrolls users whose current codes are unused. posternd sees the machine's clock here.
fn people(host: &Host, names: &[&str]) -> Vec<(Person, Phone)> {
    host.clock.as_setuid_programs_see_it();
    let enrolled = |name: &&str| {
        let person = host.person(name);
        let phone = person.enrols();
        (person, phone)
    };
    names.iter().map(enrolled).collect()
}

#[track_caller]
fn enters(host: &Host, (person, phone): &(Person, Phone)) {
    host.clock.as_setuid_programs_see_it();
    person.with_key().enters_with(&phone.code());
}

/// Returns inode, owner, group and mode of a socket.
#[track_caller]
fn socket(path: &str) -> (u64, u32, u32, u32) {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    (
        metadata.ino(),
        metadata.uid(),
        metadata.gid(),
        metadata.mode() & 0o7777,
    )
}

#[track_caller]
fn is_gone(process: u32) -> bool {
    !fs::exists(format!("/proc/{process}")).expect("there is a /proc")
}

const POSTERND: &str = "posternd.service";

/// L1 under systemd: the first connection starts posternd. A stopped posternd is killed and
/// restarted within 10 s. The socket stays the same.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_first_login_starts_posternd_and_one_that_is_stopped_is_replaced() {
    let host = Host::fresh();
    let people = people(&host, &["alice", "bob", "carol"]);
    let systemd = Systemd::start();
    // This is the command that the messages recommend.
    systemd.does("start posternd.socket");
    let (before, pam) = (socket(HOST_SOCKET), socket(PAM_SOCKET));
    assert_eq!((before.1, before.2, before.3), (0, 0, 0o600));
    assert_eq!((pam.1, pam.2, pam.3), (0, 0, 0o666));
    assert_eq!(systemd.property(POSTERND, "ActiveState"), "inactive");

    enters(&host, &people[0]);
    assert_eq!(systemd.property(POSTERND, "ActiveState"), "active");
    let first = systemd.process(POSTERND).expect("it runs");
    // posternd can read the /proc entries of other users' processes, which identify a PAM host.
    let mut sees = Command::new("nsenter");
    sees.args([
        &format!("--target={first}"),
        "--mount",
        "--pid",
        "setpriv",
        "--reuid=posternd",
    ]);
    finished(sees.args([
        "--regid=postern",
        "--clear-groups",
        "cat",
        "/proc/1/status",
        "/proc/1/stat",
    ]));

    signal(first, Signal::SIGSTOP);
    let stopped = Instant::now();
    wait_until("systemd has killed it", || Ok(is_gone(first)));
    assert_within(stopped, Duration::from_secs(10));
    wait_until("it is started again", || {
        Ok(systemd.property(POSTERND, "NRestarts") == "1")
    });
    wait_until("it serves", || {
        Ok(systemd.property(POSTERND, "ActiveState") == "active")
    });
    assert_eq!(socket(HOST_SOCKET), before);
    enters(&host, &people[1]);
    assert_ne!(systemd.process(POSTERND), Some(first));

    // A single thread that hangs in accept4(2) triggers the watchdog too, although the other
    // threads run.
    let second = systemd.process(POSTERND).expect("it runs");
    let delay = Delay::of(thread_named(second, "accept"), "accept4");
    let _held = std::os::unix::net::UnixStream::connect(HOST_SOCKET).expect("systemd listens");
    delay.ends_with_the_watchdog(&systemd, second);
    wait_until("it serves", || {
        Ok(systemd.property(POSTERND, "NRestarts") == "2")
    });
    assert_eq!(socket(HOST_SOCKET), before);
    enters(&host, &people[2]);
    assert_lacks(systemd.log("posternd"), "panicked");
}

/// The unit's limits suffice for the largest number of conversations, and one more client is
/// served.
#[test]
#[ignore = "needs the test host: tests/run"]
fn every_conversation_fits_the_limits_of_the_unit() {
    let host = Host::fresh();
    let people = people(&host, &["alice"]);
    let systemd = Systemd::start();
    systemd.does("start posternd.socket posternd-pam.socket");
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is one");
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(4096), hard).expect("root may do it");
    let held: Vec<_> = (0..1024)
        .map(|number| {
            let mut attacker = attacker(&format!("2001:db8:{number:x}::1"));
            while !matches!(
                receive(&mut attacker).expect("posternd goes on"),
                Instruction::Ask { .. }
            ) {}
            attacker
        })
        .collect();
    let process = systemd.process(POSTERND).expect("it runs");
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let number = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("a line");
        line.split_whitespace()
            .next()
            .and_then(|word| word.parse::<u64>().ok())
            .expect("a number")
    };
    let limit = |name| {
        systemd
            .property(POSTERND, name)
            .parse::<u64>()
            .expect("a number")
    };
    let (threads, peak) = (number("Threads:"), number("VmHWM:") * 1024);
    let open = fs::read_dir(format!("/proc/{process}/fd"))
        .expect("it runs")
        .count() as u64;
    println!("1024 conversations: {threads} threads, {open} descriptors, {peak} bytes");
    assert!(
        threads > 1024 && threads + 512 < limit("TasksMax"),
        "{threads} threads"
    );
    assert!(
        open > 1024 && open + 512 < limit("LimitNOFILE"),
        "{open} descriptors"
    );
    assert!(2 * peak < limit("MemoryMax"), "{peak} bytes");
    enters(&host, &people[0]);
    drop(held);
    assert_eq!(
        systemd.process(POSTERND),
        Some(process),
        "{}",
        systemd.log("posternd")
    );
}

/// An operation that hangs in disk access triggers the watchdog after 40 s. Clients that wait for
/// it are denied access much earlier.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_worker_that_hangs_is_found_out() {
    let host = Host::fresh();
    let people = people(&host, &["alice", "bob"]);
    let systemd = Systemd::start();
    systemd.does("start posternd.socket posternd-pam.socket");
    let mut terminal = people[0].0.with_key().up_to_the_code();
    let first = systemd.process(POSTERND).expect("it runs");
    let delay = Delay::of(first, "fsync,fdatasync");
    terminal.types(&people[0].1.code());
    assert!(!terminal.ends().entered());
    delay.ends_with_the_watchdog(&systemd, first);
    wait_until("it serves", || {
        Ok(systemd.property(POSTERND, "NRestarts") == "1")
    });
    enters(&host, &people[1]);
}

/// Tracer that delays system calls until it is dropped.
struct Delay(Child);

impl Delay {
    /// Delays the calls of a thread and of the threads that it starts.
    #[track_caller]
    fn of(thread: u32, calls: &str) -> Delay {
        let inject = format!("inject={calls}:delay_enter=300000000");
        let mut strace = Command::new("strace");
        strace.args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &inject,
            "-p",
            &thread.to_string(),
        ]);
        let delay = Delay(
            strace
                .stdin(Stdio::null())
                .spawn()
                .expect("strace is installed"),
        );
        patiently("it is traced", || {
            let status = fs::read_to_string(format!("/proc/{thread}/status"))?;
            Ok((!status.contains("TracerPid:\t0")).then_some(()))
        });
        delay
    }

    /// Waits until the watchdog ends the process: at most the longest operation, the watchdog's
    /// timeout and a margin.
    #[track_caller]
    fn ends_with_the_watchdog(self, systemd: &Systemd, process: u32) {
        let until = Instant::now() + Duration::from_secs(70);
        while systemd.property(POSTERND, "Result") != "watchdog" {
            assert!(Instant::now() < until, "{}", systemd.log("posternd"));
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_contains(systemd.log("posternd"), "makes no progress");
        // The tracer keeps its tracees alive until it ends.
        drop(self);
        wait_until("it is gone", || Ok(is_gone(process)));
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn thread_named(process: u32, name: &str) -> u32 {
    let tasks = fs::read_dir(format!("/proc/{process}/task"))
        .expect("it runs")
        .flatten();
    let named = |path: &std::path::Path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    };
    let found = tasks
        .map(|task| task.path())
        .find(|path| named(path))
        .expect("the thread is there");
    found
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok())
        .expect("a number")
}

/// `systemctl stop` of one daemon leaves the other's sockets in place.
#[test]
#[ignore = "needs the test host: tests/run"]
fn either_unit_stopped_leaves_the_others_sockets() {
    let host = Host::fresh();
    host.clock.as_setuid_programs_see_it();
    finished(Command::new("install").args(["-m", "0640", "-g", "postern", "/dev/null", SECRET]));
    fs::write(SECRET, "a secret of sixteen bytes and more\n").expect("/etc can be written");
    host.configure(&format!(
        "[gate]\nurl = \"https://auth.example.test/\"\ncookie_domain = \"example.test\"\n\
         [[gate.trusted_proxies]]\nproxy = \"nginx\"\nfrom = [\"unix\"]\nsecret_file = \"{SECRET}\"\n"
    ));
    let systemd = Systemd::start();
    systemd.does("start posternd.service postern-gate.service");
    let sockets = || [HOST_SOCKET, PAM_SOCKET, GATE_SOCKET].map(socket);
    let before = sockets();
    assert_eq!(before[2].3, 0o660);
    let gate = systemd.process("postern-gate.service").expect("it runs");
    let posternd = systemd.process(POSTERND).expect("it runs");

    // Neither daemon can trace or signal the other, or create a socket in place of the other's.
    for (user, process) in [("posternd", gate), ("postern-gate", posternd)] {
        let tries = format!(
            "! kill -0 {process} && ! cat /proc/{process}/environ && ! mv {HOST_SOCKET} /run/postern/x && ! touch /run/postern/x"
        );
        let mut tries_it = Command::new("setpriv");
        tries_it.args([
            &format!("--reuid={user}"),
            "--regid=postern",
            "--init-groups",
            "bash",
            "-c",
            &tries,
        ]);
        finished(&mut tries_it);
    }

    systemd.does("stop posternd.service");
    assert_eq!(sockets(), before);
    assert_eq!(systemd.process("postern-gate.service"), Some(gate));
    systemd.does("start posternd.service");
    let posternd = systemd.process(POSTERND);
    systemd.does("stop postern-gate.service");
    assert_eq!(sockets(), before);
    assert_eq!(systemd.process(POSTERND), posternd);
    // Without its sockets, posternd is not started again, and the module finds no listener.
    systemd.does("stop posternd.socket posternd-pam.socket posternd.service");
    assert!(
        !fs::exists(HOST_SOCKET).expect("a folder") && !fs::exists(PAM_SOCKET).expect("a folder")
    );
    assert_eq!(systemd.property(POSTERND, "ActiveState"), "inactive");
    assert_eq!(socket(GATE_SOCKET), before[2]);
}

const SECRET: &str = "/etc/postern/proxy.secret";

/// A reload checks the configuration first. A stop lets conversations at a prompt finish within a
/// timeout.
#[test]
#[ignore = "needs the test host: tests/run"]
fn posternd_reloads_and_drains() {
    let host = Host::fresh();
    let people = people(&host, &["alice", "bob", "carol"]);
    let systemd = Systemd::start();
    systemd.does("start posternd.service");
    let process = systemd.process(POSTERND);
    systemd.does("reload posternd.service");
    wait_until("it has reloaded", || {
        Ok(systemd.log("posternd").contains("reloaded /etc"))
    });
    host.write_configuration("[pam]\nnonsense = 1\n");
    systemd.refuses("reload posternd.service");
    assert_eq!(systemd.process(POSTERND), process);
    host.configure("# every default\n");

    host.clock.as_setuid_programs_see_it();
    let mut quick = people[0].0.with_key().up_to_the_code();
    let slow = people[1].0.with_key().up_to_the_code();
    let began = Instant::now();
    systemd.does("stop --no-block posternd.service");
    wait_until("it drains", || {
        Ok(systemd.property(POSTERND, "ActiveState") == "deactivating")
    });
    quick.types(&people[0].1.code());
    assert!(quick.ends().entered());
    wait_until("it has ended", || {
        Ok(systemd.property(POSTERND, "ActiveState") == "inactive")
    });
    let took = began.elapsed();
    assert!((9..20).contains(&took.as_secs()), "{took:?}");
    assert_eq!(systemd.property(POSTERND, "Result"), "success");
    assert_eq!(systemd.property(POSTERND, "ExecMainStatus"), "0");
    let mut slow = slow;
    slow.types(&people[1].1.code());
    assert!(!slow.ends().entered());
    host.journal.says(
        "refused cause=unavailable address=127.0.0.1 service=sshd user=\"bob\": posternd ended",
    );
    // The socket still exists, so the next connection starts posternd.
    enters(&host, &people[2]);
    assert_eq!(systemd.property(POSTERND, "ActiveState"), "active");
}
