//! The `account` line: refuses an entry for which the `auth` line of the same transaction never passed, such
//! as a key alone at an sshd without AuthenticationMethods.

use super::auth_token::Mark;
use super::entry::{Front, Line, misconfigured};
use super::host::Host;
use super::log::LogFields;
use super::options::Options;
use shared::config::Unenrolled;
use shared::policy::requirement::Need;
use shared::protocol::command_request::MarkRefusal;
use shared::protocol::{Denial, HookResult, Severity};
use shared::verify::throttle::Stage;

/// `account … pam_totp.so`. One that has passed removes the mark: it is good for one entry.
pub(super) fn account(host: &dyn Host, words: &[String]) -> HookResult {
    match check(host, words) {
        HookResult::Passed => match host.forget() {
            Ok(()) => HookResult::Passed,
            Err(error) => {
                LogFields::of_host(host).write(
                    host,
                    Severity::Error,
                    "refused",
                    "unavailable",
                    Some(&error),
                );
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
    match host.recall().and_then(Mark::from_bytes) {
        Some(mark) => match line.desk.check_mark(&line.person(Stage::Before), &mark) {
            Ok(Ok(told)) => {
                line.tell(&told);
                HookResult::Passed
            }
            Ok(Err(refusal)) => ask_policy(&line, Some(refusal)),
            Err(error) => line.unavailable(&error),
        },
        // where nothing tells the process, auth has left none
        None => ask_policy(
            &line,
            host.process().binding().err().map(MarkRefusal::Unseen),
        ),
    }
}

/// Nobody was asked for a code in this transaction, or what `auth` decided counts no more: that is right only where none
/// is needed.
fn ask_policy(line: &Line<'_>, refusal: Option<MarkRefusal>) -> HookResult {
    let need = match line.desk.need(&line.person(Stage::After), &line.earlier) {
        Ok(policy) => policy.need,
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
    let cause = if let Some(refusal) = refusal {
        &format!("not-verified: {refusal}")
    } else if line.settings.sshd {
        "not-verified: no code was asked for; set KbdInteractiveAuthentication yes and AuthenticationMethods publickey,keyboard-interactive:pam in sshd_config"
    } else {
        "not-verified: no code was asked for; this service has no auth line with pam_totp.so that everyone passes"
    };
    line.log(Severity::Notice, "refused", cause);
    HookResult::Denied(Denial::NotAsked)
}
