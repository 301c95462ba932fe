//! Unauthenticated clients that take connections, workers or memory from the owner of an account.

use crate::web_crowds::descriptors;
use crate::without_root::PAM_PEER;
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};
use testhost::{
    AUTH, Disk, Host, PAM_SOCKET, PROOF, PamPeer, PasswordHelper, Person, Phone, Postern, Posternd,
    SOCKET, STORE_FOLDER, Visitor, Web, Wire, assert_contains, patiently, reconfigure, tcp_reply,
    wait_until,
};

/// Starts a gate, and signs alice in at a browser that she trusts.
fn trusted(host: &Host, extra: &str) -> (Web, Person, Phone, Visitor) {
    let web = Web::nginx(host, extra);
    let (alice, phone) = host.web_user("alice");
    let visitor = Visitor::new();
    visitor.signs_in_and_trusts(&web, &alice, &phone.code());
    (web, alice, phone, visitor)
}

/// Runs `others` while attackers send wrong passwords over this number of connections. Returns the
/// statuses of the attackers' replies.
fn flooded(
    connections: usize,
    from: impl Fn(usize, usize) -> String + Sync,
    others: impl FnOnce(),
) -> Vec<u16> {
    let (over, tries) = (AtomicBool::new(false), AtomicUsize::new(0));
    let statuses = thread::scope(|scope| {
        let strangers: Vec<_> = (0..connections)
            .map(|number| {
                let (over, tries, from) = (&over, &tries, &from);
                scope.spawn(move || {
                    let (mut wire, mut statuses) = (Wire::open(), Vec::new());
                    while !over.load(Ordering::SeqCst) {
                        let count = tries.fetch_add(1, Ordering::SeqCst);
                        let name = format!("nobody{count}");
                        statuses.push(wire.password(&name, "wrong", &from(number, count)).status);
                    }
                    statuses
                })
            })
            .collect();
        // Every attacker waits for a reply before the others begin.
        wait_until("the flood has begun", || {
            Ok(tries.load(Ordering::SeqCst) > connections + connections / 2)
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(others));
        over.store(true, Ordering::SeqCst);
        let statuses = strangers
            .into_iter()
            .flat_map(|one| one.join().unwrap_or_default())
            .collect();
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
        statuses
    });
    println!(
        "the strangers were answered {} times",
        tries.load(Ordering::SeqCst)
    );
    statuses
}

/// Checks that each of the tries returns the right status, and prints the average duration.
#[track_caller]
fn all_get_in(what: &str, tries: usize, mut one: impl FnMut() -> u16, right: u16) {
    let began = Instant::now();
    let statuses: Vec<_> = (0..tries).map(|_| one()).collect();
    let got_in = statuses.iter().filter(|status| **status == right).count();
    println!(
        "{what}: {got_in} of {tries}, each in {:?}",
        began.elapsed() / u32::try_from(tries).unwrap_or(1)
    );
    assert_eq!(got_in, tries, "{what}: {statuses:?}");
}

fn made_up(_: usize, count: usize) -> String {
    format!("198.18.{}.{}", count / 250 % 250, count % 250)
}

/// 300 connections sent wrong passwords from spoofed addresses: every sign-in of the owner was
/// refused as "busy", from a trusted browser too, and so was every page of a valid session.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_flood_of_wrong_passwords_keeps_the_owner_out_of_nothing() {
    let host = Host::fresh();
    let (web, alice, _, visitor) = trusted(&host, "");
    let signed_in = visitor.robbed();
    let statuses = flooded(300, made_up, || {
        let password = |who: &Visitor| who.password(&web, &alice).status;
        all_get_in(
            "a page of the account",
            20,
            || signed_in.loads(&web.pages).status,
            200,
        );
        all_get_in("a trusted browser", 15, || password(&visitor), 303);
        all_get_in("a familiar address", 10, || password(&Visitor::new()), 303);
        let mut last = 60;
        all_get_in(
            "a new address",
            5,
            || {
                last += 1;
                let new = Visitor::new().from(&format!("127.0.0.{last}"));
                // 300 attackers have the same priority as a new address, so on a slow machine some
                // tries time out.
                let mut answers = (0..5)
                    .map(|_| password(&new))
                    .inspect(|answer| print!("{answer} "));
                answers.find(|answer| *answer != 503).unwrap_or(503)
            },
            303,
        );
        let out = signed_in.sends(&format!("{AUTH}/sign-out"), &[]);
        assert_eq!(
            out.status, 200,
            "signing out needs no worker of the hashes: {out:?}"
        );
    });
    assert!(
        statuses
            .iter()
            .all(|status| [401, 429, 503].contains(status))
    );
    let refused = statuses.iter().filter(|status| **status == 503).count();
    println!(
        "{refused} of {} tries of strangers found no place",
        statuses.len()
    );
}

/// The same flood through the real nginx, from addresses of the loopback network.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_flood_through_nginx_keeps_the_owner_out_of_nothing() {
    let host = Host::fresh();
    let (web, alice, _, visitor) = trusted(&host, "");
    let signed_in = visitor.robbed();
    let tries = |round: usize| {
        let one = |number: usize| {
            format!(
                "url = \"{AUTH}/sign-in\"\ninterface = \"127.{}.{}.{}\"\nheader = \"Origin: {AUTH}\"\n\
                 data = \"user=nobody{number}&password=wrong\"\noutput = /dev/null\n\
                 write-out = \"%{{http_code}}\\n\"\ninsecure\nsilent\nmax-time = 60\n",
                10 + round,
                number / 250,
                number % 250 + 1
            )
        };
        (0..1000).map(one).collect::<Vec<_>>().join("next\n")
    };
    let file = format!("/tmp/flood-{}", std::process::id());
    let (over, mut answers) = (AtomicBool::new(false), String::new());
    thread::scope(|scope| {
        let strangers = scope.spawn(|| {
            let mut answers = String::new();
            for round in 0..20 {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                fs::write(&file, tries(round)).expect("/tmp can be written");
                let mut curl = Command::new("curl");
                curl.args(["--parallel", "--parallel-max", "250", "-K", &file]);
                let output = curl.output().expect("curl runs; tests/run installs it");
                answers.push_str(&String::from_utf8_lossy(&output.stdout));
            }
            answers
        });
        let busy = || Some(resident(web.gate.process())).filter(|_| descriptors(&web.gate) > 150);
        patiently("the flood has begun", || Ok(busy()));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let password = |who: &Visitor| who.password(&web, &alice).status;
            all_get_in(
                "a page of the account",
                20,
                || signed_in.loads(&web.pages).status,
                200,
            );
            all_get_in("a trusted browser", 10, || password(&visitor), 303);
            all_get_in("a familiar address", 10, || password(&Visitor::new()), 303);
            let mut last = 60;
            all_get_in(
                "a new address",
                5,
                || {
                    last += 1;
                    password(&Visitor::new().from(&format!("127.0.0.{last}")))
                },
                303,
            );
        }));
        over.store(true, Ordering::SeqCst);
        answers = strangers.join().expect("the strangers end");
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    let of = |status: &str| answers.lines().filter(|line| *line == status).count();
    println!(
        "strangers: 401 {}, 429 {}, 503 {}, all {}",
        of("401"),
        of("429"),
        of("503"),
        answers.lines().count()
    );
    assert!(of("401") > 0 && of("303") == 0);
}

/// One address that is already delayed used 100 connections and took all workers of the password
/// hash.
#[test]
#[ignore = "needs the test host: tests/run"]
fn an_address_that_is_delayed_anyway_takes_no_worker() {
    let host = Host::fresh();
    let (web, alice, _, visitor) = trusted(&host, "");
    let signed_in = visitor.robbed();
    for number in 0..12 {
        // Guesses at different names count for the address; delayed guesses at one name do not.
        Wire::open().password(&format!("somebody{number}"), "wrong", "203.0.113.9");
    }
    let statuses = flooded(
        100,
        |_, _| "203.0.113.9".to_owned(),
        || {
            let password = |who: &Visitor| who.password(&web, &alice).status;
            all_get_in(
                "a page of the account",
                20,
                || signed_in.loads(&web.pages).status,
                200,
            );
            all_get_in("a trusted browser", 10, || password(&visitor), 303);
            let mut last = 60;
            all_get_in(
                "a new address",
                10,
                || {
                    last += 1;
                    password(&Visitor::new().from(&format!("127.0.0.{last}")))
                },
                303,
            );
        },
    );
    let let_in: Vec<_> = statuses
        .iter()
        .filter(|status| ![429, 503].contains(*status))
        .collect();
    assert!(let_in.is_empty(), "it was delayed all the time: {let_in:?}");
}

/// Passwords of this host are verified one at a time, and a wrong one takes 2 s.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_flood_of_wrong_host_passwords_leaves_the_owner_a_question() {
    let (host, web) = Host::with_web();
    let (alice, phone) = host.enrolled_user("alice");
    reconfigure("[gate]\n", "[gate]\nfirst_factor = \"pam\"\n");
    let mut web = web;
    web.gate.restart();
    let _helper = PasswordHelper::start();
    let visitor = Visitor::new();
    visitor.signs_in_and_trusts(&web, &alice, &phone.code());
    flooded(120, made_up, || {
        let password = |who: &Visitor| who.password(&web, &alice).status;
        all_get_in("a trusted browser", 5, || password(&visitor), 303);
        all_get_in("a familiar address", 5, || password(&Visitor::new()), 303);
        let mut last = 60;
        all_get_in(
            "a new address",
            2,
            || {
                last += 1;
                password(&Visitor::new().from(&format!("127.0.0.{last}")))
            },
            303,
        );
    });
}

/// One user with a range of subordinate uids (subuid), which have no names, took every connection
/// of pam.sock.
#[test]
#[ignore = "needs the test host: tests/run"]
fn users_without_a_name_take_no_place_of_those_with_one() {
    let host = Host::without_posternd();
    let alice = host.person("alice");
    Postern::call("account add alice").does();
    let posternd = Posternd::start();
    let status = json!({ "command": "{\"account\":\"alice\",\"task\":{\"look\":\"status\"}}" });
    let peer_of = |uid| PamPeer::start(PAM_PEER, uid, PAM_SOCKET);
    let mut peers: Vec<_> = (100_000..100_020).chain([65534]).map(peer_of).collect();
    for peer in &mut peers {
        assert_eq!(peer.does(&json!({ "hold": 30 }))["held"], 30);
        // posternd replies that it is busy while it looks up the users of earlier connections.
        wait_until("it is told", || {
            Ok(peer.does(&status)["state"] == "NoAccount")
        });
    }
    for _ in 0..5 {
        alice.postern("status --json").does();
    }
    assert_eq!(posternd.log(), "", "and no line of the log");
}

/// A process held standard error open and did not read it: checks and /healthz hung.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_log_that_nobody_reads_holds_nobody_up() {
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
            .map(|answer| answer.status),
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
fn lines_that_strangers_cause_are_written_now_and_then() {
    let (_host, web) = Host::with_web();
    let mut wire = Wire::open();
    for _ in 0..1000 {
        let answer = wire
            .asks("GET /check/nginx", &["Host: x"], "")
            .expect("an answer");
        assert_eq!(answer.status, 403);
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

/// Returns the resident memory of a process, in MiB.
fn resident(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .unwrap_or(0)
        / 1024
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
    let (web, _, _, visitor) = trusted(&host, "");
    let before = resident(web.gate.process());
    let most = AtomicUsize::new(before);
    for fields in [2700, 1200, 80] {
        let held: Vec<_> = (0..30).map(|_| many_fields(200, fields)).collect();
        for _ in 0..20 {
            most.fetch_max(resident(web.gate.process()), Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
        }
        let answer = visitor.loads(&web.pages);
        assert_eq!(answer.status, 200, "{answer:?}");
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
    wait_until("nobody can sign in", || {
        Ok(Wire::open()
            .password("nobody", "wrong", "198.18.0.1")
            .status
            == 503)
    });
    wait_until("it is not ready", || Ok(ready().status == 503));
    assert_contains(&ready().body, "cannot be written");
    fs::remove_file(&filler).expect("it can be removed");
    wait_until("it is ready again", || Ok(ready().status == 200));
    assert_eq!(Visitor::new().password(&web, &alice).status, 303);
    drop(web);
    drop(disk);
}
