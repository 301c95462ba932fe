//! Codes: each is accepted once.

use crate::case::{Case, CaseResult, ensure};
use crate::sign_in::SignInRun;
use crate::suite::Suite;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("code", "password and code open the application", code_opens),
        Case::new("used-code", "a code is refused the second time", used_twice),
        Case::new(
            "used-code",
            "a code that was used at another way in is refused",
            used_elsewhere,
        ),
    ]
}

fn code_opens(suite: &mut Suite) -> CaseResult {
    let user = suite.account(0)?.user;
    let mut browser = suite.sign_in(0)?;
    let reply = browser.load(&suite.app("/"))?;
    suite.is_identity(&suite.echoed("a page", &reply)?, &user)
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
    suite.needs("command use_code", suite.target.commands.use_code.as_ref())?;
    let code = suite.fresh_code(&account)?;
    let values = [("user", account.user.as_str()), ("code", code.as_str())];
    suite.command("use_code", &values)?;
    let run = SignInRun::new(&suite.target, &account);
    let mut browser = suite.stranger();
    run.password(&mut browser)?;
    run.try_code(&mut browser, &code)?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.closed("a code used elsewhere", &reply)?;
    let again = suite.try_command("use_code", &values)?;
    ensure(again.is_err(), || {
        "the other way in takes a code twice".to_owned()
    })
}
