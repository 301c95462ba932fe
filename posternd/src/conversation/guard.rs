//! The `account` line: refuses an entry for which the `auth` line of the same transaction never passed, such
//! as a key alone at an sshd without AuthenticationMethods.

use super::host::Host;
use super::line::{Front, Line, misconfigured};
use super::log::LogFields;
use super::mark::{Left, Mark};
use super::options::Options;
use shared::config::Unenrolled;
use shared::guess::Stage;
use shared::policy::Need;
use shared::protocol::Severity;
use shared::protocol::{Denial, HookResult};

/// `account … pam_totp.so`. One that has passed removes the mark: it is good for one entry.
pub(super) fn account(host: &dyn Host, words: &[String]) -> HookResult {
    match check(host, words) {
        HookResult::Passed => match host.forget() {
            Ok(()) => HookResult::Passed,
            Err(error) => {
                LogFields::of_host(host).write(host, Severity::Error, "refused", "unavailable", Some(&error));
                HookResult::Denied(Denial::Unavailable)
            }
        },
        refused => refused,
    }
}

fn check(host: &dyn Host, words: &[String]) -> HookResult {
    let options = match Options::read(words) {
        Ok(options) => options,
        Err(error) => return misconfigured(host, &error),
    };
    let front = match Front::open(host, &options) {
        Ok(front) => front,
        Err(denial) => return HookResult::Denied(denial),
    };
    let line = match front.line() {
        Ok(line) => line,
        Err(denial) => return HookResult::Denied(denial),
    };
    let mark = host.recall().and_then(|bytes| Mark::from_bytes(&bytes));
    match mark.filter(|mark| mark.user == line.user) {
        Some(mark) => finish(&line.about(&mark.account), &mark.left),
        None => ask_policy(&line),
    }
}

/// The `auth` line has passed; what it left is done now that the first factor has passed too.
fn finish(line: &Line<'_>, left: &Left) -> HookResult {
    match line.desk.finish(&line.visitor(Stage::Before), left) {
        Ok(told) => line.tell(&told),
        Err(error) => return line.unavailable(&error),
    }
    HookResult::Passed
}

/// Nobody asked for a code in this transaction: that is right only where none is needed.
fn ask_policy(line: &Line<'_>) -> HookResult {
    let need = match line.desk.need(&line.visitor(Stage::After), &line.earlier) {
        Ok((need, _)) => need,
        Err(error) => return line.unavailable(&error),
    };
    let needed = match (need, line.settings.unenrolled) {
        (Need::Exempt(_), _) => false,
        (Need::Code, _) => true,
        (_, Some(Unenrolled::Allow)) => false,
        (_, Some(Unenrolled::Deny | Unenrolled::Enroll)) => true,
        (Need::Enrolment, None) => match line.waived() {
            HookResult::NotNeeded => false,
            denied => return denied,
        },
        (Need::Nothing, None) => false,
    };
    if !needed {
        return HookResult::Passed;
    }
    let cause = if line.settings.sshd {
        "not-asked: no code was asked for; set KbdInteractiveAuthentication yes and AuthenticationMethods publickey,keyboard-interactive:pam in sshd_config"
    } else {
        "not-asked: no code was asked for; this service has no auth line with pam_totp.so that everyone passes"
    };
    line.log(Severity::Notice, "refused", cause);
    HookResult::Denied(Denial::NotAsked)
}
