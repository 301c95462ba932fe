//! `postern recovery`: creates a new set of recovery codes and shows it once. The codes become
//! valid when the person confirms that they are saved.

use super::setup;
use crate::arguments::{Arguments, RecoveryArguments};
use crate::backend::Backend;
use crate::terminal::output::{CommandFailure, Output};
use postern_shared::protocol::command_request::FinishOperation;
use serde_json::json;

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    what: &RecoveryArguments,
) -> Result<(), CommandFailure> {
    let mut backend = Backend::open(arguments, output, what.user.as_ref())?;
    if what.no_confirm {
        backend.refuse_unless_root("--no-confirm")?;
    }
    output.is_seen()?;
    let (codes, ticket) = backend.begin_recovery_codes()?;
    if output.is_json() {
        output.json(&json!({"account": backend.account(), "recovery_codes": codes}))?;
    } else {
        setup::show_recovery_codes(output, &codes)?;
    }
    if !what.no_confirm {
        setup::wait_until_saved(output)?;
    }
    backend.finish(FinishOperation::ReplaceRecoveryCodes { ticket })?;
    match (output.is_json(), what.no_confirm) {
        (true, true) => Ok(()),
        _ => output.done(format_args!(
            "the new recovery codes of {} are valid; earlier codes are no longer valid",
            backend.account()
        )),
    }
}
