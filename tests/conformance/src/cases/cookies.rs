//! Cookies: those of the gate stay with it, those of the application arrive, in any bytes.

use crate::case::{Case, CaseResult, ensure, failed};
use crate::net::browser::FETCH;
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "cookies",
            "no cookie of the gate reaches the application, and all others do",
            cookies_kept,
        ),
        Case::new("cookies", "two Cookie lines over HTTP/1 are one", two_lines),
        Case::new(
            "foreign-cookies",
            "foreign cookies in any bytes lock no account out and hide no cookie",
            foreign_bytes,
        ),
        Case::new(
            "foreign-cookies",
            "foreign cookies in any bytes open nothing",
            foreign_bytes_of_strangers,
        ),
        Case::new(
            "foreign-cookies",
            "cookies that were planted under the session's name lock no account out",
            planted,
        )
        .seen_in(&["CVE-2026-25748"]),
        Case::new(
            "foreign-cookies",
            "two valid sessions of different accounts are refused",
            two_sessions,
        ),
        Case::new(
            "64-kib-cookie",
            "a cookie of 64 KiB opens nothing and stops no other client",
            huge,
        ),
        Case::new(
            "64-kib-cookie",
            "5 KiB of the application's cookies arrive",
            large,
        ),
    ]
}

fn cookies_kept(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    let page = suite.app("/");
    let ours = browser.jar.header(&page);
    for (line, arrives) in [
        (ours.clone(), ""),
        (format!("a=1; {ours}"), "a=1"),
        (format!("{ours}; b=2"), "b=2"),
        (format!("a=1; {ours}; b=2"), "a=1; b=2"),
        (format!("q=\"a=b\"; {ours}"), "q=\"a=b\""),
    ] {
        let lines = format!("Cookie: {line}\r\n{FETCH}");
        let reply = browser.request_without_jar("GET", &page, &lines, b"")?;
        let what = format!("cookies {arrives:?} beside the gate's");
        let echoed = suite.echoed(&what, &reply)?;
        suite.is_clean(&what, &echoed)?;
        let got = echoed.value("Cookie");
        ensure(got == arrives, || {
            format!("{got:?} arrived, not {arrives:?}")
        })?;
    }
    Ok(())
}

fn two_lines(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    let page = suite.app("/");
    let ours = browser.jar.header(&page);
    for lines in [
        format!("Cookie: a=1\r\nCookie: {ours}\r\n"),
        format!("Cookie: {ours}\r\nCookie: a=1\r\n"),
    ] {
        let lines = format!("{lines}{FETCH}");
        let reply = browser.request_without_jar("GET", &page, &lines, b"")?;
        let echoed = suite.echoed("two Cookie lines", &reply)?;
        suite.is_clean("two Cookie lines", &echoed)?;
        let got = echoed.value("Cookie");
        ensure(got == "a=1", || format!("{got:?} arrived, not \"a=1\""))?;
    }
    Ok(())
}

/// Returns cookies as applications set them; `{session}` is the gate's name.
fn foreign(suite: &Suite) -> Vec<String> {
    [
        "n=Zo\u{eb}",
        "last={session}=x",
        "q=\"{session}=old, {session}",
        "a=1, {session}=abcdefghijklmnopqrstuvwxyz",
        "x{session}=1",
        "empty=",
        "=nameless",
        "justname",
        ";;; ;",
    ]
    .map(|text| text.replace("{session}", &suite.target.gate.session_cookie))
    .to_vec()
}

fn foreign_bytes(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    let page = suite.app("/");
    let ours = browser.jar.header(&page);
    for foreign in foreign(suite) {
        let lines = format!("Cookie: {foreign}; {ours}; b=2\r\n{FETCH}");
        let reply = browser.request_without_jar("GET", &page, &lines, b"")?;
        let what = format!("the cookie {foreign}");
        let echoed = suite.echoed(&what, &reply)?;
        suite.is_clean(&what, &echoed)?;
        let got = echoed.value("Cookie");
        ensure(got.ends_with("b=2"), || format!("{what}: {got:?} arrived"))?;
        let exact = foreign.is_ascii() && foreign.contains('=') && !foreign.starts_with('=');
        ensure(!exact || got.contains(&foreign), || {
            format!("{what}: {got:?} arrived")
        })?;
    }
    Ok(())
}

fn foreign_bytes_of_strangers(suite: &mut Suite) -> CaseResult {
    for foreign in foreign(suite) {
        let lines = format!("Cookie: {foreign}\r\n{FETCH}");
        let reply = suite
            .stranger()
            .request("GET", &suite.app("/"), &lines, b"")?;
        suite.denied(&format!("the cookie {foreign}"), &reply)?;
    }
    Ok(())
}

fn planted(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    let page = suite.app("/");
    let ours = browser.jar.header(&page);
    let name = suite.target.gate.session_cookie.clone();
    let many: String = (0..100)
        .map(|n| format!("{name}=planted-{n:02}; "))
        .collect();
    let stale = format!("{name}={}; ", "A".repeat(100));
    for before in [many, stale, format!("{ours}; ")] {
        let lines = format!("Cookie: {before}{ours}\r\n{FETCH}");
        let reply = browser.request_without_jar("GET", &page, &lines, b"")?;
        let what = format!("after {before:.30}");
        suite.is_clean(&what, &suite.echoed(&what, &reply)?)?;
    }
    Ok(())
}

fn two_sessions(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/");
    let first = suite.signed_in()?.jar.header(&page);
    let second = suite.sign_in(1)?.jar.header(&page);
    for both in [
        format!("{first}; {second}"),
        format!("{second}; a=1; {first}"),
    ] {
        let lines = format!("Cookie: {both}\r\n{FETCH}");
        let reply = suite.stranger().request("GET", &page, &lines, b"")?;
        suite.denied("two sessions that disagree", &reply)?;
    }
    Ok(())
}

fn huge(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    let page = suite.app("/");
    let lines = format!("Cookie: x={}\r\n{FETCH}", "x".repeat(64 * 1024));
    // A server may end the connection before it has read everything.
    if let Ok(reply) = suite.stranger().request("GET", &page, &lines, b"") {
        suite.closed("a cookie of 64 KiB", &reply)?;
    }
    let lines = format!(
        "Cookie: {}; x={}\r\n",
        browser.jar.header(&page),
        "x".repeat(65_536)
    );
    if let Ok(reply) = browser.request_without_jar("GET", &page, &lines, b"") {
        if suite.arrived(&reply) {
            suite.is_clean("64 KiB", &suite.echoed("64 KiB", &reply)?)?;
        }
    }
    let reply = browser.fetch(&page)?;
    suite.echoed("the next request", &reply).map(drop)
}

fn large(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    let page = suite.app("/");
    let many: String = (0..5)
        .map(|n| format!("c{n}={}; ", "v".repeat(1000)))
        .collect();
    let lines = format!("Cookie: {many}{}\r\n{FETCH}", browser.jar.header(&page));
    let reply = browser.request_without_jar("GET", &page, &lines, b"")?;
    let echoed = suite.echoed("5 KiB of cookies", &reply)?;
    suite.is_clean("5 KiB of cookies", &echoed)?;
    let got = echoed.value("Cookie").len();
    match got == many.len() - 2 {
        true => Ok(()),
        false => failed(format!("{got} bytes of cookies arrived")),
    }
}
