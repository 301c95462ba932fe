//! Request smuggling: requests that can be parsed in two ways, and bodies that never end. They are
//! refused, and no bytes after them are answered.

use testhost::{Host, PROOF, Wire, assert_lacks};

/// A request that would pass as a proxy's check if bytes of a body were parsed as a request.
fn smuggled() -> String {
    format!(
        "GET /check/nginx HTTP/1.1\r\nHost: x\r\nX-Postern-Proxy: {PROOF}\r\nX-Original-Method: GET\r\n\
         X-Original-URL: https://app.example.test:8443/\r\nX-Real-IP: 192.0.2.7\r\n\r\n"
    )
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn requests_that_can_be_read_in_two_ways_end_the_connection() {
    let (_host, web) = Host::with_web();
    let inner = smuggled();
    let length = inner.len() + 5;
    let both = format!("Content-Length: {length}\r\nTransfer-Encoding: chunked");
    let swapped = format!("Transfer-Encoding: chunked\r\nContent-Length: {length}");
    for (what, lines) in [
        ("length and chunks", both.as_str()),
        ("chunks and length", &swapped),
        ("chunks", "Transfer-Encoding: chunked"),
        (
            "chunks twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        ),
        (
            "chunks, then nothing",
            "Transfer-Encoding: chunked, identity",
        ),
        ("nothing", "Transfer-Encoding: identity"),
        ("other chunks", "Transfer-Encoding: xchunked"),
        ("chunks before a blank", "Transfer-Encoding : chunked"),
        ("chunks after a tab", "Transfer-Encoding:\tchunked"),
        ("chunks in capitals", "TRANSFER-ENCODING: CHUNKED"),
        ("a folded line", "X-A: 1\r\n Content-Length: 5"),
        ("a folded first line", " X-A: 1"),
        ("two lengths", "Content-Length: 5\r\nContent-Length: 0"),
        ("two lengths in one", "Content-Length: 5, 0"),
        ("a length with a sign", "Content-Length: +5"),
        ("a length below nothing", "Content-Length: -5"),
        ("a length in hexadecimal", "Content-Length: 0x5"),
        (
            "a length beyond all",
            "Content-Length: 99999999999999999999999",
        ),
        ("an empty length", "Content-Length: "),
        ("a bare carriage return", "X-A: 1\rContent-Length: 5"),
        ("a zero byte", "X-A: 1\0"),
        ("a line without a colon", "Content-Length"),
        ("a name with a blank", "Content Length: 5"),
    ] {
        let mut wire = Wire::open();
        wire.sends(
            format!("POST /sign-in HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n0\r\n\r\n{inner}")
                .as_bytes(),
        );
        let reply = wire.reads().unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(reply.status, 400, "{what}: {reply:?}");
        assert!(
            wire.reads().is_none(),
            "{what}: what came after it was answered"
        );
    }
    for (what, line) in [
        ("a version that is none", "GET / HTTP/1.11"),
        ("a version of long ago", "GET /"),
        ("a line that is none", "\0\0\0"),
        ("a target with a blank", "GET /a b HTTP/1.1"),
    ] {
        let mut wire = Wire::open();
        wire.sends(format!("{line}\r\nHost: x\r\n\r\n{inner}").as_bytes());
        assert!(
            wire.reads().is_none_or(|reply| reply.status == 400),
            "{what}"
        );
        assert!(
            wire.reads().is_none(),
            "{what}: what came after it was answered"
        );
    }
    // RFC 9112, section 2.2, allows a bare LF as the end of a line. The body ends by its length, so
    // only one parse is possible.
    let mut wire = Wire::open();
    wire.sends(
        format!("POST /nowhere HTTP/1.1\nHost: x\nContent-Length: 5\n\n0\r\n\r\n{inner}")
            .as_bytes(),
    );
    let answers = [wire.reads(), wire.reads()].map(|reply| reply.map(|reply| reply.status));
    assert_eq!(
        answers,
        [Some(403), Some(401)],
        "a stranger's page, and then a check without a session"
    );
    assert_lacks(web.gate.log(), "panicked");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn bodies_that_are_huge_or_never_end_delay_no_user() {
    let (_host, web) = Host::with_web();
    let proof = format!("X-Postern-Proxy: {PROOF}");
    let lines = [
        "Host: auth.example.test:8443",
        &proof,
        "X-Real-IP: 192.0.2.7",
    ];
    let form = [
        &lines[..],
        &["Content-Type: application/x-www-form-urlencoded"],
    ]
    .concat();
    let large = "a".repeat(1024 * 1024);
    let reply = Wire::open()
        .asks("POST /sign-in", &form, &large)
        .expect("an answer");
    assert_eq!(reply.status, 413);

    // Half a form is sent, and never the rest.
    let mut slow: Vec<_> = (0..50).map(|_| Wire::open()).collect();
    let headers = [&form[..], &["Content-Length: 100"]].concat();
    for wire in &mut slow {
        wire.begins("POST /sign-in", &headers).sends(b"user=");
    }
    assert_eq!(
        Wire::open().checks(&[]).status,
        401,
        "others are served meanwhile"
    );
    for wire in &mut slow {
        let reply = wire.reads().expect("an answer");
        assert_eq!(reply.status, 408);
        // After the timeout, the late bytes are not parsed as a request.
        assert!(wire.sends(smuggled().as_bytes()).reads().is_none());
    }
    // A check has no body: the gate does not wait for one that is announced.
    let checked = [
        "Content-Length: 1000000",
        "X-Original-Method: GET",
        "X-Original-URL: https://app.example.test:8443/",
    ];
    let mut wire = Wire::open();
    wire.begins("GET /check/nginx", &[&lines[..], &checked].concat());
    assert_eq!(wire.reads().expect("an answer").status, 401);
    assert_lacks(web.gate.log(), "panicked");
}
