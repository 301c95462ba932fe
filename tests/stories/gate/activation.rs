//! Socket activation: systemd owns the sockets, and the first connection starts the gate.

use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use testhost::{
    APP, Host, SOCKET, WebClient, assert_contains, assert_lacks, finished, patiently, reconfigure,
    set_mode, tcp_reply,
};

const UNIT: &str = "/usr/lib/systemd/system/postern-gate.socket";

#[test]
#[ignore = "needs the test host: tests/run"]
fn systemd_understands_the_socket_unit() {
    let _host = Host::fresh();
    let printed = Command::new("systemd-analyze")
        .args(["verify", "--man=no", UNIT])
        .output();
    let printed = printed.expect("systemd-analyze runs");
    let text = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(
        printed.status.success() && !text.contains("postern"),
        "{text}"
    );
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_first_connection_starts_the_gate_and_the_socket_stays() {
    let (host, mut web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    web.gate.stop();
    std::fs::remove_file(SOCKET).expect("the gate leaves its own");
    reconfigure(
        "[gate]\n",
        "[gate]\nlisten = [\"systemd\", \"systemd:web\"]\n",
    );
    let mut activate = vec![
        "systemd-socket-activate",
        "--fdname=web:more",
        "--listen=127.0.0.1:9091",
    ];
    let listen = format!("--listen={SOCKET}");
    activate.insert(2, &listen);
    web.gate
        .restart_on_demand(&activate, "Listening on 127.0.0.1:9091");
    let group = nix::unistd::Group::from_name("postern-proxy")
        .ok()
        .flatten()
        .expect("postern is installed");
    chown(SOCKET, None, Some(group.gid.as_raw())).expect("root may do it");
    set_mode(SOCKET, 0o660);
    assert_lacks(web.gate.log(), "postern-gate:");

    // The first client waits until the gate serves.
    assert_eq!(WebClient::new().loads(&format!("{APP}/")).status, 302);
    web.gate.says("listens on systemd:web");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    let healthy = tcp_reply(9091, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("an answer");
    assert_eq!(healthy.status, 200);
    let before = std::fs::metadata(SOCKET)
        .expect("the socket")
        .permissions()
        .mode();
    web.gate.stop();
    let after = std::fs::metadata(SOCKET)
        .expect("the socket is systemd's")
        .permissions()
        .mode();
    assert_eq!(before, after);
}

/// Starts the gate by a connection to a socket with these options, and checks its last message.
#[track_caller]
fn fails(options: &[&str], words: &str) {
    let path = "/run/postern-tests/activation";
    let _ = std::fs::remove_file(path);
    let mut gate = Command::new("systemd-socket-activate");
    gate.args(options)
        .args([&format!("--listen={path}"), "/usr/bin/postern-gate"]);
    let mut gate = gate
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("systemd is installed");
    patiently("it listens", || {
        if options.contains(&"--datagram") {
            UnixDatagram::unbound()?
                .send_to(b"x", path)
                .map(|_| Some(()))
        } else {
            UnixStream::connect(path).map(|_| Some(()))
        }
    });
    let status = patiently("the gate has ended", || gate.try_wait());
    let mut text = String::new();
    gate.stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut text)
        .expect("text");
    assert_eq!(status.code(), Some(1), "{text}");
    assert_contains(&text, words);
    assert_lacks(&text, "panicked");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_socket_that_is_missing_or_that_is_not_taken_is_an_error_that_says_what_to_do() {
    let (_host, mut web) = Host::with_web();
    web.gate.stop();
    assert!(Path::new(SOCKET).exists());
    fails(&[], "systemd passes a socket unknown that no entry uses");
    fails(
        &["--fdname=web"],
        "add \"systemd:web\", or end its socket unit",
    );
    reconfigure("[gate]\n", "[gate]\nlisten = [\"systemd:web\"]\n");
    fails(
        &["--fdname=other"],
        "systemd passes no socket web, but other",
    );
    fails(
        &["--fdname=web", "--datagram"],
        "the socket web of systemd: it is neither TCP nor a unix stream",
    );
    let printed = Command::new("/usr/bin/postern-gate")
        .output()
        .expect("the gate can be called");
    let text = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(
        printed.status.code() == Some(1) && text.contains("enable --now postern-gate.socket"),
        "{text}"
    );
    // The gate ignores sockets that were passed to another process (`LISTEN_PID`).
    let mut attacker = Command::new("env");
    let printed = attacker
        .args(["LISTEN_FDS=1", "LISTEN_PID=1", "/usr/bin/postern-gate"])
        .output();
    let text =
        String::from_utf8_lossy(&printed.expect("the gate can be called").stderr).into_owned();
    assert_contains(&text, "systemd passes no socket");
    finished(Command::new("rm").args(["-f", "/run/postern-tests/activation"]));
}
