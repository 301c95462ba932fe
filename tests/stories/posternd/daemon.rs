//! posternd decides for PAM hosts of effective user 0; the module relays. If posternd does not
//! listen, or the socket is not root's, the module starts the fallback.

use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;
use testhost::{
    HOST_SOCKET, Host, Person, Phone, Postern, Posternd, Store, Terminal, assert_contains,
    assert_lacks, finished, patiently, wait_until,
};

/// L1, L5: a used code is refused again, also after a restart of posternd.
#[test]
#[ignore = "needs the test host: tests/run"]
fn posternd_decides_and_remembers() {
    let host = Host::without_posternd();
    let mut posternd = Posternd::start();
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
    posternd.restart();
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
    host.clock.forward(30);
    alice.with_password().enters_with(&phone.code());
    assert_eq!(posternd.log(), "");
}

/// The module opens neither configuration nor key nor store while posternd decides.
#[test]
#[ignore = "needs the test host: tests/run"]
fn while_posternd_decides_the_host_opens_nothing_of_the_store() {
    let mut host = Host::without_posternd();
    let _posternd = Posternd::start();
    let (alice, phone) = host.enrolled_user("alice");
    host.restart_sshd();
    let trace = "/run/postern-relay.trace";
    let process = host.sshd().to_string();
    let mut tracer = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=open,openat,connect",
            "-o",
            trace,
            "-p",
            &process,
        ])
        .spawn()
        .expect("strace is installed");
    patiently("it is traced", || {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        Ok((!status.contains("TracerPid:\t0")).then_some(()))
    });
    alice.with_key().enters_with(&phone.code());
    tracer.kill().expect("it runs");
    tracer.wait().expect("it ends");
    let calls = fs::read_to_string(trace).expect("strace has written");
    assert_contains(&calls, HOST_SOCKET);
    for path in ["/etc/postern", "/var/lib/postern"] {
        assert_lacks(&calls, path);
    }
}

/// If posternd is killed during a prompt, access is denied and logged. If posternd is stopped or
/// absent, the fallback decides.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_posternd_that_is_killed_stopped_or_gone_keeps_no_user_out() {
    let host = Host::without_posternd();
    let mut posternd = Posternd::start();
    let (alice, phone) = host.enrolled_user("alice");

    let mut terminal = alice.with_key().up_to_the_code();
    posternd.crash();
    terminal.types(&phone.code());
    assert!(!terminal.ends().entered());
    host.journal.says(
        "refused cause=unavailable address=127.0.0.1 service=sshd user=\"alice\": posternd ended",
    );
    assert_eq!(Store::open().number("SELECT count(*) FROM failure"), 0);

    posternd.restart();
    posternd.signal(Signal::SIGSTOP);
    alice.with_key().enters_with(&phone.code());
    posternd.signal(Signal::SIGCONT);
    alice
        .with_key()
        .is_refused(&phone.code(), "That code was used already");
    host.clock.forward(30);
    drop(posternd);
    alice.with_key().enters_with(&phone.code());
}

/// A change applies to the next conversation. If a file is invalid and no saved copy exists, the
/// configuration in force stays in force.
#[test]
#[ignore = "needs the test host: tests/run"]
fn posternd_uses_the_last_valid_configuration() {
    const COPY: &str = "/etc/postern/postern.toml.valid";
    let host = Host::without_posternd();
    let mut posternd = Posternd::start();
    let (alice, phone) = host.enrolled_user("alice");
    let bob = host.person("bob");
    bob.with_key().enters();
    host.configure("[policy]\nrequired = \"all\"\n");
    bob.with_key().is_turned_away();
    host.journal.says("refused cause=not-enrolled");
    // Root's commands without a daemon would have saved this copy.
    let _ = fs::remove_file(COPY);
    host.write_configuration("[policy]\nrequired = \"alll\"\n");
    alice.with_key().enters_with(&phone.code());
    let line = host.journal.says("warning cause=misconfigured");
    assert_contains(&line, "policy.required");
    assert_contains(&line, "stays in force");
    bob.with_key().is_turned_away();
    posternd.restart();
    bob.with_key().is_turned_away();
    host.journal.says("refused cause=misconfigured");
}

/// The gate's user listens on a socket in place of posternd's. The module sends nothing to it, and
/// the fallback decides.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_impostor_of_the_gates_user_learns_nothing() {
    let host = Host::without_posternd();
    let (alice, phone) = host.enrolled_user("alice");
    finished(Command::new("install").args([
        "-d",
        "-o",
        "postern-gate",
        "-g",
        "postern",
        "/run/postern",
    ]));
    let _ = fs::remove_file(HOST_SOCKET);
    let heard = "/run/postern/heard";
    let mut impostor = Command::new("setpriv")
        .args(["--reuid=postern-gate", "--regid=postern", "--init-groups", "/usr/bin/python3", "-c"])
        .arg(
            "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\n\
             while True:\n c,_=s.accept()\n try:\n  c.send(bytes([8,0,0,0,1,0,2,0,0,0,1,0]))\n\
             \x20 got=c.recv(4096)\n except OSError:\n  got=b''\n open(sys.argv[2],'ab').write(b'%d;'%len(got))",
        )
        .args([HOST_SOCKET, heard])
        .spawn()
        .expect("it starts");
    wait_until("the impostor listens", || fs::exists(HOST_SOCKET));
    alice.with_key().enters_with(&phone.code());
    impostor.kill().expect("it runs");
    impostor.wait().expect("it ends");
    let heard = fs::read_to_string(heard).expect("it has written");
    assert!(
        !heard.is_empty() && heard.split_terminator(';').all(|bytes| bytes == "0"),
        "{heard}"
    );
    fs::remove_file(HOST_SOCKET).expect("it is there");
}

/// Runs a command of root by sudo, with password and code.
#[track_caller]
pub(crate) fn enters_by_sudo(host: &Host, person: &Person, phone: &Phone) {
    let mut sudo = Terminal::run(person.on_this_host("sudo id -un"));
    sudo.expect("password for alice: ").types(&person.password);
    sudo.expect("Verification code: ").types(&phone.code());
    sudo.expect("root");
    assert!(sudo.ends().status.success());
    let accepted = "pam_totp(sudo:auth): accepted cause=code";
    host.journal.says(accepted);
    let last = Postern::json("log alice --lines 1 --json");
    assert_eq!(last["service"], "sudo");
    assert_eq!(last["origin"], "local user alice");
}

/// sudo asks for password and code. If the socket's backlog is full, the module denies access at
/// its timeout.
#[test]
#[ignore = "needs the test host: tests/run"]
fn sudo_and_a_full_backlog() {
    let host = Host::without_posternd();
    host.sudoers("alice ALL=(ALL) ALL");
    host.clock.as_setuid_programs_see_it();
    host.configure("[totp]\nperiod = \"2m\"\n");
    let posternd = Posternd::start();
    let (alice, phone) = host.enrolled_user("alice");
    enters_by_sudo(&host, &alice, &phone);
    assert_eq!(posternd.log(), "");
    drop(posternd);

    // No process accepts: the module waits for its timeout and then denies access.
    let _listening = never_accepting(HOST_SOCKET);
    let _full: Vec<_> = (0..).map_while(|_| nonblocking(HOST_SOCKET)).collect();
    let mut sudo = Terminal::run(alice.on_this_host("sudo id -un"));
    sudo.expect("password for alice: ").types(&alice.password);
    sudo.expect("try again");
    assert!(!sudo.is_interrupted().status.success());
    host.journal.says(
        "refused cause=unavailable address=- service=sudo user=\"alice\": posternd has no room",
    );
    fs::remove_file(HOST_SOCKET).expect("it is there");
}

/// Listens on a socket with a short backlog and never accepts.
fn never_accepting(path: &str) -> std::os::fd::OwnedFd {
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
    };
    let one = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .expect("a socket");
    let address = UnixAddr::new(path).expect("a path");
    bind(std::os::fd::AsRawFd::as_raw_fd(&one), &address).expect("/run/postern can be written");
    listen(&one, Backlog::new(4).expect("a number")).expect("it listens");
    one
}

/// Adds one connection to the backlog. Returns `None` if it is full.
fn nonblocking(path: &str) -> Option<std::os::fd::OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let one = socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
    let address = UnixAddr::new(path).expect("a path");
    connect(std::os::fd::AsRawFd::as_raw_fd(&one), &address)
        .ok()
        .map(|()| one)
}
