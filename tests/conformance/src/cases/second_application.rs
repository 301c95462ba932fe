//! A second application behind the same gate.

use crate::case::{Case, CaseResult, ensure};
use crate::net::browser::FETCH;
use crate::net::url::Url;
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "second-application",
            "a stranger is refused there too",
            closed,
        ),
        Case::new(
            "second-application",
            "a session opens it as the same account, or not at all",
            same_account,
        ),
        Case::new(
            "second-application",
            "a session of one host, under any name, is none at the other",
            host_only,
        )
        .seen_in(&["CVE-2026-32245"]),
    ]
}

fn other(suite: &Suite) -> CaseResult<Url> {
    let url = suite.target.application.other_url.clone();
    suite.needs("application.other_url", url)
}

fn closed(suite: &mut Suite) -> CaseResult {
    let page = other(suite)?;
    let reply = suite.stranger().load(&page)?;
    suite.denied("a page load", &reply)?;
    let reply = suite.stranger().fetch(&page)?;
    suite.denied("a fetch", &reply)
}

fn same_account(suite: &mut Suite) -> CaseResult {
    let page = other(suite)?;
    let user = suite.account(0)?.user;
    let mut browser = suite.signed_in()?;
    let reply = browser.fetch(&page)?;
    if !suite.arrived(&reply) {
        return suite.denied("a session of the first application", &reply);
    }
    let echoed = suite.echoed("the second application", &reply)?;
    suite.is_identity(&echoed, &user)?;
    suite.is_clean("the second application", &echoed)
}

/// A cookie that browsers send to one host alone is valid at that host alone.
fn host_only(suite: &mut Suite) -> CaseResult {
    let page = other(suite)?;
    let browser = suite.signed_in()?;
    let session = suite.target.gate.session_cookie.clone();
    let shared = browser.jar.header(&page);
    for (name, value) in browser.jar.all() {
        if shared.contains(value) {
            continue;
        }
        for name in [name, session.as_str()] {
            let lines = format!("Cookie: {name}={value}\r\n{FETCH}");
            let reply = suite.stranger().request("GET", &page, &lines, b"")?;
            suite.denied(&format!("{name} of one host"), &reply)?;
        }
    }
    ensure(!session.starts_with("__Host-") || shared.is_empty(), || {
        format!("{session} is sent to more than one host")
    })
}
