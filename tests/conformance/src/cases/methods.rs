//! Methods, requests of scripts, and CORS preflights.

use crate::case::{Case, CaseResult, ensure};
use crate::net::browser::FETCH;
use crate::net::reply::Reply;
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("methods", "no method is open to strangers", closed_for_all),
        Case::new("methods", "each method arrives as it was sent", arrive),
        Case::new(
            "xhr",
            "a script's request is refused with 401, without redirect and dialog",
            scripts,
        ),
        Case::new(
            "cors-preflight",
            "a preflight of a stranger reaches nothing and permits nothing",
            preflight,
        ),
        Case::new(
            "cors-preflight",
            "a preflight for an open path arrives",
            open_preflight,
        ),
    ]
}

const METHODS: [&str; 8] = [
    "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT",
];

fn closed_for_all(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/");
    for method in METHODS.iter().chain(&["TRACE", "BREW", "get", "MKCOL"]) {
        for lines in ["", FETCH] {
            let reply = suite.stranger().request(method, &page, lines, b"")?;
            suite.closed(method, &reply)?;
            // A proxy may not know a method (RFC 9110, section 15.6.2).
            let is_known = reply.status < 500 || reply.status == 501;
            ensure(is_known, || format!("{method}: {}", reply.summary()))?;
        }
    }
    Ok(())
}

fn arrive(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    let page = suite.app("/dav/x");
    for method in METHODS {
        let body: &[u8] = if ["POST", "PUT", "PATCH"].contains(&method) {
            b"abc"
        } else {
            b""
        };
        let reply = browser.request(method, &page, FETCH, body)?;
        if method == "HEAD" {
            ensure(reply.status == 200, || format!("HEAD: {}", reply.summary()))?;
            continue;
        }
        let echoed = suite.echoed(method, &reply)?;
        let length = echoed.body_length.unwrap_or(body.len() as u64);
        ensure(
            echoed.method == method && length == body.len() as u64,
            || format!("{method} arrived as {} with {length} bytes", echoed.method),
        )?;
    }
    Ok(())
}

fn scripts(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/data");
    for (method, lines, body) in [
        ("GET", FETCH, ""),
        ("GET", "Sec-Fetch-Mode: same-origin\r\n", ""),
        (
            "GET",
            "X-Requested-With: XMLHttpRequest\r\nAccept: text/html\r\n",
            "",
        ),
        (
            "POST",
            "Content-Type: application/json\r\nSec-Fetch-Mode: cors\r\n",
            "{}",
        ),
    ] {
        let reply = suite
            .stranger()
            .request(method, &page, lines, body.as_bytes())?;
        suite.denied(lines, &reply)?;
        ensure(reply.status == 401, || {
            format!("{lines:?}: {}", reply.summary())
        })?;
        ensure(reply.header("location").is_none(), || {
            format!("{lines:?}: {}", reply.summary())
        })?;
        ensure(!opens_dialog(&reply), || {
            format!("{lines:?}: a challenge opens a dialog in the browser")
        })?;
    }
    Ok(())
}

fn opens_dialog(reply: &Reply) -> bool {
    let mut challenges = reply.all("www-authenticate");
    challenges.any(|challenge| challenge.trim().to_ascii_lowercase().starts_with("basic"))
}

const PREFLIGHT: &str = "Origin: https://evil.example\r\nAccess-Control-Request-Method: PUT\r\n\
                         Access-Control-Request-Headers: x-any\r\nSec-Fetch-Mode: cors\r\n";

fn preflight(suite: &mut Suite) -> CaseResult {
    let reply = suite
        .stranger()
        .request("OPTIONS", &suite.app("/data"), PREFLIGHT, b"")?;
    suite.denied("a preflight", &reply)?;
    let permits = reply.header("access-control-allow-origin");
    ensure(permits.is_none(), || {
        format!("the gate permits the origin {permits:?}")
    })
}

fn open_preflight(suite: &mut Suite) -> CaseResult {
    let open = suite.needs("paths.open", suite.target.paths.open.clone())?;
    let reply = suite
        .stranger()
        .request("OPTIONS", &suite.app(&open), PREFLIGHT, b"")?;
    let echoed = suite.echoed("a preflight for an open path", &reply)?;
    ensure(echoed.value("Origin") == "https://evil.example", || {
        "the preflight's Origin is lost".to_owned()
    })
}
