//! Unauthenticated clients that fill the log, its pipe, or the memory of the gate.

use super::fairness::{resident, trusted};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};
use testhost::{
    Disk, Host, PROOF, SOCKET, STORE_FOLDER, WebClient, Wire, assert_contains, reconfigure,
    tcp_reply, wait_until,
};

/// A process held standard error open and did not read it: checks and /healthz hung.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_log_that_is_not_read_delays_no_user() {
    let (_host, web) = Host::with_web();
    reconfigure(
        "[gate]\n",
        "[gate]\naccess_log = true\noperations = \"tcp:127.0.0.1:9092\"\n",
    );
    let mut web = web;
    let read = "while IFS= read -r line; do echo \"$line\" >&2; case $line in *'listens on'*) break;; esac; done";
    let through = format!("exec \"$@\" 2> >({read}; exec sleep 600)");
    web.gate.restart_through(&["bash", "-c", &through, "bash"]);
    let mut wire = Wire::open();
    let began = Instant::now();
    // The pipe buffers 64 KiB, the queue 2 MiB.
    for _ in 0..20_000 {
        assert_eq!(wire.checks(&["Sec-Fetch-Mode: navigate"]).status, 401);
    }
    println!("20,000 checks in {:?}", began.elapsed());
    assert_eq!(
        wire.asks("GET /healthz", &["Host: x"], "")
            .map(|reply| reply.status),
        Some(200)
    );
    let metrics = tcp_reply(9092, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("it answers");
    let dropped = metrics
        .body
        .lines()
        .find(|line| line.starts_with("postern_log_lines_dropped_total "));
    let dropped: u64 = dropped
        .and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .expect("it is counted");
    assert!(dropped > 1000, "{dropped}");
    let took = web.gate.stop();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Malformed requests caused a log line each, without a rate limit.
#[test]
#[ignore = "needs the test host: tests/run"]
fn lines_that_attackers_cause_are_written_now_and_then() {
    let (_host, web) = Host::with_web();
    let mut wire = Wire::open();
    for _ in 0..1000 {
        let reply = wire
            .asks("GET /check/nginx", &["Host: x"], "")
            .expect("an answer");
        assert_eq!(reply.status, 403);
        let proof = format!("X-Postern-Proxy: {PROOF}");
        let lines = [
            "Host: x",
            &proof,
            "X-Original-Method: A_B",
            "X-Real-IP: 192.0.2.7",
        ];
        assert_eq!(
            wire.asks("GET /check/nginx", &lines, "")
                .expect("an answer")
                .status,
            401
        );
    }
    for (kind, cause) in [
        ("proxy-contract", "cause=proxy-contract"),
        ("untrusted-proxy", "cause=untrusted-proxy"),
    ] {
        let lines = web.gate.log().matches(cause).count();
        assert!((1..60).contains(&lines), "{lines} lines of {cause}");
        web.gate.says(&format!("log kind={kind} suppressed="));
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a frame is small")
        .to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Encodes a header field without indexing by HPACK (RFC 7541, section 6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(
            u8::try_from(text.len())
                .ok()
                .filter(|length| *length < 127)
                .expect("it is short"),
        );
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// Opens a connection with concurrent requests, each with fields that take one byte on the wire.
fn many_fields(streams: u32, fields: usize) -> UnixStream {
    let mut stream = UnixStream::connect(SOCKET).expect("the gate listens");
    stream
        .set_write_timeout(Some(Duration::from_secs(5)))
        .expect("a timeout");
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    for number in 0..streams {
        // POST and https; "a: b" is added to the dynamic table once, and then takes one byte each.
        let mut block = vec![0x83, 0x87];
        for (name, value) in [
            (":path", "/sign-in"),
            (":authority", "auth.example.test:8443"),
            ("x-postern-proxy", PROOF),
            ("x-real-ip", "192.0.2.7"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", "10"),
        ] {
            block.extend(literal(name, value));
        }
        if number == 0 {
            block.extend([0x40, 1, b'a', 1, b'b']);
        }
        block.extend(vec![0xbe; fields]);
        bytes.extend(frame(1, 4, 2 * number + 1, &block));
    }
    // The gate may refuse the requests while they are sent.
    let _ = stream.write_all(&bytes);
    stream
}

/// 0.6 MiB that one connection sent took 40 MiB of the gate's memory.
#[test]
#[ignore = "needs the test host: tests/run"]
fn small_fields_in_great_numbers_hold_little_memory() {
    let host = Host::fresh();
    let (web, _, _, client) = trusted(&host, "");
    let before = resident(web.gate.process());
    let most = AtomicUsize::new(before);
    for fields in [2700, 1200, 80] {
        let held: Vec<_> = (0..30).map(|_| many_fields(200, fields)).collect();
        for _ in 0..20 {
            most.fetch_max(resident(web.gate.process()), Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
        }
        let reply = client.loads(&web.pages);
        assert_eq!(reply.status, 200, "{reply:?}");
        drop(held);
    }
    let most = most.load(Ordering::SeqCst);
    println!("{before} MiB before, {most} MiB at most");
    assert!(
        most < before + 160,
        "{before} MiB before, {most} MiB at most"
    );
    // HTTP/1 heads that never end.
    let held: Vec<_> = (0..500)
        .map(|_| {
            let mut stream = UnixStream::connect(SOCKET).expect("the gate listens");
            stream
                .set_write_timeout(Some(Duration::from_secs(5)))
                .expect("a timeout");
            let head = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(60_000));
            let _ = stream.write_all(head.as_bytes());
            stream
        })
        .collect();
    thread::sleep(Duration::from_secs(1));
    let now = resident(web.gate.process());
    println!("{now} MiB with 500 heads of 60 kB");
    assert!(now < most + 120, "{most} MiB before, {now} MiB now");
    drop(held);
}

/// On a full disk no user could sign in, and the gate reported that it was ready.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_gate_whose_store_takes_no_writes_is_not_ready() {
    let host = Host::fresh();
    let (mut web, alice, _, _) = trusted(&host, "");
    reconfigure("[gate]\n", "[gate]\noperations = \"tcp:127.0.0.1:9092\"\n");
    web.gate.restart();
    let ready = || tcp_reply(9092, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").expect("it answers");
    assert_eq!(ready().status, 200, "{:?}", ready());
    let disk = Disk::over(STORE_FOLDER, "4m");
    web.gate.restart();
    assert_eq!(ready().status, 200, "{:?}", ready());
    let filler = format!("{STORE_FOLDER}/filler");
    let _ = fs::write(&filler, vec![0; 8 << 20]);
    // The write-ahead log has some free space left, which is used first.
    wait_until("no user can sign in", || {
        Ok(Wire::open()
            .password("nobody", "wrong", "198.18.0.1")
            .status
            == 503)
    });
    wait_until("it is not ready", || Ok(ready().status == 503));
    assert_contains(&ready().body, "cannot be written");
    fs::remove_file(&filler).expect("it can be removed");
    wait_until("it is ready again", || Ok(ready().status == 200));
    assert_eq!(WebClient::new().password(&web, &alice).status, 303);
    drop(web);
    drop(disk);
}
