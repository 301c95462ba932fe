//! Guesses: one after the other, in parallel, and under other spellings of a name.

use crate::case::{Case, CaseResult, NotPassed, ensure};
use crate::net::browser::Browser;
use crate::sign_in::SignInRun;
use crate::suite::Suite;
use crate::target::Account;
use std::net::IpAddr;

/// Browsers that send the same code at once.
const AT_ONCE: usize = 6;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "parallel-guesses",
            "one code in several browsers at once is accepted once",
            one_code_at_once,
        )
        .seen_in(&["google-authenticator-libpam (by trial)"]),
        Case::new(
            "parallel-guesses",
            "wrong codes at once are counted as those one after the other",
            wrong_at_once,
        )
        .seen_in(&["caddy-security (Trail of Bits)"]),
        Case::new(
            "throttle",
            "after wrong codes a right one has to wait",
            wrong_codes,
        )
        .seen_in(&["CVE-2026-32729", "caddy-security (Trail of Bits)"]),
        Case::new(
            "throttle",
            "a new sign-in brings no new tries",
            new_sign_ins,
        )
        .seen_in(&["CVE-2026-32729"]),
        Case::new(
            "throttle",
            "no other spelling of a name brings new tries",
            spellings,
        )
        .seen_in(&["CVE-2025-24806", "CVE-2026-47203"]),
    ]
}

/// Sends one code each from several browsers at once, and returns how many of them got in.
fn send_at_once(
    suite: &Suite,
    account: &Account,
    browsers: Vec<Browser>,
    codes: &[String],
) -> CaseResult<usize> {
    let run = SignInRun::new(&suite.target, account);
    let page = suite.app("/");
    let ended: Vec<CaseResult<bool>> = std::thread::scope(|scope| {
        let tries = browsers.into_iter().zip(codes).map(|(mut browser, code)| {
            let (run, page) = (&run, &page);
            scope.spawn(move || {
                run.try_code(&mut browser, code)?;
                Ok(suite.arrived(&browser.fetch(page)?))
            })
        });
        let tries: Vec<_> = tries.collect();
        let ended = tries.into_iter().map(|one| one.join());
        let panicked = |_| Err(NotPassed::Failed("a request panicked".to_owned()));
        ended.map(|one| one.unwrap_or_else(panicked)).collect()
    });
    let mut entered = 0;
    for one in ended {
        entered += usize::from(one?);
    }
    Ok(entered)
}

/// Returns browsers that have given the password.
fn after_password(
    suite: &Suite,
    account: &Account,
    from: Option<IpAddr>,
    count: usize,
) -> CaseResult<Vec<Browser>> {
    let run = SignInRun::new(&suite.target, account);
    let mut browsers = Vec::new();
    for _ in 0..count {
        let mut browser = suite.stranger().from(from);
        run.password(&mut browser)?;
        browsers.push(browser);
    }
    Ok(browsers)
}

fn one_code_at_once(suite: &mut Suite) -> CaseResult {
    let account = suite.account(0)?;
    let browsers = after_password(suite, &account, None, AT_ONCE)?;
    let codes = vec![suite.fresh_code(&account)?; AT_ONCE];
    let entered = send_at_once(suite, &account, browsers, &codes)?;
    ensure(entered == 1, || {
        format!("one code opened {entered} sessions of {AT_ONCE}")
    })
}

/// Fails if a right code is accepted now, and if it is not accepted after the throttle's time.
fn has_to_wait(suite: &Suite, account: &Account, from: Option<IpAddr>) -> CaseResult {
    let run = SignInRun::new(&suite.target, account);
    let mut browser = suite.stranger().from(from);
    // The password may have to wait too.
    if run
        .try_password(&mut browser, &account.password)?
        .as_expected
    {
        run.try_code(&mut browser, &suite.fresh_code(account)?)?;
    }
    let reply = browser.fetch(&suite.app("/"))?;
    ensure(!suite.arrived(&reply), || {
        format!(
            "after the guesses, a right code of {} is accepted at once",
            account.user
        )
    })?;
    if suite.target.commands.advance.is_some() {
        suite.advance(suite.target.limits.throttle)?;
        suite.sign_in_with(&mut suite.stranger().from(from), account)?;
    }
    Ok(())
}

fn wrong_at_once(suite: &mut Suite) -> CaseResult {
    let (account, from) = suite.victim()?;
    let count = suite.target.limits.wrong_codes;
    let browsers = after_password(suite, &account, from, count)?;
    let codes = suite.codes.wrong(&account, count);
    let entered = send_at_once(suite, &account, browsers, &codes)?;
    ensure(entered == 0, || {
        format!("{entered} wrong codes are accepted")
    })?;
    has_to_wait(suite, &account, from)
}

fn wrong_codes(suite: &mut Suite) -> CaseResult {
    let (account, from) = suite.victim()?;
    let run = SignInRun::new(&suite.target, &account);
    let mut browser = suite.stranger().from(from);
    run.password(&mut browser)?;
    for code in suite.codes.wrong(&account, suite.target.limits.wrong_codes) {
        run.try_code(&mut browser, &code)?;
    }
    let reply = browser.fetch(&suite.app("/"))?;
    suite.denied("wrong codes", &reply)?;
    has_to_wait(suite, &account, from)
}

fn new_sign_ins(suite: &mut Suite) -> CaseResult {
    let (account, from) = suite.victim()?;
    let run = SignInRun::new(&suite.target, &account);
    for code in suite.codes.wrong(&account, suite.target.limits.wrong_codes) {
        let mut browser = suite.stranger().from(from);
        // After some wrong codes the password may have to wait too.
        if run
            .try_password(&mut browser, &account.password)?
            .as_expected
        {
            run.try_code(&mut browser, &code)?;
        }
    }
    has_to_wait(suite, &account, from)
}

fn spellings(suite: &mut Suite) -> CaseResult {
    let (account, from) = suite.victim()?;
    let name = account.user.clone();
    let mut letters = name.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>());
    let title = first.unwrap_or_default() + letters.as_str();
    let accepted = |user: &str| -> CaseResult<bool> {
        let mut spelled = account.clone();
        user.clone_into(&mut spelled.user);
        let run = SignInRun::new(&suite.target, &spelled);
        let mut browser = suite.stranger().from(from);
        let ended = run.try_password(&mut browser, &account.password)?;
        Ok(ended.as_expected)
    };
    let mut same = vec![name.clone()];
    for user in [
        title,
        name.to_ascii_uppercase(),
        format!("{name} "),
        format!(" {name}"),
    ] {
        if accepted(&user)? {
            same.push(user);
        }
    }
    let spelled = same.iter().cycle();
    for (user, number) in spelled.zip(0..suite.target.limits.wrong_codes) {
        let mut spelled = account.clone();
        user.clone_into(&mut spelled.user);
        let run = SignInRun::new(&suite.target, &spelled);
        run.try_password(&mut suite.stranger().from(from), &format!("wrong {number}"))?;
    }
    for user in &same {
        ensure(!accepted(user)?, || {
            format!("after the guesses, the password under the name {user:?} is accepted at once")
        })?;
    }
    Ok(())
}
