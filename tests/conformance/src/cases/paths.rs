//! Rules by path and host: no spelling evades one.

use crate::case::{Case, CaseResult, ensure, failed};
use crate::net::browser::{Browser, FETCH};
use crate::net::reply::Reply;
use crate::suite::Suite;
use percent_encoding::percent_decode_str;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "rule-evasion",
            "no spelling of a closed path reaches it",
            closed_path,
        )
        .seen_in(&["CVE-2026-95811", "GHSA-8vcm-4gq3-w9fr"]),
        Case::new(
            "rule-evasion",
            "no spelling of an open path opens another",
            open_path,
        )
        .seen_in(&["CVE-2026-95811"]),
        Case::new(
            "rule-evasion",
            "an open path in query or fragment opens nothing",
            open_path_in_query,
        )
        .seen_in(&[
            "GHSA-pxq7-h93f-9jrg",
            "CVE-2025-54576",
            "GHSA-7rh7-c77v-6434",
        ]),
        Case::new(
            "rule-evasion",
            "a header that names an open path opens nothing",
            open_path_in_header,
        )
        .seen_in(&[
            "CVE-2026-40575",
            "GHSA-7x63-xv5r-3p2x",
            "GHSA-6384-m2mw-rf54",
            "CVE-2026-40912",
            "tinyauth v5.0.3",
        ]),
        Case::new(
            "rule-evasion",
            "no spelling of the host evades a rule",
            hosts,
        )
        .seen_in(&["CVE-2026-48794", "CVE-2026-27588", "CVE-2026-48710"]),
    ]
}

/// Returns a path as an application may read it: decoded twice, without parameters and dots.
fn normalized(path: &str) -> String {
    let once = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let twice = percent_decode_str(&once).decode_utf8_lossy().into_owned();
    let twice = twice.replace('\\', "/");
    let end = twice.find(['?', '#', '\0']).unwrap_or(twice.len());
    let mut segments: Vec<&str> = Vec::new();
    for segment in twice[..end].split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}

fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Sends a request with this target as it is.
fn send(suite: &Suite, browser: &Browser, target: &str, host: &str) -> std::io::Result<Reply> {
    let page = suite.app("/");
    let cookies = browser.cookie_line(&page);
    let head =
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{cookies}{FETCH}Connection: close\r\n");
    browser.send_head(&page, "GET", &head)
}

/// Sends a target, and fails if it arrives although `forbidden` holds of its normalized path.
fn must_not_reach(
    suite: &Suite,
    browser: &Browser,
    target: &str,
    forbidden: impl Fn(&str) -> bool,
) -> CaseResult {
    let host = suite.target.application.url.authority();
    // A server may end the connection.
    let Ok(reply) = send(suite, browser, target, &host) else {
        return Ok(());
    };
    if !suite.arrived(&reply) {
        return suite.denied(target, &reply);
    }
    let path = suite.echoed(target, &reply)?.path;
    match forbidden(&normalized(&path)) {
        true => failed(format!("{target} has reached the application as {path}")),
        false => Ok(()),
    }
}

fn closed_path(suite: &mut Suite) -> CaseResult {
    let closed = suite.needs("paths.denied", suite.target.paths.denied.clone())?;
    let browser = suite.signed_in()?;
    let name = closed.trim_start_matches('/');
    let first = name.chars().next().unwrap_or('x');
    let encoded = format!("%{:02x}{}", u32::from(first), &name[first.len_utf8()..]);
    let mut targets: Vec<String> = [
        "/{c}",
        "/{c}/",
        "/{c}/x?y",
        "/{e}",
        "//{c}",
        "/./{c}",
        "/{c}/.",
        "/x/../{c}",
        "/x/%2e%2e/{c}",
        "/x/..%2f{c}",
        "/x/..;/{c}",
        "/{c};x",
        "/;x/{c}",
        "/{c}%2f",
        "/{c}%2fx",
        "/{c}%00",
        "/{c}%3fx",
        "/{c}%23",
        "/x/..%5c{c}",
        "/x/..\\{c}",
        "/{c}\\",
        "/{c}?/x",
        "/{c}/../{c}",
        "/%2f{c}",
        "/%2e/{c}",
        "/{c}/%2e",
    ]
    .map(|target| target.replace("{c}", name).replace("{e}", &encoded))
    .to_vec();
    targets.push(format!("/%25{}", &encoded[1..]));
    if let Some(open) = &suite.target.paths.open {
        for way in [
            "/../",
            "/%2e%2e/",
            "/..%2f",
            "/..;/",
            "/%252e%252e/",
            "/..%5c",
        ] {
            targets.push(format!("{open}{way}{name}"));
        }
    }
    for target in &targets {
        must_not_reach(suite, &browser, target, |path| is_below(path, &closed))?;
    }
    Ok(())
}

fn open_path(suite: &mut Suite) -> CaseResult {
    let open = suite.needs("paths.open", suite.target.paths.open.clone())?;
    let stranger = suite.stranger();
    for after in [
        "/../x",
        "/%2e%2e/x",
        "/..%2fx",
        "%2f..%2fx",
        "/..;/x",
        "/;/../../x",
        "/..%5cx",
        "/..\\x",
        "/%252e%252e/x",
        "x",
        "/../",
        "/./../x",
        "//../x",
        "/%00/../../x",
    ] {
        let target = format!("{open}{after}");
        must_not_reach(suite, &stranger, &target, |path| !is_below(path, &open))?;
    }
    let reply = send(
        suite,
        &stranger,
        &open,
        &suite.target.application.url.authority(),
    )?;
    suite.echoed("the open path itself", &reply).map(drop)
}

fn open_path_in_query(suite: &mut Suite) -> CaseResult {
    let open = suite.needs("paths.open", suite.target.paths.open.clone())?;
    let stranger = suite.stranger();
    for before in [
        "/x?", "/x?y=", "/x#", "/x%23", "/x%3f", "/x;", "/x%3b", "/x&", "/?", "/#",
    ] {
        let target = format!("{before}{open}");
        must_not_reach(suite, &stranger, &target, |path| !is_below(path, &open))?;
    }
    Ok(())
}

fn open_path_in_header(suite: &mut Suite) -> CaseResult {
    let open = suite.needs("paths.open", suite.target.paths.open.clone())?;
    let url = suite.app(&open).to_string();
    let page = suite.app("/closed-to-strangers");
    let mut lines = Vec::new();
    for name in [
        "X-Forwarded-Uri",
        "X_Forwarded_Uri",
        "X-Forwarded-Prefix",
        "X-Forwarded-Path",
        "X-Original-URI",
        "X-Rewrite-URL",
        "X-Envoy-Original-Path",
    ] {
        lines.push(format!("{name}: {open}\r\n"));
        lines.push(format!("{name}:\r\n"));
    }
    for name in ["X-Original-URL", "X_Original_URL", "X.Original.URL"] {
        lines.push(format!("{name}: {url}\r\n"));
        lines.push(format!("{name}:\r\n"));
    }
    for name in [
        "X-Forwarded-Host",
        "X-Forwarded-Method",
        "X-Forwarded-Proto",
    ] {
        lines.push(format!("{name}:\r\n"));
        lines.push(format!("{name}: x\r\n{name}: y\r\n"));
    }
    for line in lines {
        let request = format!("{line}Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n");
        let reply = suite.stranger().request("GET", &page, &request, b"")?;
        suite.denied(line.trim(), &reply)?;
        let Some(location) = reply.header("location") else {
            continue;
        };
        ensure(location.contains("closed-to-strangers"), || {
            format!("{}: the page asked for became {location}", line.trim())
        })?;
    }
    Ok(())
}

fn hosts(suite: &mut Suite) -> CaseResult {
    let url = suite.target.application.url.clone();
    let closed = suite.target.paths.denied.clone();
    let browser = suite.signed_in()?;
    let (upper, authority) = (url.host.to_ascii_uppercase(), url.authority());
    for host in [
        format!("{upper}:{}", url.port),
        format!("{}.:{}", url.host, url.port),
        format!("{upper}.:{}", url.port),
        format!("{}:443", url.host),
        url.host.clone(),
        format!("{authority}/x?y"),
        format!("{}/x?y", url.host),
        format!("{}#x", url.host),
        format!("user@{authority}"),
        format!("{}%2e", url.host),
        "unknown.example.net".to_owned(),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
        String::new(),
    ] {
        if let Ok(reply) = send(suite, &suite.stranger(), "/", &host) {
            suite.not_reached(&format!("a stranger with Host: {host}"), &reply)?;
        }
        let Some(closed) = &closed else { continue };
        if let Ok(reply) = send(suite, &browser, closed, &host) {
            suite.not_reached(&format!("{closed} with Host: {host}"), &reply)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_path_are_the_same_path() {
        for path in [
            "/a/b",
            "//a/./b",
            "/a/x/../b?c",
            "/%61/b",
            "/a;x/b",
            "/a%2fb",
            "/a\\b",
            "/%2561/b#c",
        ] {
            assert_eq!(normalized(path), "/a/b", "{path}");
        }
        assert!(is_below("/a/b", "/a") && is_below("/a", "/a") && !is_below("/ab", "/a"));
    }
}
