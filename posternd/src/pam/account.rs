//! The `account` line: refuses an entry for which the `auth` line of the same transaction never passed, such
//! as a key alone at an sshd without AuthenticationMethods.

use super::auth_token::HostMark;
use super::entry::{Front, PamEntry, misconfigured};
use super::host::PamHost;
use super::log::LogFields;
use super::options::PamOptions;
use shared::config::UnenrolledAction;
use shared::policy::requirement::Requirement;
use shared::protocol::command_request::MarkRefusal;
use shared::protocol::{Denial, PamFunctionResult, Severity};
use shared::verify::throttle::Phase;

/// `account … pam_totp.so`. One that has passed removes the mark: it is good for one entry.
pub(super) fn account(host: &dyn PamHost, words: &[String]) -> PamFunctionResult {
    match check(host, words) {
        PamFunctionResult::Passed => match host.forget() {
            Ok(()) => PamFunctionResult::Passed,
            Err(error) => {
                LogFields::of_host(host).write(
                    host,
                    Severity::Error,
                    "refused",
                    "unavailable",
                    Some(&error),
                );
                PamFunctionResult::Denied(Denial::Unavailable)
            }
        },
        refused => refused,
    }
}

fn check(host: &dyn PamHost, words: &[String]) -> PamFunctionResult {
    let options = match PamOptions::read(words) {
        Ok(options) => options,
        Err(error) => return misconfigured(host, &error),
    };
    let front = match Front::open(host, &options) {
        Ok(front) => front,
        Err(denial) => return PamFunctionResult::Denied(denial),
    };
    let line = match front.line() {
        Ok(line) => line,
        Err(denial) => return PamFunctionResult::Denied(denial),
    };
    match host.recall().and_then(HostMark::from_bytes) {
        Some(mark) => match line.desk.check_mark(&line.person(Phase::Before), &mark) {
            Ok(Ok(told)) => {
                line.tell(&told);
                PamFunctionResult::Passed
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
fn ask_policy(line: &PamEntry<'_>, refusal: Option<MarkRefusal>) -> PamFunctionResult {
    let need = match line.desk.need(&line.person(Phase::After), &line.earlier) {
        Ok(policy) => policy.need,
        Err(error) => return line.unavailable(&error),
    };
    let needed = match (need, line.settings.unenrolled) {
        (Requirement::Exempt(_), _) => false,
        (Requirement::Code, _) => true,
        (_, Some(UnenrolledAction::Allow)) => false,
        (_, Some(UnenrolledAction::Deny | UnenrolledAction::Enroll)) => true,
        (Requirement::Enrollment, None) => match line.waived() {
            PamFunctionResult::NotNeeded => false,
            denied => return denied,
        },
        (Requirement::Nothing, None) => false,
    };
    if !needed {
        return PamFunctionResult::Passed;
    }
    let cause = if let Some(refusal) = refusal {
        &format!("not-verified: {refusal}")
    } else if line.settings.sshd {
        "not-verified: no code was asked for; set KbdInteractiveAuthentication yes and AuthenticationMethods publickey,keyboard-interactive:pam in sshd_config"
    } else {
        "not-verified: no code was asked for; this service has no auth line with pam_totp.so that everyone passes"
    };
    line.log(Severity::Notice, "refused", cause);
    PamFunctionResult::Denied(Denial::NotAsked)
}
