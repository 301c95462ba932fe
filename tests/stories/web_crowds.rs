//! Crowds at the gate: silent and slow clients in thousands, few descriptors, and the end with all of them there.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use testhost::{APP, Front, Gate, Host, PROOF, Place, SOCKET, Visitor, Web, Wire, patiently, reconfigure};

#[track_caller]
fn signed_in(host: &Host) -> (Web, Visitor) {
    let web = Web::start(host, Front::Nginx, Place::OwnHost, "");
    let alice = host.person("alice");
    alice.has_a_password();
    let phone = alice.enrols();
    let visitor = Visitor::new();
    visitor.signs_in(&web.pages, "alice", &alice.password, &phone.code(), "");
    (web, visitor)
}

/// The page, at once; and nobody else's.
#[track_caller]
fn is_served(web: &Web, visitor: &Visitor) {
    for (who, status) in [(visitor, 200), (&Visitor::new(), 302)] {
        let began = Instant::now();
        let answer = who.loads(&format!("{APP}/"));
        assert_eq!(answer.status, status, "{answer:?}\n{}", web.gate.log());
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    assert_eq!(web.application.got().value("Remote-User"), "alice");
    web.application.got_nothing();
}

fn silent(count: usize) -> Vec<UnixStream> {
    (0..count).map(|_| UnixStream::connect(SOCKET).expect("a connection")).collect()
}

fn descriptors(gate: &Gate) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", gate.process())).map_or(0, Iterator::count)
}

const TAKEN: &str = "connections are taken";

#[test]
#[ignore = "needs the test host: tests/run"]
fn ten_thousand_idle_connections_hold_nobody_up() {
    let host = Host::fresh();
    let (mut web, visitor) = signed_in(&host);
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("this process may have so many");
    assert!(most > 16_000, "this story needs more than {most} open files: ulimit -Hn");
    reconfigure("[gate]\n", "[gate]\nlisten = [\"unix:/run/postern/gate.sock\", \"tcp:127.0.0.1:9091\"]\n");
    web.gate.restart();
    let idle = silent(8000);
    let more: Vec<_> =
        (0..2000).map(|_| TcpStream::connect("127.0.0.1:9091").expect("a connection")).collect();
    for _ in 0..10 {
        is_served(&web, &visitor);
    }
    web.gate.says(TAKEN);
    // and while others come without end
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut held = VecDeque::new();
            while !over.load(Ordering::SeqCst) {
                held.extend(TcpStream::connect("127.0.0.1:9091"));
                if held.len() > 5000 {
                    held.pop_front();
                }
            }
        });
        for _ in 0..10 {
            is_served(&web, &visitor);
        }
        over.store(true, Ordering::SeqCst);
    });
    assert!(!web.gate.log().contains("panicked"), "{}", web.gate.log());
    drop((idle, more));
    patiently("the gate has closed what was open", || Ok((descriptors(&web.gate) < 100).then_some(())));
    is_served(&web, &visitor);
    // a line each time that they are all taken: on a slow machine the first have been cut before the others came
    let said = web.gate.log().matches(TAKEN).count();
    assert!((1..5).contains(&said), "{}", web.gate.log());
}

/// Slow clients and silent ones are cut, and others are served meanwhile.
#[test]
#[ignore = "needs the test host: tests/run"]
fn slow_and_silent_clients_are_cut() {
    let host = Host::fresh();
    let (web, visitor) = signed_in(&host);
    let began = Instant::now();
    let mut cut: Vec<_> =
        ["", "GET", "GET /check/nginx HTTP/1.1\r\nHost: x\r\nX-Slow: ", "PRI * HTTP/2.0\r\n"]
            .into_iter()
            .map(|words| {
                let mut wire = Wire::open();
                wire.sends(words.as_bytes());
                (words, wire)
            })
            .collect();
    is_served(&web, &visitor);
    for (words, wire) in &mut cut {
        assert!(wire.reads().is_none_or(|answer| answer.status == 408), "{words:?}");
        let after = began.elapsed();
        assert!((10..20).contains(&after.as_secs()), "{words:?} after {after:?}");
    }
    // nginx has lost the connections that it kept
    is_served(&web, &visitor);
}

/// Fewer descriptors, fewer connections, and the log says what to do about it.
#[test]
#[ignore = "needs the test host: tests/run"]
fn connections_never_take_the_last_descriptors() {
    let host = Host::fresh();
    let (mut web, visitor) = signed_in(&host);
    web.gate.restart_through(&["prlimit", "--nofile=400:400"]);
    web.gate.says("takes 272 connections at once instead of 4096");
    web.gate.says("LimitNOFILE=4224");
    let idle = silent(1000);
    is_served(&web, &visitor);
    web.gate.says(TAKEN);
    // the store can still be opened, for whoever signs in
    assert_eq!(Wire::open().password("alice", "not the password", "192.0.2.1").status, 401);
    assert!(!web.gate.log().contains("panicked"), "{}", web.gate.log());
    drop(idle);

    web.gate.restart_through(&["prlimit", "--nofile=256:8192"]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", web.gate.process()));
    let limits = limits.expect("the gate runs");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let raised: Vec<_> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(raised, ["4224", "8192"], "{limits}");
    assert!(!web.gate.log().contains("instead of"), "{}", web.gate.log());
}

/// SIGTERM, with every seat taken: open requests are answered, nobody new is let in, and who only waits is sent away.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_end_waits_for_open_requests_and_for_nothing_else() {
    let host = Host::fresh();
    let (mut web, visitor) = signed_in(&host);
    web.gate.restart_through(&["prlimit", "--nofile=400:400"]);
    let idle = silent(300);
    let mut kept = Wire::open();
    let cookie = format!("Cookie: __Secure-postern={}", visitor.cookie("__Secure-postern"));
    assert_eq!(kept.checks(&[&cookie]).status, 200);
    let mut halfway = Wire::open();
    halfway.sends(b"GET /check/nginx HTTP/1.1\r\nHost:");
    let mut open = half_a_form();
    web.gate.says(TAKEN);

    let began = Instant::now();
    web.gate.signal(Signal::SIGTERM);
    patiently("nobody new is let in", || {
        let refused = UnixStream::connect(SOCKET).err();
        Ok(refused.filter(|error| error.kind() == ErrorKind::ConnectionRefused).map(|_| ()))
    });
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let read = stream.read(&mut [0]);
        assert!(matches!(&read, Ok(0)) || read.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    }
    assert!(kept.reads().is_none() && halfway.reads().is_none());
    let answer = open.sends(REST).reads().expect("an open request is answered");
    assert_eq!(answer.status, 401, "{answer:?}");
    web.gate.ends();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // one that never comes to its end
    web.gate.restart();
    let open = half_a_form();
    let took = web.gate.stop();
    assert!(took < Duration::from_secs(15), "{took:?}");
    drop(open);
}

/// Of a form, the first half; the gate waits for the rest.
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
    let answer = wire.reads().expect("the gate reads the form");
    assert_eq!(answer.status, 100, "{answer:?}");
    wire.sends(FIRST);
    wire
}

const FIRST: &[u8] = b"user=alice&pass";
const REST: &[u8] = b"word=wrong";
