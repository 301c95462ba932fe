//! Requests that no client sends: malformed, in absolute form, with doubled headers.

use crate::case::{Case, CaseResult, ensure};
use crate::net::browser::FETCH;
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("malformed-url", "no malformed URL grants access", malformed)
            .seen_in(&["CVE-2021-32637"]),
        Case::new(
            "malformed-url",
            "a malformed URL of a person who is signed in is no error of the server",
            malformed_signed_in,
        ),
        Case::new(
            "absolute-form",
            "an absolute form with another Host opens nothing to strangers",
            absolute_form,
        )
        .seen_in(&["LemonLDAP::NG deb12u8"]),
        Case::new(
            "absolute-form",
            "an absolute form with another Host evades no rule",
            absolute_form_signed_in,
        ),
        Case::new(
            "doubled-headers",
            "doubled headers open nothing to strangers",
            doubled,
        )
        .seen_in(&["CVE-2025-64484"]),
        Case::new(
            "doubled-headers",
            "a forged session before the real one, or after it, changes no identity",
            doubled_sessions,
        ),
    ]
}

fn targets(suite: &Suite) -> Vec<String> {
    let app = suite.target.application.url.authority();
    let mut targets: Vec<String> = [
        "/\0",
        "/a\0b",
        "/a b",
        "/%zz",
        "/%",
        "/%0",
        "/%00",
        "/%0a",
        "/\x7f",
        "/\u{ff}",
        "/\u{1}",
        "*",
        "x",
        "",
        "?",
        "//",
        "/\\",
        "/?q=%zz",
        "/ HTTP/1.1 x",
        "https://",
        "https:///x",
        "http://",
        "https://:443/",
        "https://@/",
        "https://[/",
        "//x:y@/",
        "/<>\"{}|^`",
    ]
    .map(str::to_owned)
    .to_vec();
    targets.push(format!("https://{app}\\@evil.example/"));
    targets.push(format!("/{}", "a".repeat(7000)));
    targets.push(format!("/{}", "a".repeat(64 * 1024)));
    targets
}

fn malformed(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/");
    let host = suite.target.application.url.authority();
    for target in targets(suite) {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{FETCH}Connection: close\r\n");
        // A server may end the connection.
        if let Ok(reply) = suite.stranger().send_head(&page, "GET", &head) {
            let what = format!("{target:.60?}");
            suite.not_reached(&what, &reply)?;
            ensure(reply.status < 500, || {
                format!("{what}: {}", reply.summary())
            })?;
        }
    }
    Ok(())
}

fn malformed_signed_in(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/");
    let host = suite.target.application.url.authority();
    let browser = suite.signed_in()?;
    let cookies = browser.cookie_line(&page);
    for target in targets(suite) {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\n{cookies}{FETCH}Connection: close\r\n"
        );
        if let Ok(reply) = browser.send_head(&page, "GET", &head) {
            ensure(reply.status < 500, || {
                format!("{target:.60?}: {}", reply.summary())
            })?;
        }
    }
    Ok(())
}

fn absolute_form(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/");
    let app = suite.target.application.url.authority();
    let gate = suite.target.gate.url.authority();
    for (target, host) in [
        (format!("https://{app}/"), gate.clone()),
        (format!("https://{gate}/"), app.clone()),
        (format!("http://{app}/"), app.clone()),
        (format!("https://{app}/"), "evil.example".to_owned()),
        ("https://evil.example/".to_owned(), app.clone()),
        (format!("https://{app}/"), String::new()),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{FETCH}Connection: close\r\n");
        if let Ok(reply) = suite.stranger().send_head(&page, "GET", &head) {
            suite.not_reached(&format!("{target} with Host: {host}"), &reply)?;
        }
    }
    Ok(())
}

fn absolute_form_signed_in(suite: &mut Suite) -> CaseResult {
    let closed = suite.needs("paths.denied", suite.target.paths.denied.clone())?;
    let page = suite.app("/");
    let app = suite.target.application.url.authority();
    let gate = suite.target.gate.url.authority();
    let browser = suite.signed_in()?;
    let cookies = browser.cookie_line(&page);
    for (target, host) in [
        (format!("https://{app}{closed}"), app.as_str()),
        (format!("https://{app}{closed}"), gate.as_str()),
        (format!("https://{app}{closed}"), "evil.example"),
        (format!("https://{gate}{closed}"), app.as_str()),
        (format!("https://evil.example{closed}"), app.as_str()),
        (format!("http://{app}{closed}"), app.as_str()),
    ] {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\n{cookies}{FETCH}Connection: close\r\n"
        );
        if let Ok(reply) = browser.send_head(&page, "GET", &head) {
            suite.not_reached(&format!("{target} with Host: {host}"), &reply)?;
        }
    }
    Ok(())
}

fn doubled(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/");
    let app = suite.target.application.url.authority();
    let gate = suite.target.gate.url.authority();
    for lines in [
        format!("Host: {app}\r\nHost: {gate}\r\n"),
        format!("Host: {gate}\r\nHost: {app}\r\n"),
        format!("Host: {app}\r\nHost: {app}\r\n"),
        format!("Host: {app}\r\nX-Forwarded-Host: {gate}\r\nX-Forwarded-Host: {app}\r\n"),
        format!("Host: {app}\r\nX-Original-URL: https://{app}/\r\nX-Original-URL: x\r\n"),
        format!("Host: {app}\r\nAuthorization: Basic eA==\r\nAuthorization: Bearer x\r\n"),
        format!("Host: {app}\r\nCookie: a=1\r\nCookie: a=2\r\nCookie:\r\n"),
        format!("Host: {app}\r\nContent-Length: 0\r\nContent-Length: 5\r\n"),
        format!("Host: {app}\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Method: OPTIONS\r\n"),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{lines}{FETCH}Connection: close\r\n");
        if let Ok(reply) = suite.stranger().send_head(&page, "GET", &head) {
            suite.not_reached(&format!("{lines:?}"), &reply)?;
        }
    }
    Ok(())
}

fn doubled_sessions(suite: &mut Suite) -> CaseResult {
    let user = suite.account(0)?.user;
    let page = suite.app("/");
    let mut browser = suite.signed_in()?;
    let ours = browser.jar.header(&page);
    let name = suite.target.gate.session_cookie.clone();
    let forged = format!("{name}={}", "B".repeat(120));
    for lines in [
        format!("Cookie: {forged}\r\nCookie: {ours}\r\n"),
        format!("Cookie: {ours}\r\nCookie: {forged}\r\n"),
        format!("Cookie: {ours}\r\nCookie: {ours}\r\n"),
    ] {
        let lines = format!("{lines}{FETCH}");
        let reply = browser.request_without_jar("GET", &page, &lines, b"")?;
        let echoed = suite.echoed("a doubled session", &reply)?;
        suite.is_identity(&echoed, &user)?;
        suite.is_clean("a doubled session", &echoed)?;
    }
    Ok(())
}
