//! The `account` hook: denies access where the `auth` hook of the same transaction never passed,
//! such as at an sshd that accepts a key without AuthenticationMethods.
//!
//! MUST NOT pass without a valid mark, unless the policy requires no code.

use super::conversation::{
    HookResult, PamConversation, PamServiceContext, parse_options, remove_mark,
};
use super::host::PamHost;
use postern_shared::config::UnenrolledAction;
use postern_shared::engine::MarkRefusal;
use postern_shared::policy::requirement::Requirement;
use postern_shared::protocol::{Denial, PamFunctionResult, Severity};
use postern_shared::verify::throttle::Phase;

/// Runs `account pam_totp.so`. Removes the mark when it passes: a mark is valid for one `account`
/// call.
pub(super) fn check_account(host: &dyn PamHost, words: &[String]) -> HookResult {
    verify_kept_mark(host, words)?;
    remove_mark(host)?;
    Ok(PamFunctionResult::Passed)
}

fn verify_kept_mark(host: &dyn PamHost, words: &[String]) -> HookResult<()> {
    let context = PamServiceContext::open(host, &parse_options(host, words)?)?;
    let conversation = context.identify_user()?;
    // the module leaves an empty mark where it removes one
    let mark = host
        .kept_mark()
        .and_then(|mark| String::from_utf8(mark).ok());
    let Some(mark) = mark.filter(|mark| !mark.is_empty()) else {
        // the auth hook has left no mark where the process cannot be distinguished from others
        let unseen = conversation.process.binding().err();
        return check_policy(&conversation, unseen.map(MarkRefusal::Unseen));
    };
    let engine = &conversation.engine;
    match engine.verify_mark(conversation.context(Phase::Before), &mark) {
        Ok(Ok(messages)) => {
            conversation.show_messages(&messages);
            Ok(())
        }
        Ok(Err(refusal)) => check_policy(&conversation, Some(refusal)),
        Err(error) => Err(conversation.deny_unavailable(&*error)),
    }
}

/// Evaluates the policy, where this transaction has no valid mark: the hook passes only if no code
/// is required.
fn check_policy(
    conversation: &PamConversation<'_>,
    refusal: Option<MarkRefusal>,
) -> HookResult<()> {
    let engine = &conversation.engine;
    let policy = engine.find_requirement(conversation.context(Phase::After));
    let requirement = policy
        .map_err(|error| conversation.deny_unavailable(&*error))?
        .requirement;
    match (requirement, conversation.settings.unenrolled) {
        (Requirement::Exempt(_), _) => return Ok(()),
        (Requirement::Code, _) => {}
        (_, Some(UnenrolledAction::Allow)) => return Ok(()),
        (_, Some(UnenrolledAction::Deny | UnenrolledAction::Enroll)) => {}
        (Requirement::Enrollment, None) => return conversation.waive_requirement().map(drop),
        (Requirement::Nothing, None) => return Ok(()),
    }
    let cause = if let Some(refusal) = refusal {
        &format!("not-verified: {refusal}")
    } else if conversation.settings.sshd {
        "not-verified: no code was asked for; set KbdInteractiveAuthentication yes and AuthenticationMethods publickey,keyboard-interactive:pam in sshd_config"
    } else {
        "not-verified: no code was asked for; this service has no auth line with pam_totp.so that everyone passes"
    };
    conversation.log_result(Severity::Notice, "refused", cause);
    Err(Denial::NotAsked)
}
