//! Floods at the gate: thousands of silent and slow clients, few file descriptors, and a stop under
//! load.

use nix::sys::signal::Signal;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use testhost::{
    APP, Gate, Host, PROOF, SOCKET, Web, WebClient, Wire, assert_lacks, assert_within, patiently,
};

#[track_caller]
pub(crate) fn signed_in(host: &Host) -> (Web, WebClient) {
    let web = Web::nginx(host, "");
    let (alice, phone) = host.web_user("alice");
    let client = WebClient::new();
    client.signs_in(&web, &alice, &phone.code());
    (web, client)
}

/// Checks that the user's page is served at once, and that a client without a session is
/// redirected.
#[track_caller]
pub(crate) fn is_served(web: &Web, client: &WebClient) {
    for (who, status) in [(client, 200), (&WebClient::new(), 302)] {
        let began = Instant::now();
        let reply = who.loads(&format!("{APP}/"));
        assert_eq!(reply.status, status, "{reply:?}\n{}", web.gate.log());
        assert_within(began, Duration::from_secs(2));
    }
    assert_eq!(web.application.got().value("Remote-User"), "alice");
    web.application.got_nothing();
}

pub(crate) fn silent(count: usize) -> Vec<UnixStream> {
    (0..count)
        .map(|_| UnixStream::connect(SOCKET).expect("a connection"))
        .collect()
}

pub(crate) fn descriptors(gate: &Gate) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", gate.process())).map_or(0, Iterator::count)
}

pub(crate) const TAKEN: &str = "connections are in use";

/// Slow and silent clients are disconnected, and other clients are served meanwhile.
#[test]
#[ignore = "needs the test host: tests/run"]
fn slow_and_silent_clients_are_cut() {
    let host = Host::fresh();
    let (web, client) = signed_in(&host);
    let began = Instant::now();
    let mut cut: Vec<_> = [
        "",
        "GET",
        "GET /check/nginx HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "PRI * HTTP/2.0\r\n",
    ]
    .into_iter()
    .map(|words| {
        let mut wire = Wire::open();
        wire.sends(words.as_bytes());
        (words, wire)
    })
    .collect();
    is_served(&web, &client);
    for (words, wire) in &mut cut {
        assert!(
            wire.reads().is_none_or(|reply| reply.status == 408),
            "{words:?}"
        );
        let after = began.elapsed();
        assert!(
            (10..20).contains(&after.as_secs()),
            "{words:?} after {after:?}"
        );
    }
    // The gate has closed the connections that nginx kept open.
    is_served(&web, &client);
}

/// With few file descriptors, the gate holds fewer connections, and the log says which limit to
/// raise.
#[test]
#[ignore = "needs the test host: tests/run"]
fn connections_never_take_the_last_descriptors() {
    let host = Host::fresh();
    let (mut web, client) = signed_in(&host);
    web.gate.restart_through(&["prlimit", "--nofile=400:400"]);
    web.gate
        .says("accepts 144 connections at once instead of 4096");
    web.gate.says("LimitNOFILE=4352");
    let idle = silent(1000);
    is_served(&web, &client);
    web.gate.says(TAKEN);
    // The gate still has descriptors to open the store for a sign-in.
    assert_eq!(
        Wire::open()
            .password("alice", "not the password", "192.0.2.1")
            .status,
        401
    );
    assert_lacks(web.gate.log(), "panicked");
    drop(idle);

    web.gate.restart_through(&["prlimit", "--nofile=256:8192"]);
    patiently("the gate raises its limit", || {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", web.gate.process()))?;
        let files = limits
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .unwrap_or_default();
        let raised: Vec<_> = files.split_whitespace().skip(3).take(2).collect();
        Ok((raised == ["4352", "8192"]).then_some(()))
    });
    assert_lacks(web.gate.log(), "instead of");
}

/// SIGTERM at the connection limit: the gate finishes requests in progress, accepts no new
/// connection, and closes idle ones.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_end_waits_for_open_requests_and_for_nothing_else() {
    let host = Host::fresh();
    let (mut web, client) = signed_in(&host);
    web.gate.restart_through(&["prlimit", "--nofile=400:400"]);
    let idle = silent(300);
    let mut kept = Wire::open();
    let cookie = client.cookie_header("__Secure-postern");
    assert_eq!(kept.checks(&[&cookie]).status, 200);
    let mut halfway = Wire::open();
    halfway.sends(b"GET /check/nginx HTTP/1.1\r\nHost:");
    let mut open = half_a_form();
    web.gate.says(TAKEN);

    let began = Instant::now();
    web.gate.signal(Signal::SIGTERM);
    patiently("no new user is let in", || {
        let refused = UnixStream::connect(SOCKET).err();
        Ok(refused
            .filter(|error| error.kind() == ErrorKind::ConnectionRefused)
            .map(|_| ()))
    });
    for mut stream in idle {
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a timeout");
        let read = stream.read(&mut [0]);
        assert!(
            matches!(&read, Ok(0)) || read.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset)
        );
    }
    assert!(kept.reads().is_none() && halfway.reads().is_none());
    let reply = open
        .sends(REST)
        .reads()
        .expect("an open request is answered");
    assert_eq!(reply.status, 401, "{reply:?}");
    web.gate.ends();
    assert_within(began, Duration::from_secs(5));

    // A request that never completes does not delay the stop beyond its timeout.
    web.gate.restart();
    let open = half_a_form();
    let took = web.gate.stop();
    assert!(took < Duration::from_secs(15), "{took:?}");
    drop(open);
}

/// Sends the first half of a form; the gate waits for the rest.
#[track_caller]
fn half_a_form() -> Wire {
    let proof = format!("X-Postern-Proxy: {PROOF}");
    let length = format!("Content-Length: {}", FIRST.len() + REST.len());
    let mut wire = Wire::open();
    wire.begins(
        "POST /sign-in",
        &[
            "Host: auth.example.test:8443",
            &proof,
            "X-Real-IP: 192.0.2.7",
            "Content-Type: application/x-www-form-urlencoded",
            "Expect: 100-continue",
            &length,
        ],
    );
    let reply = wire.reads().expect("the gate reads the form");
    assert_eq!(reply.status, 100, "{reply:?}");
    wire.sends(FIRST);
    wire
}

const FIRST: &[u8] = b"user=alice&pass";
const REST: &[u8] = b"word=wrong";
