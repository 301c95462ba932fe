//! Codes: each is accepted once.

use crate::case::{Case, CaseResult, ensure};
use crate::net::browser::FETCH;
use crate::sign_in::SignInRun;
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("code", "password and code open the application", code_opens),
        Case::new("code", "a wrong code opens nothing", wrong_code),
        Case::new(
            "code",
            "a session cookie that was planted before is not the one after",
            planted_before,
        )
        .seen_in(&["GHSA-f24x-5g9q-753f"]),
        Case::new(
            "code",
            "the code makes another session of the password's, which ends",
            another_session,
        )
        .seen_in(&["GHSA-f24x-5g9q-753f", "CVE-2024-52946"]),
        Case::new("used-code", "a code is refused the second time", used_twice),
        Case::new(
            "used-code",
            "a code that was used at another way in is refused",
            used_elsewhere,
        )
        .seen_in(&["61131 ngx_http_auth_totp"]),
    ]
}

fn code_opens(suite: &mut Suite) -> CaseResult {
    let user = suite.account(0)?.user;
    let mut browser = suite.sign_in(0)?;
    let reply = browser.load(&suite.app("/"))?;
    suite.is_identity(&suite.echoed("a page", &reply)?, &user)
}

fn wrong_code(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let run = SignInRun::new(&suite.target, &account);
    let mut browser = suite.stranger();
    run.password(&mut browser)?;
    for code in ["", "abc", "0", "\u{0}"] {
        run.try_code(&mut browser, code)?;
        let reply = browser.fetch(&suite.app("/"))?;
        suite.denied(&format!("the code {code:?}"), &reply)?;
    }
    let wrong = suite.codes.wrong(&account, 1).remove(0);
    run.try_code(&mut browser, &wrong)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.denied("a wrong code", &reply)
}

fn planted_before(suite: &mut Suite) -> CaseResult {
    let name = suite.target.gate.session_cookie.clone();
    let account = suite.account(0)?;
    let mut browser = suite.stranger();
    let planted = "conformance-planted";
    browser.jar.put(&suite.app("/"), &name, planted);
    browser.jar.put(&suite.page(""), &name, planted);
    let run = SignInRun::new(&suite.target, &account);
    run.password(&mut browser)?;
    run.code(&mut browser, &suite.fresh_code(&account)?)?;
    let lines = format!("Cookie: {name}={planted}\r\n{FETCH}");
    let reply = suite
        .stranger()
        .request("GET", &suite.app("/"), &lines, b"")?;
    suite.denied("the planted cookie after the sign-in", &reply)
}

fn another_session(suite: &mut Suite) -> CaseResult {
    let path = suite.target.paths.password.clone();
    let path = suite.needs("paths.password", path)?;
    let name = suite.target.gate.session_cookie.clone();
    let account = suite.account(0)?;
    let asked = suite.app(&path);
    let mut browser = suite.stranger();
    let run = SignInRun::new(&suite.target, &account).with_rd(&asked.to_string());
    run.password(&mut browser)?;
    let reply = browser.fetch(&asked)?;
    suite.echoed("a path that needs the password alone", &reply)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.denied("another path with the password alone", &reply)?;
    let before = browser.jar.header(&asked);
    // A browser that asks for more is led to the page that asks for the code.
    let mut reply = browser.load(&suite.app("/"))?;
    let mut page = suite.app("/");
    for _ in 0..3 {
        let Some(next) = reply.header("location").and_then(|to| page.join(to)) else {
            break;
        };
        page = next;
        reply = browser.load(&page)?;
    }
    run.code(&mut browser, &suite.fresh_code(&account)?)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.echoed("the application after the code", &reply)?;
    ensure(browser.jar.header(&asked) != before, || {
        format!("{name} is the same before and after the code")
    })?;
    let lines = format!("Cookie: {before}\r\n{FETCH}");
    for path in ["/", path.as_str()] {
        let reply = suite
            .stranger()
            .request("GET", &suite.app(path), &lines, b"")?;
        suite.denied("the session of before the code", &reply)?;
    }
    Ok(())
}

fn used_twice(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let code = suite.fresh_code(&account)?;
    let run = SignInRun::new(&suite.target, &account);
    for accepted in [true, false] {
        let mut browser = suite.stranger();
        run.password(&mut browser)?;
        run.try_code(&mut browser, &code)?;
        let reply = browser.fetch(&suite.app("/"))?;
        ensure(suite.arrived(&reply) == accepted, || match accepted {
            true => format!("a fresh code is refused: {}", reply.summary()),
            false => "a code is accepted twice".to_owned(),
        })?;
    }
    Ok(())
}

fn used_elsewhere(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let command = suite.target.commands.use_code.as_ref();
    suite.needs("command use_code", command)?;
    let code = suite.fresh_code(&account)?;
    let values = [("user", account.user.as_str()), ("code", code.as_str())];
    suite.command("use_code", &values)?;
    let run = SignInRun::new(&suite.target, &account);
    let mut browser = suite.stranger();
    run.password(&mut browser)?;
    run.try_code(&mut browser, &code)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.denied("a code used elsewhere", &reply)?;
    let again = suite.try_command("use_code", &values)?;
    ensure(again.is_err(), || {
        "the other way in takes a code twice".to_owned()
    })
}
