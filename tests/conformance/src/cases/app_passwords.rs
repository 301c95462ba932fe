//! App passwords, for clients that show no page and wait for a challenge.

use crate::case::{Case, CaseResult, ensure};
use crate::suite::Suite;

/// Header lines of git, WebDAV and calendar clients.
const CLIENT: &str = "User-Agent: git/2.39\r\nAccept: */*\r\n";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "app-password",
            "a client that shows no page is challenged to give one",
            challenge,
        ),
        Case::new(
            "app-password",
            "an app password opens the application, and stays with the gate",
            opens,
        ),
        Case::new(
            "app-password",
            "a revoked app password, or one of another name, opens nothing",
            revoked,
        ),
    ]
}

fn challenge(suite: &mut Suite) -> CaseResult {
    suite.needs(
        "command add_app_password",
        suite.target.commands.add_app_password.as_ref(),
    )?;
    for method in ["GET", "PROPFIND", "OPTIONS"] {
        let reply = suite
            .stranger()
            .request(method, &suite.app("/dav/"), CLIENT, b"")?;
        ensure(reply.status == 401, || {
            format!("{method}: {}", reply.summary())
        })?;
        let mut challenges = reply.all("www-authenticate");
        let is_basic = challenges.any(|value| value.to_ascii_lowercase().starts_with("basic"));
        ensure(is_basic, || {
            format!("{method}: 401 without a Basic challenge")
        })?;
    }
    Ok(())
}

fn basic(user: &str, password: &str) -> String {
    let pair = data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes());
    format!("Authorization: Basic {pair}\r\n{CLIENT}")
}

/// Runs a function with a new app password, and revokes the password.
fn with_app_password(
    suite: &mut Suite,
    run: impl Fn(&mut Suite, &str, &str) -> CaseResult,
) -> CaseResult {
    let user = suite.account(0)?.user;
    suite.needs(
        "command revoke_app_password",
        suite.target.commands.revoke_app_password.as_ref(),
    )?;
    let printed = suite.command("add_app_password", &[("user", &user)])?;
    let ended = run(suite, &user, printed.trim());
    suite.command("revoke_app_password", &[("user", &user)])?;
    ended
}

fn opens(suite: &mut Suite) -> CaseResult {
    with_app_password(suite, |suite, user, password| {
        let page = suite.app("/dav/a?c=d");
        for lines in [
            basic(user, password),
            format!("Authorization: Bearer {password}\r\n{CLIENT}"),
        ] {
            let reply = suite.stranger().request("GET", &page, &lines, b"")?;
            let echoed = suite.echoed("an app password", &reply)?;
            suite.is_identity(&echoed, user)?;
            let leaked = echoed.value("Authorization");
            ensure(leaked.is_empty(), || {
                "the app password has reached the application".to_owned()
            })?;
        }
        let reply =
            suite
                .stranger()
                .request("GET", &suite.page(""), &basic(user, password), b"")?;
        suite.denied("an app password at the gate's pages", &reply)
    })
}

fn revoked(suite: &mut Suite) -> CaseResult {
    let other = suite.account(1)?.user;
    let page = suite.app("/dav/");
    let kept = std::cell::RefCell::new(String::new());
    with_app_password(suite, |suite, _, password| {
        password.clone_into(&mut kept.borrow_mut());
        let lines = basic(&other, password);
        let reply = suite.stranger().request("GET", &page, &lines, b"")?;
        suite.denied("an app password under another name", &reply)
    })?;
    let user = suite.account(0)?.user;
    let lines = basic(&user, &kept.borrow());
    let reply = suite.stranger().request("GET", &page, &lines, b"")?;
    suite.denied("a revoked app password", &reply)
}
