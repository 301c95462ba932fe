//! The `account` line: refuses an entry for which the `auth` line of the same transaction never passed, such
//! as a key alone at an sshd without AuthenticationMethods.

use super::entry::{Front, PamEntry, misconfigured};
use super::host::PamHost;
use super::log::LogFields;
use super::options::PamOptions;
use shared::config::UnenrolledAction;
use shared::engine::MarkRefusal;
use shared::policy::requirement::Requirement;
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
    // the module leaves an empty mark where it removes one
    let mark = host.recall().and_then(|mark| String::from_utf8(mark).ok());
    match mark.filter(|mark| !mark.is_empty()) {
        Some(mark) => match line.engine.verify_mark(line.context(Phase::Before), &mark) {
            Ok(Ok(told)) => {
                line.tell(&told);
                PamFunctionResult::Passed
            }
            Ok(Err(refusal)) => ask_policy(&line, Some(refusal)),
            Err(error) => line.unavailable(&error),
        },
        // where nothing tells the process, auth has left none
        None => ask_policy(&line, line.process.binding().err().map(MarkRefusal::Unseen)),
    }
}

/// Nobody was asked for a code in this transaction, or what `auth` decided counts no more: that is right only where none
/// is needed.
fn ask_policy(line: &PamEntry<'_>, refusal: Option<MarkRefusal>) -> PamFunctionResult {
    let requirement = match line.engine.find_requirement(line.context(Phase::After)) {
        Ok(found) => found.requirement,
        Err(error) => return line.unavailable(&error),
    };
    let needed = match (requirement, line.settings.unenrolled) {
        (Requirement::Exempt(_), _) => false,
        (Requirement::Code, _) => true,
        (_, Some(UnenrolledAction::Allow)) => false,
        (_, Some(UnenrolledAction::Deny | UnenrolledAction::Enroll)) => true,
        (Requirement::Enrolment, None) => match line.waived() {
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
