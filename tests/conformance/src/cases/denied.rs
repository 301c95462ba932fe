//! Requests of a stranger, and of a person who gave the password alone.

use crate::case::{Case, CaseResult, ensure, failed};
use crate::net::browser::FETCH;
use crate::sign_in::{SignInRun, encoded};
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "signed-out",
            "a page load is led to the sign-in page, which knows the page asked for",
            page_load,
        ),
        Case::new(
            "signed-out",
            "no made-up session cookie grants access",
            made_up_cookies,
        )
        .seen_in(&["CVE-2026-25748", "61131 ngx_http_auth_totp"]),
        Case::new(
            "signed-out",
            "no User-Agent and no other header grants access",
            magic_headers,
        )
        .seen_in(&["CVE-2026-34457", "GHSA-5hvv-m4w4-gf6v"]),
        Case::new(
            "signed-out",
            "garbage in any header is answered and grants nothing",
            garbage,
        ),
        Case::new(
            "signed-out",
            "the password by Basic does not skip the code",
            basic_password,
        )
        .seen_in(&["tinyauth #123"]),
        Case::new(
            "password-only",
            "the password alone opens nothing",
            password_alone,
        ),
        Case::new(
            "password-only",
            "no cookie of that moment is a session under its name",
            renamed_cookies,
        )
        .seen_in(&["CVE-2024-52946"]),
    ]
}

fn page_load(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/notes/7?a=1&b=%2Fx");
    let reply = suite.stranger().load(&page)?;
    suite.denied("a page load", &reply)?;
    let Some(location) = reply.header("location") else {
        return failed(format!(
            "a page load is not redirected: {}",
            reply.summary()
        ));
    };
    let leads = page.join(location);
    let to_gate = leads.is_some_and(|url| url.is_same_site(&suite.target.gate.url));
    ensure(to_gate, || format!("a page load is led to {location}"))?;
    ensure(location.contains(&encoded_path(&page.to_string())), || {
        format!("the page asked for is lost: {location}")
    })
}

/// Encodes a URL for a query, except for what need not be encoded.
fn encoded_path(url: &str) -> String {
    encoded(url)
        .replace("%2E", ".")
        .replace("%2D", "-")
        .replace("%5F", "_")
}

fn made_up_cookies(suite: &mut Suite) -> CaseResult {
    let name = suite.target.gate.session_cookie.clone();
    let real = suite.signed_in()?;
    let real = real.jar.value(&name).unwrap_or_default().to_owned();
    ensure(real.len() > 8, || format!("{name} holds no session"))?;
    let page = suite.app("/");
    let other = if real.ends_with('A') { "B" } else { "A" };
    let changed = if real.starts_with('A') { "B" } else { "A" };
    for value in [
        String::new(),
        "0".repeat(24),
        "A".repeat(real.len()),
        real[..real.len() - 1].to_owned(),
        real[..real.len() / 2].to_owned(),
        format!("{changed}{}", &real[1..]),
        format!("{real}{other}"),
        format!("{}{other}", &real[..real.len() - 2]),
        real.to_uppercase(),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.".to_owned(),
        "%00".to_owned(),
        "\u{e9}\u{ff}".to_owned(),
        "x".repeat(7000),
    ] {
        let lines = format!("Cookie: {name}={value}\r\n{FETCH}");
        let reply = suite.stranger().request("GET", &page, &lines, b"")?;
        suite.denied(&format!("the cookie {name}={value:.40}"), &reply)?;
    }
    Ok(())
}

fn magic_headers(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/");
    for line in [
        "User-Agent: GoogleHC/1.0",
        "User-Agent: kube-probe/1.30",
        "User-Agent: ELB-HealthChecker/2.0",
        "User-Agent: Envoy/HC",
        "User-Agent: Prometheus/2.0",
        "X-Forwarded-For: 127.0.0.1",
        "X-Real-IP: 127.0.0.1",
        "X-Original-URL: /healthz",
        "X-Original-URI: /ping",
        "X-Rewrite-URL: /healthz",
        "X-Original-Method: OPTIONS",
        "X-Forwarded-Method: OPTIONS",
        "X-HTTP-Method-Override: OPTIONS",
        "X-Forwarded-Host: localhost",
        "X-Forwarded-User: root",
        "X-Auth-Request-User: root",
        "X-Authenticated-User: root",
        "Authorization: Bearer null",
        "Authorization: Negotiate",
        "Upgrade-Insecure-Requests: 1",
        "Service-Worker: script",
        "Purpose: prefetch",
    ] {
        let lines = format!("{line}\r\n{FETCH}");
        let reply = suite.stranger().request("GET", &page, &lines, b"")?;
        suite.denied(line, &reply)?;
    }
    Ok(())
}

fn garbage(suite: &mut Suite) -> CaseResult {
    let page = suite.app("/");
    for name in [
        "Cookie",
        "Authorization",
        "Accept",
        "Accept-Language",
        "Origin",
        "Referer",
        "X-Requested-With",
        "Sec-Fetch-Mode",
        "X-Forwarded-For",
        "User-Agent",
    ] {
        for value in [
            "",
            "\u{ff}\u{fe}",
            "=;=;,",
            "Basic \u{80}",
            "%zz",
            "Bearer  ",
        ] {
            let lines = format!("{name}: {value}\r\n");
            let reply = suite.stranger().request("GET", &page, &lines, b"")?;
            suite.denied(&format!("{name}: {value}"), &reply)?;
        }
    }
    Ok(())
}

fn basic_password(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let pair = format!("{}:{}", account.user, account.password);
    let pair = data_encoding::BASE64.encode(pair.as_bytes());
    let page = suite.app("/");
    for lines in [
        format!("Authorization: Basic {pair}\r\n"),
        format!("Authorization: Basic {pair}\r\n{FETCH}"),
        format!("authorization: basic {pair}\r\n"),
    ] {
        let reply = suite.stranger().request("GET", &page, &lines, b"")?;
        suite.denied("the password by Basic", &reply)?;
    }
    Ok(())
}

fn password_alone(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let mut browser = suite.stranger();
    SignInRun::new(&suite.target, &account).password(&mut browser)?;
    for path in ["/", "/notes?x"] {
        let reply = browser.load(&suite.app(path))?;
        suite.denied("a page load after the password", &reply)?;
        let reply = browser.fetch(&suite.app(path))?;
        suite.denied("a fetch after the password", &reply)?;
    }
    Ok(())
}

fn renamed_cookies(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let mut browser = suite.stranger();
    SignInRun::new(&suite.target, &account).password(&mut browser)?;
    let session = suite.target.gate.session_cookie.clone();
    let page = suite.app("/");
    for (name, value) in browser.jar.all() {
        let lines = format!("Cookie: {session}={value}\r\n{FETCH}");
        let reply = suite.stranger().request("GET", &page, &lines, b"")?;
        suite.denied(&format!("the value of {name} as {session}"), &reply)?;
    }
    Ok(())
}
