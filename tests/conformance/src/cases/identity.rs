//! Who the application is told that a person is, whatever the client says.

use crate::case::{Case, CaseResult, ensure};
use crate::net::browser::{Browser, FETCH};
use crate::suite::Suite;

/// The value of every forged header.
const FORGED: &str = "conformance-forged";
/// An address of a network for documentation (RFC 5737).
const FORGED_ADDRESS: &str = "192.0.2.66";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "headers",
            "the application receives the account's name, once",
            name_once,
        )
        .seen_in(&["CVE-2026-30851", "GHSA-7r4p-vjf4-gxv4"]),
        Case::new(
            "headers",
            "what the client says of its own address is not what the application reads",
            own_address,
        )
        .seen_in(&["caddy-security (Trail of Bits)"]),
        Case::new(
            "headers",
            "credentials of the application arrive, and no secret of the proxy does",
            authorization_arrives,
        ),
        Case::new(
            "forged-identity",
            "no forged identity arrives, in any spelling, once or doubled",
            forged_identity,
        )
        .seen_in(&[
            "CVE-2025-64484",
            "GHSA-vjrc-mh2v-45x6",
            "CVE-2026-39858",
            "GHSA-f59h-q822-g45g",
        ]),
        Case::new(
            "forged-identity",
            "no other identity header arrives forged",
            forged_others,
        )
        .seen_in(&["CVE-2026-30851", "GHSA-7r4p-vjf4-gxv4"]),
        Case::new(
            "forged-identity",
            "no forged identity arrives on an open path",
            forged_on_open_path,
        ),
        Case::new(
            "forged-identity",
            "a Connection header removes neither the identity nor what the gate reads",
            named_in_connection,
        )
        .seen_in(&["CVE-2024-45410"]),
    ]
}

fn name_once(suite: &mut Suite) -> CaseResult {
    let user = suite.account(0)?.user;
    let reply = suite.signed_in()?.load(&suite.app("/page?q=1"))?;
    let echoed = suite.echoed("a page", &reply)?;
    suite.is_identity(&echoed, &user)?;
    suite.is_clean("a page", &echoed)?;
    ensure(
        echoed.method == "GET" && echoed.path.ends_with("/page?q=1"),
        || format!("{} {} arrived", echoed.method, echoed.path),
    )
}

fn own_address(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    let page = suite.app("/");
    for name in [
        "X-Forwarded-For",
        "X-Real-IP",
        "Forwarded",
        "X_Forwarded_For",
        "X_Real_IP",
    ] {
        let lines = format!("{name}: {FORGED_ADDRESS}\r\n{FETCH}");
        let reply = browser.request("GET", &page, &lines, b"")?;
        if !suite.arrived(&reply) {
            suite.denied(name, &reply)?;
            continue;
        }
        let echoed = suite.echoed(name, &reply)?;
        for value in echoed.values(name) {
            // A proxy may append the address to what the client says.
            let last = value.rsplit(',').next().unwrap_or(value);
            ensure(!last.contains(FORGED_ADDRESS), || {
                format!("{name}: {value} has arrived")
            })?;
        }
    }
    Ok(())
}

fn authorization_arrives(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    let page = suite.app("/");
    let mut lines = format!("Authorization: Bearer of-the-application\r\n{FETCH}");
    for name in &suite.target.application.secret_headers {
        lines.push_str(&format!("{name}: guess\r\n"));
    }
    let reply = browser.request("GET", &page, &lines, b"")?;
    let echoed = suite.echoed("a request with credentials of the application", &reply)?;
    suite.is_clean("a request", &echoed)?;
    let got = echoed.value("Authorization");
    ensure(got == "Bearer of-the-application", || {
        format!("Authorization arrived as {got:?}")
    })
}

/// Returns spellings of a header's name, some of which CGI applications take for it.
fn spellings(name: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        name.to_ascii_lowercase(),
        name.to_ascii_uppercase(),
        name.replace('-', "_"),
        name.replace('-', "_").to_ascii_lowercase(),
        name.replace('-', "."),
        name.replace('-', "!"),
    ]
}

/// Sends a request, and looks at the identity if it arrives; it may be refused.
fn send_forged(suite: &Suite, browser: &mut Browser, user: &str, lines: &str) -> CaseResult {
    let lines = format!("{lines}{FETCH}");
    let reply = browser.request("GET", &suite.app("/"), &lines, b"")?;
    let what = lines.lines().next().unwrap_or_default();
    if !suite.arrived(&reply) {
        return suite.denied(what, &reply);
    }
    let echoed = suite.echoed(what, &reply)?;
    suite.is_identity(&echoed, user).and_then(|()| {
        let forged = echoed
            .headers
            .iter()
            .find(|(name, value)| value.contains(FORGED) && is_identity_header(suite, name));
        ensure(forged.is_none(), || format!("{what}: {forged:?} arrived"))
    })
}

fn is_identity_header(suite: &Suite, name: &str) -> bool {
    let plain = |name: &str| name.replace(['_', '.', '!'], "-").to_ascii_lowercase();
    let mut headers = suite.target.application.identity_headers.iter();
    headers.any(|header| plain(header) == plain(name))
}

fn forged_identity(suite: &mut Suite) -> CaseResult {
    let user = suite.account(0)?.user;
    let mut browser = suite.signed_in()?;
    let identity = suite.target.application.identity.clone();
    for name in spellings(&identity) {
        for lines in [
            format!("{name}: {FORGED}\r\n"),
            format!("{name}: {FORGED}\r\n{name}: {FORGED}\r\n"),
            format!("{name}:\r\n{name}: {FORGED}\r\n"),
            format!("{name}: {user}\r\n{name}: {FORGED}\r\n"),
        ] {
            send_forged(suite, &mut browser, &user, &lines)?;
        }
    }
    Ok(())
}

fn forged_others(suite: &mut Suite) -> CaseResult {
    let user = suite.account(0)?.user;
    let mut browser = suite.signed_in()?;
    for header in suite.target.application.identity_headers.clone() {
        if header == suite.target.application.identity {
            continue;
        }
        for name in spellings(&header) {
            let lines = format!("{name}: {FORGED}\r\n");
            send_forged(suite, &mut browser, &user, &lines)?;
        }
    }
    Ok(())
}

fn forged_on_open_path(suite: &mut Suite) -> CaseResult {
    let open = suite.needs("paths.open", suite.target.paths.open.clone())?;
    let mut stranger = suite.stranger();
    for name in spellings(&suite.target.application.identity) {
        let lines = format!("{name}: {FORGED}\r\n{FETCH}");
        let reply = stranger.request("GET", &suite.app(&open), &lines, b"")?;
        if !suite.arrived(&reply) {
            suite.denied(&name, &reply)?;
            continue;
        }
        let echoed = suite.echoed(&name, &reply)?;
        let got = echoed.value(&suite.target.application.identity);
        ensure(got.is_empty(), || format!("{name}: {got:?} arrived"))?;
    }
    let reply = stranger.fetch(&suite.app(&open))?;
    suite.echoed("the open path", &reply).map(drop)
}

fn named_in_connection(suite: &mut Suite) -> CaseResult {
    let user = suite.account(0)?.user;
    let mut browser = suite.signed_in()?;
    let identity = suite.target.application.identity.clone();
    for named in [
        identity.as_str(),
        &identity.to_ascii_lowercase(),
        "Cookie",
        "Authorization",
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "X-Forwarded-Uri",
        "X-Original-URL",
        "X-Real-IP",
    ] {
        let lines = format!("Connection: close, {named}\r\n");
        send_forged(suite, &mut browser, &user, &lines)?;
        let lines = format!("Connection: close, {named}\r\n{FETCH}");
        let reply = suite
            .stranger()
            .request("GET", &suite.app("/"), &lines, b"")?;
        suite.denied(&format!("a stranger with Connection: {named}"), &reply)?;
    }
    Ok(())
}
