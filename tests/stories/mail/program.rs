//! The attack: the program of `[email] command` is hostile. It runs in a unit of its own without
//! access to the key and the store, and is killed at its time limit.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};
use testhost::{
    Host, KEY, MailProgram, Postern, STORE, Store, Systemd, as_user, assert_contains, finished,
    running,
};

const SOCKET: &str = "/run/postern/mail.sock";
const UNITS: &str = "/usr/lib/systemd/system";

/// Returns a configuration with a program that runs a script.
fn by(script: &str) -> String {
    format!(
        "[email]\ncommand = [\"/bin/sh\", \"-c\", {script:?}]\nfrom = \"postern@example.test\"\ntimeout = \"2s\"\n"
    )
}

/// Requests a mail that is not sent, and returns the command's error text.
#[track_caller]
fn sends_nothing(user: &str) -> String {
    let output = Postern::call(&format!("email set {user} {user}@example.test")).refuses();
    assert_contains(&output.err, "no mail was sent");
    output.err
}

/// Returns a script that tries to read a file, and reports the result.
fn thief(path: &str) -> String {
    format!("cat >/dev/null; id -un >&2; cat {path} >&2; id -Gn >&2; exit 9")
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn systemd_understands_the_units_of_the_mail_program() {
    let _host = Host::fresh();
    let units =
        ["postern-mail.socket", "postern-mail@.service"].map(|name| format!("{UNITS}/{name}"));
    let printed = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(&units)
        .output();
    let printed = printed.expect("systemd-analyze runs");
    let text = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(
        printed.status.success() && !text.contains("postern"),
        "{text}"
    );
}

/// The units run under systemd, as they are installed. The program can read none of posternd's
/// files.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_program_reads_neither_key_nor_store() {
    let mut host = Host::fresh();
    host.posternd = None;
    host.clock.as_setuid_programs_see_it();
    // Like Postfix's sendmail, a setgid program gets its group.
    let setgid = "/usr/local/bin/setgid-id";
    finished(Command::new("install").args(["-g", "mail", "-m", "2755", "/usr/bin/id", setgid]));
    host.configure(&by(&thief(KEY)));
    let systemd = Systemd::start();
    systemd.does("start posternd.service");
    for path in [KEY, STORE, "/run/postern/pam.sock"] {
        host.configure(&by(&thief(path)));
        let text = sends_nothing("alice");
        assert_contains(&text, "exit status: 9: postern-mail");
        assert_contains(&text, path);
        assert_contains(&text, "Permission denied");
        assert!(!text.contains(" postern "), "its groups: {text}");
    }
    // The program's user has no access either, without the restrictions of the unit.
    for path in [KEY, STORE] {
        let mut reads = as_user("postern-mail", "postern-mail");
        reads.args(["cat", path]);
        assert!(
            !reads.output().expect("setpriv runs").status.success(),
            "{path}"
        );
    }
    // That user cannot connect to the socket that starts the program.
    let mut connects = as_user("postern-mail", "postern-mail");
    connects.args(["python3", "-c"]);
    connects.arg(format!(
        "import socket; socket.socket(socket.AF_UNIX).connect('{SOCKET}')"
    ));
    let refused = connects.output().expect("python3 runs");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("PermissionError"),
        "{refused:?}"
    );

    host.configure(&by(&format!("cat >/dev/null; {setgid} -gn >&2; exit 9")));
    let text = sends_nothing("alice");
    assert_contains(&text, "exit status: 9: mail");
    let took = by("cat >/dev/null");
    host.configure(&took);
    Postern::call("email set alice alice@example.test").does();
    assert_contains(systemd.log("posternd"), "mailed user=\"alice\"");

    // Without the unit posternd runs no program itself, and the mail waits.
    systemd.does("stop postern-mail.socket");
    let text = Postern::call("email set bob bob@example.test").refuses();
    assert_contains(&text.err, "the mail waits");
    assert_contains(
        systemd.log("posternd"),
        "mail waits: nothing listens at /run/postern/mail.sock",
    );
    let check = Postern::call("check").does().err;
    assert_contains(&check, "systemctl enable --now postern-mail.socket");
    systemd.does("start postern-mail.socket");
    testhost::wait_until("it is sent", || {
        Ok(systemd.log("posternd").contains("mailed user=\"bob\""))
    });
}

/// The attack: a program does not end, or prints without end. It is killed at its time limit with
/// all that it started, and no caller waits longer.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_program_that_never_ends_is_ended() {
    let host = Host::fresh();
    let _program = MailProgram::listens();
    let sleep = "/usr/local/bin/mail-sleep";
    finished(Command::new("install").args(["-m", "755", "/bin/sleep", sleep]));
    for script in [
        format!("{sleep} 600 & wait"),
        format!("setsid {sleep} 2 & exec {sleep} 600"),
        "yes >&2".to_owned(),
        "yes".to_owned(),
        "trap '' PIPE; while :; do echo x; done >&2".to_owned(),
    ] {
        host.configure(&by(&script));
        let began = Instant::now();
        sends_nothing("alice");
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{script}: {:?}",
            began.elapsed()
        );
    }
    testhost::wait_until("nothing runs on", || Ok(running(sleep).is_empty()));
    assert!(
        host.posternd().log().lines().all(|line| line.len() < 1000),
        "{}",
        host.posternd().log()
    );
    assert_eq!(
        Store::open().number("SELECT count(*) FROM outbox"),
        0,
        "each was tried once"
    );
}

/// The attack: a client sends malformed bytes to the socket. No program is run. Only posternd may
/// connect.
#[test]
#[ignore = "needs the test host: tests/run"]
fn what_is_no_letter_runs_no_program() {
    let host = Host::fresh();
    let _program = MailProgram::listens();
    let ran = "/var/tmp/mail-program-ran";
    let _ = fs::remove_file(ran);
    host.configure(&by(&format!("touch {ran}")));
    let ask = |request: &[u8]| {
        let mut stream = UnixStream::connect(SOCKET).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        // The unit may have closed the connection after the first bytes.
        let _ = stream.write_all(request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    };
    let large = 10 * 1024 * 1024_u32;
    let letter = [&[1][..], &large.to_be_bytes(), &vec![b'x'; large as usize]].concat();
    assert_contains(ask(&letter), "larger than 262144 bytes");
    assert_eq!(ask(&letter[..1000]).as_bytes().first(), Some(&1));
    assert_eq!(ask(&[1, 0, 0, 0, 9, b'h', b'a', b'l', b'f']), "");
    assert_eq!(ask(&[2, 0, 0, 0, 1, b'x']), "");
    assert_eq!(ask(b"HELO"), "");
    assert!(!fs::exists(ran).expect("a folder"));
    assert!(ask(&[1, 0, 0, 0, 1, b'x']).starts_with('\0'));
    assert!(fs::exists(ran).expect("a folder"));
    let mode = fs::metadata(SOCKET)
        .expect("it listens")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
}
