//! `postern disable`: turns a second factor off and prints the result as a table.

use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult, Output, OutputTable};
use postern_shared::account::name::UserName;
use postern_shared::engine::messages::{self, AfterDisabled};
use postern_shared::system::clock;
use serde_json::json;

pub(super) fn run(run: Invocation<'_>, user: &UserName) -> CommandResult {
    let now = clock::now()?;
    let mut engine = run.engine()?;
    let result = engine
        .accounts()
        .disable_second_factor(user, context::actor().as_str(), now);
    let (success, message) = match &result {
        Ok(after) => (
            true,
            messages::disabled(
                user,
                *after,
                AfterDisabled::of(engine.policy().is_required(user)?),
            ),
        ),
        Err(error) => (false, error.to_string()),
    };
    table(run.output, success, message)?;
    result.map(drop).map_err(|_| CommandFailure::Reported)
}

/// Prints the result for scripts also where the output is a table.
pub(crate) fn table(output: Output, success: bool, message: String) -> CommandResult {
    if output.is_json() {
        return output.json(&json!({"success": success, "message": message}));
    }
    let mut table = OutputTable::new(["success", "message"]);
    table.row([success.to_string(), message]);
    output.text(table)
}
