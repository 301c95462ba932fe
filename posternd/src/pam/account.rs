//! The `account` hook: denies access where the `auth` hook of the same transaction never passed,
//! such as at an sshd that accepts a key without AuthenticationMethods.
//!
//! MUST NOT pass without a valid mark, unless the policy requires no code.

use super::entry::{PamConversation, PamServiceContext, deny_mark_not_removed, deny_misconfigured};
use super::host::PamHost;
use super::options::PamOptions;
use postern_shared::config::UnenrolledAction;
use postern_shared::engine::MarkRefusal;
use postern_shared::policy::requirement::Requirement;
use postern_shared::protocol::{Denial, PamFunctionResult, Severity};
use postern_shared::verify::throttle::Phase;

/// Runs `account pam_totp.so`. Removes the mark when it passes: a mark is valid for one `account`
/// call.
pub(super) fn check_account(host: &dyn PamHost, words: &[String]) -> PamFunctionResult {
    match verify_kept_mark(host, words) {
        PamFunctionResult::Passed => match host.remove_mark() {
            Ok(()) => PamFunctionResult::Passed,
            Err(error) => deny_mark_not_removed(host, &error),
        },
        refused => refused,
    }
}

fn verify_kept_mark(host: &dyn PamHost, words: &[String]) -> PamFunctionResult {
    let options = match PamOptions::parse(words) {
        Ok(options) => options,
        Err(error) => return deny_misconfigured(host, &error),
    };
    let context = match PamServiceContext::open(host, &options) {
        Ok(context) => context,
        Err(denial) => return PamFunctionResult::Denied(denial),
    };
    let conversation = match context.identify_user() {
        Ok(conversation) => conversation,
        Err(denial) => return PamFunctionResult::Denied(denial),
    };
    // the module leaves an empty mark where it removes one
    let mark = host
        .kept_mark()
        .and_then(|mark| String::from_utf8(mark).ok());
    match mark.filter(|mark| !mark.is_empty()) {
        Some(mark) => match conversation
            .engine
            .verify_mark(conversation.context(Phase::Before), &mark)
        {
            Ok(Ok(messages)) => {
                conversation.show_messages(&messages);
                PamFunctionResult::Passed
            }
            Ok(Err(refusal)) => check_policy(&conversation, Some(refusal)),
            Err(error) => conversation.deny_unavailable(&error),
        },
        // the auth hook has left no mark where the process cannot be distinguished from others
        None => check_policy(
            &conversation,
            conversation
                .process
                .binding()
                .err()
                .map(MarkRefusal::Unseen),
        ),
    }
}

/// Evaluates the policy, where this transaction has no valid mark: the hook passes only if no code
/// is required.
fn check_policy(
    conversation: &PamConversation<'_>,
    refusal: Option<MarkRefusal>,
) -> PamFunctionResult {
    let requirement = match conversation
        .engine
        .find_requirement(conversation.context(Phase::After))
    {
        Ok(found) => found.requirement,
        Err(error) => return conversation.deny_unavailable(&error),
    };
    let needed = match (requirement, conversation.settings.unenrolled) {
        (Requirement::Exempt(_), _) => false,
        (Requirement::Code, _) => true,
        (_, Some(UnenrolledAction::Allow)) => false,
        (_, Some(UnenrolledAction::Deny | UnenrolledAction::Enroll)) => true,
        (Requirement::Enrollment, None) => match conversation.waive_requirement() {
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
    } else if conversation.settings.sshd {
        "not-verified: no code was asked for; set KbdInteractiveAuthentication yes and AuthenticationMethods publickey,keyboard-interactive:pam in sshd_config"
    } else {
        "not-verified: no code was asked for; this service has no auth line with pam_totp.so that everyone passes"
    };
    conversation.log_result(Severity::Notice, "refused", cause);
    PamFunctionResult::Denied(Denial::NotAsked)
}
