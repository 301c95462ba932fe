//! What is more than one short request: websockets, events, uploads, HTTP/2.

use crate::case::{Case, CaseResult, ensure, failed, skipped};
use crate::echo::websocket_accept;
use crate::net::browser::Browser;
use crate::net::http2;
use crate::net::reply::Reply;
use crate::suite::Suite;
use std::io;

/// The key of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// A masked frame (RFC 6455, section 5.2) whose mask changes nothing.
const FRAME: &[u8] = b"\x81\x85\0\0\0\0hello";
/// Part of an upload that is sent at once, in bytes.
const PART: usize = 256 * 1024;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("websocket", "a stranger gets none", closed_websocket),
        Case::new(
            "websocket",
            "bytes arrive in both directions",
            open_websocket,
        ),
        Case::new(
            "server-sent-events",
            "an event arrives while the response is still open",
            event,
        ),
        Case::new("server-sent-events", "a stranger gets none", no_event),
        Case::new("upload", "a large body arrives whole", upload),
        Case::new("upload", "no body of a stranger arrives", no_upload),
        Case::new("http2", "a stranger is refused", http2_closed),
        Case::new(
            "http2",
            "identity and cookies are those of HTTP/1, also with the cookies in several fields",
            http2_open,
        ),
        Case::new("http2", "no forged identity arrives", http2_forged),
    ]
}

fn handshake(suite: &Suite, browser: &Browser) -> io::Result<(crate::net::wire::Wire, Reply)> {
    let page = suite.app("/socket");
    let cookies = browser.cookie_line(&page);
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n{cookies}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nOrigin: https://{}\r\n\r\n",
        page.target,
        page.authority(),
        page.authority()
    );
    let mut wire = browser.open(&page)?;
    wire.send(head.as_bytes())?;
    let reply = wire.read_head()?;
    Ok((wire, reply))
}

fn closed_websocket(suite: &mut Suite) -> CaseResult {
    let (_, reply) = handshake(suite, &suite.stranger())?;
    suite.denied("a websocket of a stranger", &reply)
}

fn open_websocket(suite: &mut Suite) -> CaseResult {
    let browser = suite.signed_in()?;
    let (mut wire, reply) = handshake(suite, &browser)?;
    ensure(reply.status == 101, || {
        format!("a websocket is answered with {}", reply.summary())
    })?;
    let accepted = reply.header("sec-websocket-accept");
    ensure(accepted == Some(&websocket_accept(KEY)), || {
        format!("Sec-WebSocket-Accept is {accepted:?}")
    })?;
    wire.send(FRAME)?;
    let got = wire.read_until(b"hello")?;
    ensure(got.ends_with(b"hello"), || "no frame came back".to_owned())
}

fn open_events(suite: &Suite, browser: &Browser) -> io::Result<Vec<u8>> {
    let page = suite.app("/events");
    let cookies = browser.cookie_line(&page);
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n{cookies}Accept: text/event-stream\r\n\
         Sec-Fetch-Mode: cors\r\nConnection: close\r\n\r\n",
        page.target,
        page.authority()
    );
    let mut wire = browser.open(&page)?;
    wire.send(head.as_bytes())?;
    wire.read_until(b"data: one")
}

fn event(suite: &mut Suite) -> CaseResult {
    let browser = suite.signed_in()?;
    let got = open_events(suite, &browser)?;
    ensure(
        got.ends_with(b"data: one") || contains(&got, b"data: one"),
        || "no event arrived".to_owned(),
    )
}

fn no_event(suite: &mut Suite) -> CaseResult {
    let got = open_events(suite, &suite.stranger())?;
    ensure(!contains(&got, b"data: one"), || {
        "a stranger gets an event".to_owned()
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn send_upload(suite: &Suite, browser: &Browser, method: &str) -> io::Result<Reply> {
    let page = suite.app("/files");
    let length = suite.target.limits.upload;
    let cookies = browser.cookie_line(&page);
    let head = format!(
        "{method} {} HTTP/1.1\r\nHost: {}\r\n{cookies}Content-Type: application/octet-stream\r\n\
         Sec-Fetch-Mode: cors\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        page.target,
        page.authority()
    );
    let mut wire = browser.open(&page)?;
    wire.send(head.as_bytes())?;
    let part = vec![b'u'; PART];
    let mut left = length;
    let mut sent = Ok(());
    while left > 0 && sent.is_ok() {
        let size = usize::try_from(left).unwrap_or(PART).min(PART);
        sent = wire.send(&part[..size]);
        left -= size as u64;
    }
    wire.read_reply(method)
        .or_else(|error| sent.and(Err(error)))
}

fn upload(suite: &mut Suite) -> CaseResult {
    let browser = suite.signed_in()?;
    for method in ["PUT", "POST"] {
        let reply = send_upload(suite, &browser, method)?;
        let length = suite.echoed(method, &reply)?.body_length;
        let sent = suite.target.limits.upload;
        ensure(length == Some(sent), || {
            format!("{method}: {length:?} of {sent} bytes arrived")
        })?;
    }
    Ok(())
}

fn no_upload(suite: &mut Suite) -> CaseResult {
    // A server may end the connection before it has read everything.
    if let Ok(reply) = send_upload(suite, &suite.stranger(), "PUT") {
        suite.denied("an upload of a stranger", &reply)?;
    }
    Ok(())
}

fn get(suite: &Suite, headers: &[(&str, &str)]) -> CaseResult<Reply> {
    let mut all = vec![("accept", "*/*"), ("sec-fetch-mode", "cors")];
    all.extend(headers);
    match http2::get(&suite.target, &suite.app("/page?q=1"), &all) {
        Ok(Some(reply)) => Ok(reply),
        Ok(None) => skipped("the server does not speak HTTP/2"),
        Err(error) => failed(format!("over HTTP/2: {error}")),
    }
}

fn http2_closed(suite: &mut Suite) -> CaseResult {
    let reply = get(suite, &[])?;
    suite.denied("a stranger over HTTP/2", &reply)?;
    let name = suite.target.gate.session_cookie.clone();
    let reply = get(suite, &[("cookie", &format!("{name}=made-up"))])?;
    suite.denied("a made-up session over HTTP/2", &reply)
}

fn http2_open(suite: &mut Suite) -> CaseResult {
    let user = suite.account(0)?.user;
    let ours = suite.signed_in()?.jar.header(&suite.app("/"));
    for cookies in [
        vec![ours.clone()],
        vec!["a=1".to_owned(), ours.clone(), "b=2".to_owned()],
        vec![format!("a=1; {ours}"), "b=2".to_owned()],
    ] {
        let headers: Vec<_> = cookies
            .iter()
            .map(|line| ("cookie", line.as_str()))
            .collect();
        let reply = get(suite, &headers)?;
        let echoed = suite.echoed("over HTTP/2", &reply)?;
        suite.is_identity(&echoed, &user)?;
        suite.is_clean("over HTTP/2", &echoed)?;
        let expected = if cookies.len() == 1 { "" } else { "a=1; b=2" };
        let got = echoed.value("Cookie");
        ensure(got == expected, || {
            format!("over HTTP/2 {got:?} arrived, not {expected:?}")
        })?;
    }
    Ok(())
}

fn http2_forged(suite: &mut Suite) -> CaseResult {
    let user = suite.account(0)?.user;
    let ours = suite.signed_in()?.jar.header(&suite.app("/"));
    let identity = suite.target.application.identity.to_ascii_lowercase();
    for name in [
        identity.clone(),
        identity.replace('-', "_"),
        identity.replace('-', "."),
    ] {
        let headers = [("cookie", ours.as_str()), (&name, "root"), (&name, "root")];
        let reply = get(suite, &headers)?;
        if !suite.arrived(&reply) {
            suite.denied(&name, &reply)?;
            continue;
        }
        suite.is_identity(&suite.echoed(&name, &reply)?, &user)?;
    }
    Ok(())
}
