//! Two tabs of one browser, and trusted browsers.

use crate::case::{Case, CaseResult, ensure, skipped};
use crate::net::browser::Browser;
use crate::sign_in::SignInRun;
use crate::suite::Suite;
use crate::target::Account;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "two-tabs",
            "two tabs that sign in one after the other both end signed in",
            two_tabs,
        ),
        Case::new(
            "two-tabs",
            "the forms of both tabs work, whichever comes first",
            both_forms,
        ),
        Case::new(
            "trusted-browser",
            "a trusted browser needs the password alone, and every other browser the code",
            password_suffices,
        ),
        Case::new(
            "trusted-browser",
            "its cookie alone opens nothing",
            cookie_alone,
        ),
        Case::new(
            "trusted-browser",
            "an old copy of its cookie is not trusted, and ends the trust",
            stolen_copy,
        ),
        Case::new(
            "trusted-browser",
            "once it is revoked the code is asked again",
            revoked,
        ),
    ]
}

fn two_tabs(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let run = SignInRun::new(&suite.target, &account);
    let mut browser = suite.stranger();
    run.password(&mut browser)?;
    run.password(&mut browser)?;
    run.code(&mut browser, &suite.fresh_code(&account)?)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.echoed("after the code of one tab", &reply)?;
    // The other tab was open all the while.
    let reply = browser.load(&suite.app("/notes"))?;
    suite.echoed("the other tab", &reply).map(drop)
}

fn both_forms(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let run = SignInRun::new(&suite.target, &account);
    let mut first = suite.stranger();
    run.password(&mut first)?;
    let mut second = first.clone();
    run.password(&mut second)?;
    run.code(&mut second, &suite.fresh_code(&account)?)?;
    // Both tabs share the jar: the first one sends its form with the cookies of the second.
    first.jar = second.jar.clone();
    run.try_code(&mut first, &suite.fresh_code(&account)?)?;
    for mut browser in [first, second] {
        let reply = browser.fetch(&suite.app("/"))?;
        suite.echoed("a tab", &reply)?;
    }
    Ok(())
}

/// Signs in with the request to trust this browser, and then forgets the session.
fn trusting(suite: &Suite, account: &Account) -> CaseResult<Browser> {
    if suite.target.sign_in.trust.is_empty() {
        return skipped("the target has no sign_in.trust");
    }
    let run = SignInRun::new(&suite.target, account);
    let mut browser = suite.stranger();
    run.password(&mut browser)?;
    run.code_and_trust(&mut browser, &suite.fresh_code(account)?)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.echoed("after the code", &reply)?;
    browser.jar.remove(&suite.target.gate.session_cookie);
    Ok(browser)
}

/// Whether the password alone opens the application. The session is forgotten afterwards.
fn password_opens(suite: &Suite, browser: &mut Browser, account: &Account) -> CaseResult<bool> {
    SignInRun::new(&suite.target, account).password(browser)?;
    let reply = browser.fetch(&suite.app("/"))?;
    browser.jar.remove(&suite.target.gate.session_cookie);
    Ok(suite.arrived(&reply))
}

fn password_suffices(suite: &mut Suite) -> CaseResult {
    let (account, other) = (suite.account(0)?, suite.account(1)?);
    let mut browser = trusting(suite, &account)?;
    ensure(password_opens(suite, &mut browser, &account)?, || {
        "a trusted browser is asked for the code".to_owned()
    })?;
    ensure(
        !password_opens(suite, &mut suite.stranger(), &account)?,
        || "another browser is not asked for the code".to_owned(),
    )?;
    ensure(!password_opens(suite, &mut browser, &other)?, || {
        "another account is not asked for the code in a trusted browser".to_owned()
    })
}

fn cookie_alone(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let mut browser = trusting(suite, &account)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.denied("a trusted browser without a session", &reply)?;
    let session = suite.target.gate.session_cookie.clone();
    for (name, value) in browser.clone().jar.all() {
        let lines = format!("Cookie: {session}={value}\r\nSec-Fetch-Mode: cors\r\n");
        let reply = suite
            .stranger()
            .request("GET", &suite.app("/"), &lines, b"")?;
        suite.denied(&format!("{name} as the session"), &reply)?;
    }
    Ok(())
}

fn stolen_copy(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let mut browser = trusting(suite, &account)?;
    let mut thief = browser.clone();
    for _ in 0..2 {
        ensure(password_opens(suite, &mut browser, &account)?, || {
            "a trusted browser is asked for the code".to_owned()
        })?;
    }
    ensure(!password_opens(suite, &mut thief, &account)?, || {
        "an old copy of the cookie is trusted".to_owned()
    })?;
    ensure(!password_opens(suite, &mut browser, &account)?, || {
        "after an old copy was used, the browser is still trusted".to_owned()
    })
}

fn revoked(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let command = suite.target.commands.revoke_browsers.as_ref();
    suite.needs("command revoke_browsers", command)?;
    let mut browser = trusting(suite, &account)?;
    suite.command("revoke_browsers", &[("user", &account.user)])?;
    ensure(!password_opens(suite, &mut browser, &account)?, || {
        "a revoked browser is not asked for the code".to_owned()
    })
}
