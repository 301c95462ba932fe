//! Without a daemon the module runs `posternd --stdio`. The user who runs the PAM host cannot
//! influence that process.

use super::daemon::enters_by_sudo;
use crate::pam::process::PAM_HOST;
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::time::{Duration, Instant};
use testhost::{
    HOST_SOCKET, Host, PROGRAM, PamEnded, PamHost, Phone, Posternd, REAL_PROGRAM, finished,
    patiently, running, set_mode, signal, wait_until,
};

/// Longest delay of a host by a fallback that does not decide.
pub(crate) const LONGEST: Duration = Duration::from_secs(12);

/// The first factor is a key or a password. A used code is refused.
#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_daemon_people_enter_by_sshd() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    alice
        .with_key()
        .is_refused(&phone.wrong(), "That code is wrong");
    alice.with_key().enters_with(&phone.code());
    host.journal
        .says("accepted cause=code address=127.0.0.1 service=sshd user=\"alice\"");
    alice
        .with_password()
        .is_refused(&phone.code(), "That code was used already");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn without_a_daemon_people_enter_by_sudo() {
    let host = Host::without_posternd();
    host.sudoers("alice ALL=(ALL) ALL");
    host.clock.as_setuid_programs_see_it();
    host.configure("[totp]\nperiod = \"2m\"\n");
    let (alice, phone) = host.enrolled_user("alice");
    enters_by_sudo(&host, &alice, &phone);
}

/// Installs a PAM service with one prompt.
pub(crate) fn a_service(host: &Host) {
    host.requires_totp("guest", "first_factor=passed tries=1");
}

/// Waits for the running fallback, and returns its process id.
#[track_caller]
pub(crate) fn fallback() -> u32 {
    patiently("the fallback runs", || {
        Ok(running(REAL_PROGRAM).first().copied())
    })
}

/// During the prompt the fallback is user posternd without a way back. It holds no descriptor but
/// its socket, and no process of that user can read its memory.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_fallback_has_given_root_up() {
    let host = Host::without_posternd();
    a_service(&host);
    let (_, phone) = host.enrolled_user("alice");
    let mut pam = PamHost::start(PAM_HOST, "guest", b"alice", &[]);
    pam.expect("prompt");
    let folder = format!("/proc/{}", fallback());
    let status = fs::read_to_string(format!("{folder}/status")).expect("it runs");
    let id = |option, name| {
        finished(Command::new("id").args([option, name]))
            .trim()
            .to_owned()
    };
    let (user, group) = (id("-u", "posternd"), id("-g", "posternd"));
    let four_times = |id: &str| format!("{id}\t{id}\t{id}\t{id}");
    for line in [
        format!("Uid:\t{}", four_times(&user)),
        format!("Gid:\t{}", four_times(&group)),
        format!("Groups:\t{group}"),
        "CapPrm:\t0000000000000000".to_owned(),
        "CapEff:\t0000000000000000".to_owned(),
        "CapAmb:\t0000000000000000".to_owned(),
        "NoNewPrivs:\t1".to_owned(),
    ] {
        assert!(
            status.lines().any(|output| output.trim_end() == line),
            "no {line:?} in {status}"
        );
    }
    assert_eq!(
        fs::metadata(format!("{folder}/mem"))
            .expect("it runs")
            .uid(),
        0,
        "it is dumpable"
    );
    let leads = |number: &str| fs::read_link(format!("{folder}/fd/{number}")).expect("it is open");
    assert!(leads("0").display().to_string().starts_with("socket:"));
    assert_eq!(leads("2"), std::path::Path::new("/dev/null"));
    assert_eq!(
        fs::read_link(format!("{folder}/cwd")).expect("it runs"),
        std::path::Path::new("/")
    );
    pam.types(&phone.code());
    assert!(pam.ends().entered());
    wait_until("it has ended", || Ok(running(REAL_PROGRAM).is_empty()));
}

/// The attack: a user runs the fallback directly, to ask it for a decision.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_fallback_serves_the_module_alone() {
    let host = Host::without_posternd();
    host.person("alice");
    for user in ["root", "alice"] {
        let ran = Command::new("setpriv")
            .args(["--reuid", user, "--clear-groups", REAL_PROGRAM, "--stdio"])
            .output()
            .expect("it is installed");
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(
            !ran.status.success() && ran.stdout.is_empty(),
            "{user}: {ran:?}"
        );
        assert_eq!(
            text, "posternd: --stdio is for pam_totp.so, which starts it as root\n",
            "{user}"
        );
    }
    let ran = Command::new(REAL_PROGRAM)
        .args(["--stdio", "--confg"])
        .output()
        .expect("it is installed");
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
}

/// A fallback that cannot decide means denied access within the time limit, and the log names the
/// cause.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_fallback_that_does_not_start_denies_and_is_named() {
    let host = Host::without_posternd();
    a_service(&host);
    let (_, _) = host.enrolled_user("alice");
    let script = fs::read(PROGRAM).expect("it is installed");
    let put = |text: &[u8], mode| {
        let _ = fs::remove_file(PROGRAM);
        fs::write(PROGRAM, text).expect("root may do it");
        fs::set_permissions(PROGRAM, PermissionsExt::from_mode(mode)).expect("root may do it");
    };
    let denied = |case: &str, line: &str| {
        let begun = Instant::now();
        let mut pam = PamHost::start(PAM_HOST, "guest", b"alice", &[]);
        pam.expect("authenticate");
        assert!(begun.elapsed() < LONGEST, "{case}: {:?}", begun.elapsed());
        let ended = pam.ends();
        assert_eq!(
            (ended.number(), ended.signal),
            (Some(9), None),
            "{case}: {ended:?}"
        );
        host.journal.says(&format!(
            "refused cause=unavailable address=- service=guest user=\"alice\": {line}"
        ));
        assert!(ended.all("prompt").is_empty(), "{case}: {ended:?}");
    };
    put(b"#!/bin/sh\nexec sleep 1000\n", 0o755);
    denied("silent", "posternd --stdio did not answer in time");
    let mut daemon = Posternd::start();
    daemon.signal(Signal::SIGSTOP);
    denied(
        "silent, beside a stopped daemon",
        "posternd --stdio did not answer in time",
    );
    daemon.crash();
    drop(daemon);
    put(b"#!/bin/sh\n", 0o755);
    denied("ends at once", "posternd --stdio ended the conversation");
    put(b"#!/bin/sh\n", 0o644);
    denied(
        "cannot be run",
        "posternd --stdio cannot be run (Permission denied",
    );
    put(&script, 0o775);
    denied(
        "others may write it",
        &format!("posternd --stdio is not run: {PROGRAM} is not root's"),
    );
    put(&script, 0o755);
    finished(Command::new("chown").args(["nobody", PROGRAM]));
    denied(
        "another owns it",
        &format!("posternd --stdio is not run: {PROGRAM} is not root's"),
    );
    fs::remove_file(PROGRAM).expect("root may do it");
    denied(
        "missing",
        "no posternd listens, and posternd --stdio cannot be run: /usr/libexec/postern",
    );
    put(&script, 0o755);
    let passwd = fs::read_to_string("/etc/passwd").expect("there is one");
    fs::write("/etc/passwd", passwd.replace("posternd:", "posternx:")).expect("root may do it");
    let case = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let ended = PamHost::start(PAM_HOST, "guest", b"alice", &[]).ends();
        assert_eq!(ended.number(), Some(9), "{ended:?}");
        host.journal
            .says("posternd --stdio: there is no user posternd");
    }));
    fs::write("/etc/passwd", passwd).expect("root may do it");
    case.unwrap();
}

/// The fallback is killed, or stopped by root, while it receives a code.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_fallback_that_is_killed_or_stopped_denies_and_is_named() {
    let host = Host::without_posternd();
    a_service(&host);
    let (_, phone) = host.enrolled_user("alice");
    for (by, line) in [
        (Signal::SIGKILL, "posternd --stdio ended the conversation"),
        (Signal::SIGSTOP, "posternd --stdio did not answer in time"),
    ] {
        let mut pam = PamHost::start(PAM_HOST, "guest", b"alice", &[]);
        pam.expect("prompt");
        signal(fallback(), by);
        let begun = Instant::now();
        pam.types(&phone.code());
        pam.expect("authenticate");
        assert!(begun.elapsed() < LONGEST, "{by}: {:?}", begun.elapsed());
        let ended = pam.ends();
        assert_eq!(
            (ended.number(), ended.signal),
            (Some(9), None),
            "{by}: {ended:?}"
        );
        host.journal.says(&format!(
            "refused cause=unavailable address=- service=guest user=\"alice\": {line}"
        ));
        wait_until("nothing is left behind", || {
            Ok(running(REAL_PROGRAM).is_empty())
        });
    }
}

/// The daemon serves `auth` and the fallback `account`, and the reverse.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_transaction_may_begin_with_the_one_and_end_with_the_other() {
    let host = Host::without_posternd();
    a_service(&host);
    let (_, phone) = host.enrolled_user("alice");
    let mut daemon = Some(Posternd::start());
    for _ in 0..2 {
        host.clock.forward(30);
        let is_daemon = daemon.is_some();
        let mut pam = PamHost::start(PAM_HOST, "guest", b"alice", &["--pause"]);
        pam.expect("pause");
        pam.continues();
        pam.expect("prompt");
        assert_eq!(running(REAL_PROGRAM).len(), 1);
        pam.types(&phone.code());
        pam.expect("pause");
        daemon = if is_daemon {
            None
        } else {
            Some(Posternd::start())
        };
        pam.continues();
        let ended = pam.ends();
        assert!(ended.entered(), "daemon first: {is_daemon}: {ended:?}");
    }
}

/// The option `config=` is never sent to the daemon. The fallback reads such a configuration as
/// root.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_configuration_of_the_lines_own_goes_to_the_fallback() {
    let host = Host::without_posternd();
    let _daemon = Posternd::start();
    let phone = host.person("alice").enrols();
    let folder = "/etc/postern-own";
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).expect("root may do it");
    let write = |name: &str, text: &str, mode| {
        let path = format!("{folder}/{name}");
        fs::write(&path, text).expect("root may do it");
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("root may do it");
        path
    };
    set_mode(folder, 0o700);
    let secret = write("carol", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n", 0o600);
    let account = format!("[[account]]\nname = \"carol\"\nsecret_file = \"{secret}\"\n");
    let config = write(
        "own.toml",
        &format!("[pam]\nprompt = \"Own: \"\n{account}"),
        0o600,
    );
    host.pam(
        "guest",
        &format!(
            "auth required pam_totp.so first_factor=passed tries=1 config={config}\naccount required pam_permit.so\n"
        ),
    );
    let mut pam = PamHost::start(PAM_HOST, "guest", b"alice", &[]);
    assert_eq!(pam.expect("prompt"), "Own: ");
    pam.types(&phone.code());
    assert!(pam.ends().entered());
    let copy = fs::metadata(format!("{config}.valid")).expect("root has kept it");
    assert_eq!((copy.uid(), copy.gid(), copy.mode() & 0o777), (0, 0, 0o644));

    let code = Phone::scans("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").code();
    let mut pam = PamHost::start(PAM_HOST, "guest", b"carol", &[]);
    pam.expect("prompt");
    pam.types(&code);
    let ended = pam.ends();
    assert!(ended.entered(), "{ended:?}\n{}", host.journal.rest());

    let ended = denied_as_alice();
    assert_eq!(ended.number(), Some(3), "{ended:?}");
    host.journal
        .says("refused cause=misconfigured address=- service=guest user=\"alice\": config= is for services");
}

fn denied_as_alice() -> PamEnded {
    // The files of the story's clock belong to root.
    let tool = [
        "env",
        "-u",
        "LD_PRELOAD",
        "setpriv",
        "--reuid",
        "alice",
        "--clear-groups",
    ];
    PamHost::start_under(&tool, PAM_HOST, "guest", b"alice", &[]).ends()
}

/// With the daemon the module opens its socket once in each hook. Without a daemon it opens only
/// the socket pairs to the fallback.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_module_opens_nothing_but_its_socket() {
    let host = Host::without_posternd();
    a_service(&host);
    let (_, phone) = host.enrolled_user("alice");
    for with_daemon in [true, false] {
        host.clock.forward(30);
        let daemon = with_daemon.then(Posternd::start);
        let calls = traced_login(&phone);
        let connects: Vec<&str> = calls
            .lines()
            .filter(|line| line.starts_with("connect("))
            .collect();
        assert!(
            connects.len() == 2 && connects.iter().all(|line| line.contains(HOST_SOCKET)),
            "{calls}"
        );
        // stat(2) opens no file: the module checks who may write the fallback.
        let opens = calls
            .lines()
            .filter(|line| line.starts_with("open") || line.starts_with("execve"));
        // The C library opens these files for the time in a log line.
        let opens =
            opens.filter(|line| !line.contains("/zoneinfo/") && !line.contains("/etc/localtime"));
        assert_eq!(opens.count(), 0, "{calls}");
        let sockets = calls
            .lines()
            .filter(|line| line.starts_with("socketpair("))
            .count();
        assert_eq!(sockets, if with_daemon { 0 } else { 4 }, "{calls}");
        drop(daemon);
    }
}

/// Returns the system calls of the host's own thread from before pam_authenticate to the end of
/// pam_acct_mgmt.
fn traced_login(phone: &Phone) -> String {
    let trace = "/run/postern-module.trace";
    // The story's clock would open files of its own.
    let tool = ["env", "-u", "LD_PRELOAD"];
    let mut pam = PamHost::start_under(&tool, PAM_HOST, "guest", b"alice", &["--pause"]);
    pam.expect("pause");
    let process = pam.process().to_string();
    let mut tracer = Command::new("strace")
        .args([
            "-qq",
            "-e",
            "trace=open,openat,openat2,creat,execve,connect,socketpair",
            "-o",
            trace,
            "-p",
        ])
        .arg(&process)
        .spawn()
        .expect("strace is installed");
    patiently("it is traced", || {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        Ok((!status.contains("TracerPid:\t0")).then_some(()))
    });
    pam.continues();
    pam.expect("prompt");
    pam.types(&phone.code());
    pam.expect("pause");
    pam.continues();
    pam.expect("account");
    assert!(pam.ends().entered());
    tracer.wait().expect("it ends with the host");
    fs::read_to_string(trace).expect("strace has written")
}
