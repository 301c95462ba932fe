//! `postern recovery`: creates a new set of recovery codes and shows it once. The codes become
//! valid when the person confirms that they are saved.

use super::setup;
use crate::arguments::RecoveryArguments;
use crate::backend::Backend;
use crate::context::Invocation;
use crate::terminal::output::CommandResult;
use postern_shared::protocol::command_request::FinishOperation;
use serde_json::json;

pub(super) fn run(run: Invocation<'_>, what: &RecoveryArguments) -> CommandResult {
    let mut backend = Backend::open(run, what.user.as_ref())?;
    if what.no_confirm {
        backend.refuse_unless_root("--no-confirm")?;
    }
    run.output.is_seen()?;
    let (codes, token) = backend.begin_recovery_codes()?;
    if run.output.is_json() {
        run.output
            .json(&json!({"account": backend.account(), "recovery_codes": codes}))?;
    } else {
        setup::show_recovery_codes(run.output, &codes)?;
    }
    if !what.no_confirm {
        setup::wait_until_saved(run.output)?;
    }
    backend.finish(FinishOperation::ReplaceRecoveryCodes { token })?;
    match (run.output.is_json(), what.no_confirm) {
        (true, true) => Ok(()),
        _ => run.output.done(format_args!(
            "the new recovery codes of {} are valid; earlier codes are no longer valid",
            backend.account()
        )),
    }
}
