//! How sessions end: by sign-out, by revocation, by time.

use crate::case::{Case, CaseResult, skipped};
use crate::sign_in::SignInRun;
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "revocation",
            "after the sign-out no copy of the cookies opens anything",
            signed_out,
        )
        .seen_in(&["caddy-security (Trail of Bits)", "nforwardauth"]),
        Case::new(
            "revocation",
            "a revoked session is refused from the next request on",
            revoked,
        ),
        Case::new(
            "expiry",
            "a session ends after its longest life, however it was used",
            session_expires,
        )
        .seen_in(&["nforwardauth"]),
        Case::new(
            "expiry",
            "the time between password and code is limited",
            login_expires,
        )
        .seen_in(&["CVE-2026-32729"]),
    ]
}

fn signed_out(suite: &mut Suite) -> CaseResult {
    if suite.target.sign_in.sign_out.is_empty() {
        return skipped("the target has no sign_in.sign_out");
    }
    let account = suite.account(0)?;
    let mut browser = suite.sign_in(0)?;
    let mut copy = browser.clone();
    let reply = copy.fetch(&suite.app("/"))?;
    suite.echoed("a copy of the cookies", &reply)?;
    SignInRun::new(&suite.target, &account).sign_out(&mut browser)?;
    for (what, browser) in [("the browser", &mut browser), ("a copy", &mut copy)] {
        let reply = browser.fetch(&suite.app("/"))?;
        suite.denied(&format!("{what} after the sign-out"), &reply)?;
    }
    Ok(())
}

fn revoked(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let command = suite.target.commands.revoke_sessions.as_ref();
    suite.needs("command revoke_sessions", command)?;
    let mut browser = suite.sign_in(0)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.echoed("a session", &reply)?;
    suite.command("revoke_sessions", &[("user", &account.user)])?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.denied("a revoked session", &reply)?;
    let reply = browser.load(&suite.app("/notes"))?;
    suite.denied("a page load with a revoked session", &reply)
}

fn session_expires(suite: &mut Suite) -> CaseResult {
    let life = suite.needs("limits.session", suite.target.limits.session)?;
    let command = suite.target.commands.advance.as_ref();
    suite.needs("command advance", command)?;
    let mut browser = suite.sign_in(0)?;
    suite.advance(life - life.min(60))?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.echoed("shortly before the end", &reply)?;
    suite.advance(61)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.denied("an expired session", &reply)
}

fn login_expires(suite: &mut Suite) -> CaseResult {
    let limit = suite.needs("limits.login", suite.target.limits.login)?;
    let command = suite.target.commands.advance.as_ref();
    suite.needs("command advance", command)?;
    let account = suite.account(0)?;
    let run = SignInRun::new(&suite.target, &account);
    let mut browser = suite.stranger();
    run.password(&mut browser)?;
    suite.advance(limit + 1)?;
    run.try_code(&mut browser, &suite.fresh_code(&account)?)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.denied("a code long after the password", &reply)
}
