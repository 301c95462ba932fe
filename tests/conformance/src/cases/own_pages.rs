//! The gate's own pages and interface.

use crate::case::{Case, CaseResult, ensure, skipped};
use crate::net::browser::{FETCH, NAVIGATE};
use crate::sign_in::{SignInRun, encoded};
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "own-api",
            "the gate's own interface needs a session",
            needs_session,
        ),
        Case::new(
            "own-api",
            "a request of another site changes nothing",
            foreign_origin,
        )
        .seen_in(&["CVE-2024-52948"]),
        Case::new(
            "own-api",
            "checks cannot be asked for from outside",
            no_check,
        ),
        Case::new(
            "own-api",
            "no page shows a secret after the password alone",
            no_secret,
        )
        .seen_in(&["CVE-2026-44460"]),
        Case::new(
            "own-api",
            "no field that a page repeats is read as HTML",
            no_script,
        )
        .seen_in(&["caddy-security (Trail of Bits)"]),
    ]
}

fn needs_session(suite: &mut Suite) -> CaseResult {
    let requests = suite.target.gate.own_api.clone();
    if requests.is_empty() {
        return skipped("the target has no gate.own_api");
    }
    let own = suite.target.gate.url.authority();
    for request in &requests {
        let (method, path) = request.split_once(' ').unwrap_or(("GET", "/"));
        for lines in [
            format!("{FETCH}Origin: https://{own}\r\n"),
            format!(
                "{FETCH}Cookie: {}=made-up\r\n",
                suite.target.gate.session_cookie
            ),
        ] {
            let reply = suite
                .stranger()
                .request(method, &suite.page(path), &lines, b"")?;
            suite.denied(request, &reply)?;
        }
    }
    Ok(())
}

fn foreign_origin(suite: &mut Suite) -> CaseResult {
    let requests = suite.target.gate.changing.clone();
    if requests.is_empty() {
        return skipped("the target has no gate.changing");
    }
    let mut browser = suite.signed_in()?;
    for request in &requests {
        let (method, path) = request.split_once(' ').unwrap_or(("POST", "/"));
        for origin in ["https://evil.example", "null"] {
            let lines = format!(
                "Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n"
            );
            let reply = browser
                .clone()
                .request(method, &suite.page(path), &lines, b"x=1")?;
            ensure((400..500).contains(&reply.status), || {
                format!("{request} with Origin {origin}: {}", reply.summary())
            })?;
        }
    }
    let reply = browser.fetch(&suite.app("/"))?;
    suite.echoed("the session afterwards", &reply).map(drop)
}

fn no_check(suite: &mut Suite) -> CaseResult {
    let paths = suite.target.gate.check_paths.clone();
    if paths.is_empty() {
        return skipped("the target has no gate.check_paths");
    }
    let mut browser = suite.signed_in()?;
    let app = suite.app("/");
    let lines = format!(
        "X-Original-URL: {app}\r\nX-Original-Method: GET\r\nX-Forwarded-Method: GET\r\n\
         X-Forwarded-Uri: /\r\n{FETCH}"
    );
    for path in &paths {
        let reply = browser.request("GET", &suite.page(path), &lines, b"")?;
        ensure((400..500).contains(&reply.status), || {
            format!("{path} is answered with {}", reply.summary())
        })?;
        let name = suite.target.application.identity.to_ascii_lowercase();
        ensure(reply.header(&name).is_none(), || {
            format!("{path} answers with {name}")
        })?;
    }
    Ok(())
}

fn no_secret(suite: &mut Suite) -> CaseResult {
    let pages = suite.target.gate.enrollment_pages.clone();
    if pages.is_empty() {
        return skipped("the target has no gate.enrollment_pages");
    }
    let account = suite.account(0)?;
    let Some(secret) = &account.secret else {
        return skipped("the first account has no secret in the target file");
    };
    let mut half = suite.stranger();
    SignInRun::new(&suite.target, &account).password(&mut half)?;
    let mut whole = suite.signed_in()?;
    for path in &pages {
        for browser in [&mut half, &mut whole] {
            let reply = browser.request("GET", &suite.page(path), NAVIGATE, b"")?;
            let text = reply.text().to_ascii_uppercase();
            ensure(!text.contains(&secret.to_ascii_uppercase()), || {
                format!("{path} shows the secret of {}", account.user)
            })?;
        }
    }
    Ok(())
}

const SCRIPT: &str = "\"'><script>conformance()</script>";

fn no_script(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let mut pages = Vec::new();
    if let Some(page) = &suite.target.gate.return_page {
        let url = suite.page(&page.replace("{rd}", &encoded(SCRIPT)));
        pages.push(suite.stranger().load(&url)?);
        let inside = format!("{}{SCRIPT}", suite.app("/"));
        let url = suite.page(&page.replace("{rd}", &encoded(&inside)));
        pages.push(suite.stranger().load(&url)?);
    }
    let mut odd = account.clone();
    SCRIPT.clone_into(&mut odd.user);
    let run = SignInRun::new(&suite.target, &odd).with_rd(SCRIPT);
    let mut browser = suite.stranger();
    pages.push(run.try_password(&mut browser, "x")?.reply);
    pages.push(browser.load(&suite.page(""))?);
    pages.push(
        suite
            .stranger()
            .load(&suite.page(&format!("none/{}", encoded(SCRIPT))))?,
    );
    for page in pages {
        ensure(!page.text().contains("<script>conformance"), || {
            "a page repeats what was typed as HTML".to_owned()
        })?;
    }
    Ok(())
}
