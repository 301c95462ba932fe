//! The gate is stopped, hangs, or restarts: access is denied meanwhile, and nothing is forgotten.

use crate::case::{Case, CaseResult, ensure, failed};
use crate::net::browser::Browser;
use crate::net::reply::Reply;
use crate::sign_in::SignInRun;
use crate::suite::Suite;
use std::io;
use std::time::{Duration, Instant};

/// Longest wait for an answer while the gate hangs.
const HANGING: Duration = Duration::from_secs(8);
/// Time in which a gate that went on must know its sessions again.
const RECOVERY: Duration = Duration::from_secs(10);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "gate-down",
            "while the gate is stopped access is denied, with a session or without",
            stopped,
        )
        .seen_in(&["authentik #18063"]),
        Case::new(
            "gate-down",
            "while the gate hangs access is denied",
            hanging,
        ),
        Case::new(
            "restart",
            "a session outlives a restart of the gate",
            session_outlives,
        ),
        Case::new(
            "restart",
            "a used code stays used after a restart",
            code_stays_used,
        ),
    ]
}

fn stopped(suite: &mut Suite) -> CaseResult {
    suite.needs(
        "command start_gate",
        suite.target.commands.start_gate.as_ref(),
    )?;
    let mut browser = suite.signed_in()?;
    let page = suite.app("/");
    suite.command("stop_gate", &[])?;
    let replies = [
        ("a page load", browser.load(&page)),
        ("a fetch", browser.fetch(&page)),
        ("a form", browser.send_form(&page, &[("a", "b")])),
        ("a stranger", suite.stranger().load(&page)),
        ("another path", browser.fetch(&suite.app("/x?y"))),
    ];
    suite.command("start_gate", &[])?;
    for (what, reply) in replies {
        is_closed(suite, &format!("{what}, while the gate is stopped"), reply)?;
    }
    let reply = browser.fetch(&page)?;
    suite.echoed("after the start", &reply).map(drop)
}

fn hanging(suite: &mut Suite) -> CaseResult {
    suite.needs(
        "command resume_gate",
        suite.target.commands.resume_gate.as_ref(),
    )?;
    let page = suite.app("/");
    let mut signed_in = suite.signed_in()?.waiting(HANGING);
    let mut stranger = suite.stranger().waiting(HANGING);
    suite.command("hang_gate", &[])?;
    let load = |browser: &mut Browser| browser.load(&page);
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| load(&mut stranger));
        (load(&mut signed_in), other.join())
    });
    suite.command("resume_gate", &[])?;
    let Ok(second) = second else {
        return failed("a request panicked");
    };
    for (what, reply) in [("a session", first), ("a stranger", second)] {
        // A proxy may wait longer.
        if let Ok(reply) = reply {
            suite.closed(&format!("{what}, while the gate hangs"), &reply)?;
        }
    }
    // A gate that does not know what it has missed may deny for a moment.
    let began = Instant::now();
    let mut browser = signed_in.waiting(suite.target.limits.patience());
    loop {
        let reply = browser.fetch(&page)?;
        if suite.arrived(&reply) || began.elapsed() > RECOVERY {
            return suite.echoed("after the gate goes on", &reply).map(drop);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Fails if access was granted. A proxy may end the connection, but not wait for ever.
fn is_closed(suite: &Suite, what: &str, reply: io::Result<Reply>) -> CaseResult {
    match reply {
        Ok(reply) => suite.closed(what, &reply),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            failed(format!("{what}: no answer in time"))
        }
        Err(_) => Ok(()),
    }
}

fn session_outlives(suite: &mut Suite) -> CaseResult {
    let mut browser = suite.signed_in()?;
    suite.command("restart_gate", &[])?;
    let reply = browser.fetch(&suite.app("/"))?;
    suite.echoed("a session after a restart", &reply)?;
    let reply = suite.stranger().fetch(&suite.app("/"))?;
    suite.denied("a stranger after a restart", &reply)
}

fn code_stays_used(suite: &mut Suite) -> CaseResult {
    let command = suite.target.commands.restart_gate.as_ref();
    suite.needs("command restart_gate", command)?;
    let account = suite.account(0)?;
    let run = SignInRun::new(&suite.target, &account);
    let code = suite.fresh_code(&account)?;
    let mut browser = suite.stranger();
    run.password(&mut browser)?;
    run.code(&mut browser, &code)?;
    suite.command("restart_gate", &[])?;
    let mut again = suite.stranger();
    run.password(&mut again)?;
    run.try_code(&mut again, &code)?;
    let reply = again.fetch(&suite.app("/"))?;
    ensure(!suite.arrived(&reply), || {
        "a restart makes a used code valid".to_owned()
    })
}
