//! Floods of connections at posternd. Other users are granted access, and the module does not start
//! the fallback.

use crate::pam::process::PAM_HOST;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postern_shared::protocol::{
    Greeting, GreetingState, Opening, PamFunction, PamTransaction, VERSIONS, receive, send,
};
use std::fs::{self};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testhost::{
    HOST_SOCKET, Host, PamHost, Person, Phone, Posternd, Terminal, as_user, set_mode, wait_until,
};

const DAEMON: &str = "/usr/libexec/postern/posternd";

/// Opens silent connections as a set-user-ID program of a user does.
const CROWD: &str = r"
import os, pwd, resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
os.setresuid(pwd.getpwnam(sys.argv[1]).pw_uid, 0, 0)
held, made = [], 0
while True:
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(1)
    try:
        one.connect(sys.argv[2])
        held.append(one)
        made += 1
    except OSError:
        time.sleep(0.01)
    if made == 2000:
        open(sys.argv[3], 'w').close()
    if made > 2000:
        held.pop(0).close()
        time.sleep(0.002)
";

/// posternd with the fallback replaced by a program that counts its starts. The fallback is
/// restored on drop.
struct Alone(Posternd);

/// File with one line for each start of the fallback.
const STARTED: &str = "/run/postern-fallback.started";

impl Alone {
    #[track_caller]
    fn start() -> Alone {
        let posternd = Posternd::start();
        let mut stream = UnixStream::connect(HOST_SOCKET).expect("the socket is there");
        let _: Greeting = receive(&mut stream).expect("posternd greets");
        fs::rename(DAEMON, format!("{DAEMON}.aside")).expect("the copy of the host can be written");
        let _ = fs::remove_file(STARTED);
        fs::write(DAEMON, format!("#!/bin/sh\necho $PPID >>{STARTED}\n")).expect("root may do it");
        set_mode(DAEMON, 0o755);
        Alone(posternd)
    }
}

impl Alone {
    /// Checks that no module started the fallback.
    #[track_caller]
    fn no_fallback_was_started(&self) {
        let started = fs::read_to_string(STARTED).unwrap_or_default();
        assert_eq!(started.lines().count(), 0, "posternd --stdio was started");
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        fs::rename(format!("{DAEMON}.aside"), DAEMON).expect("the copy of the host can be written");
    }
}

/// Process that is killed on drop, also if it is stopped.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Signs alice in by key and code, then runs her sudo. Each takes a code of its own.
#[track_caller]
fn alice_and_root_get_in(host: &Host, alice: &Person, phone: &Phone) {
    alice.with_key().enters_with(&phone.code());
    host.journal
        .says("accepted cause=code address=127.0.0.1 service=sshd user=\"alice\"");
    let mut sudo = Terminal::run(alice.on_this_host("sudo -k id -un"));
    sudo.expect("password for alice: ").types(&alice.password);
    sudo.expect("Verification code: ")
        .types(&phone.code_in(1))
        .expect("root");
    assert!(sudo.ends().status.success());
}

fn people(host: &Host) -> (Person, Phone, Person) {
    host.sudoers("alice ALL=(ALL) ALL\nmallory ALL=(ALL) ALL");
    host.clock.as_setuid_programs_see_it();
    host.configure("[totp]\nperiod = \"2m\"\n");
    let (alice, mallory) = (host.person("alice"), host.person("mallory"));
    let phone = alice.enrols();
    mallory.enrols();
    (alice, phone, mallory)
}

/// Mallory gives the right password and stops each sudo at the code prompt.
#[test]
#[ignore = "needs the test host: tests/run"]
fn two_hundred_stopped_sudos_of_one_user_keep_no_user_out() {
    let host = Host::without_posternd();
    let (alice, phone, mallory) = people(&host);
    let posternd = Alone::start();
    let sudo = |_| {
        let mut command = as_user("mallory", "mallory");
        command.args(["sudo", "-S", "-k", "-p", "", "id"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("sudo is installed");
        let stdin = child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{}", mallory.password).expect("sudo reads");
        Ending(child)
    };
    let sudos: Vec<Ending> = (0..200).map(sudo).collect();
    let threads = format!("/proc/{}/task", posternd.0.process());
    wait_until("each is asked for a code", || {
        Ok(fs::read_dir(&threads)?.count() > sudos.len())
    });
    for Ending(child) in &sudos {
        let process = Pid::from_raw(i32::try_from(child.id()).expect("a process"));
        kill(process, Signal::SIGSTOP).expect("it runs");
    }
    alice_and_root_get_in(&host, &alice, &phone);
    assert_eq!(posternd.0.log(), "");
    posternd.no_fallback_was_started();
}

/// Control of the other stories: without posternd, the start of the fallback is counted.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_fallback_that_is_started_is_counted() {
    let host = Host::without_posternd();
    host.person("alice").enrols();
    let mut posternd = Alone::start();
    posternd.no_fallback_was_started();
    posternd.0.signal(Signal::SIGSTOP);
    host.requires_totp("guest", "");
    assert_eq!(
        PamHost::start(PAM_HOST, "guest", b"alice", &[])
            .ends()
            .number(),
        Some(9)
    );
    assert!(fs::read_to_string(STARTED).is_ok_and(|started| !started.is_empty()));
    posternd.0.crash();
}

/// Mallory stops set-user-ID processes between two system calls. The processes are root's, but the
/// connection limit is mallory's.
#[test]
#[ignore = "needs the test host: tests/run"]
fn two_thousand_connections_of_one_user_that_say_nothing_keep_no_user_out() {
    let host = Host::without_posternd();
    let (alice, phone, mallory) = people(&host);
    let posternd = Alone::start();
    let started = "/run/postern-crowd";
    let _ = fs::remove_file(started);
    let crowd = Command::new("/usr/bin/python3")
        .arg("-c")
        .arg(CROWD)
        .args([mallory.name.as_str(), HOST_SOCKET, started])
        .spawn()
        .expect("it starts");
    let _crowd = Ending(crowd);
    wait_until("2,000 are connected", || fs::exists(started));
    alice_and_root_get_in(&host, &alice, &phone);
    assert_eq!(posternd.0.log(), "");
    posternd.no_fallback_was_started();
}

/// Unauthenticated clients hold conversations at the code prompt and type nothing: from one
/// address, from many networks, and from hosts with invented names.
#[test]
#[ignore = "needs the test host: tests/run"]
fn fifteen_thousand_conversations_of_attackers_keep_the_owner_out_of_nothing() {
    let host = Host::without_posternd();
    let (alice, phone, _mallory) = people(&host);
    let posternd = Alone::start();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is one");
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(4096), hard).expect("root may do it");
    let mut held = Vec::new();
    for number in 0..5_000 {
        let made_up = [
            format!("2001:db8:{number:x}::1"),
            format!("host{number}.example.org"),
        ];
        for from in ["192.0.2.66"]
            .into_iter()
            .chain(made_up.iter().map(String::as_str))
        {
            held.push(attacker(from));
        }
        // posternd has closed these connections to serve others.
        if held.len() > 3_000 {
            held.drain(..1_000);
        }
    }
    alice_and_root_get_in(&host, &alice, &phone);
    assert_eq!(posternd.0.log(), "");
    posternd.no_fallback_was_started();
}

/// Opens a conversation at the code prompt, before the first factor, from an address or a host
/// name.
#[track_caller]
pub(crate) fn attacker(from: &str) -> UnixStream {
    for _ in 0..100 {
        let mut stream = UnixStream::connect(HOST_SOCKET).expect("posternd listens");
        let greeting: Greeting = receive(&mut stream).expect("posternd greets");
        if greeting.state == GreetingState::Busy {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        let transaction = PamTransaction {
            hook: PamFunction::Auth,
            options: Vec::new(),
            service: Some(b"sshd".to_vec()),
            user: Some(b"alice".to_vec()),
            remote_host: Some(from.as_bytes().to_vec()),
            terminal: None,
            ssh_connection: Some(format!("{from} 4711 192.0.2.1 22").into_bytes()),
            ssh_auth_info: None,
            real_uid: 0,
            mark: None,
        };
        let opening = Opening::Host {
            version: VERSIONS[0],
            transaction: Box::new(transaction),
            id: None,
        };
        send(&mut stream, &opening).expect("posternd reads");
        return stream;
    }
    panic!("posternd stays busy");
}
