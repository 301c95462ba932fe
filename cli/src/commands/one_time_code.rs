//! `postern one-time-code`: issues a code for a person who has lost the authenticator. The code is
//! shown once.

use crate::arguments::OneTimeCodeArguments;
use crate::context::{self, Invocation};
use crate::terminal::output::{CommandResult, Output};
use postern_shared::engine::messages;
use postern_shared::protocol::admin_api::IssuedCode;
use postern_shared::system::clock;

pub(super) fn run(run: Invocation<'_>, what: &OneTimeCodeArguments) -> CommandResult {
    let (user, actor, now) = (&what.user, context::actor(), clock::now()?);
    let mut engine = run.engine()?;
    if what.cancel {
        engine.accounts().cancel_one_time_code(user, &actor, now)?;
        return run.output.done(messages::one_time_code_cancelled(user));
    }
    run.output.is_seen()?;
    let (code, expires) = engine.accounts().issue_one_time_code(user, &actor, now)?;
    let (account, expires) = (user.clone(), expires.to_string());
    let shown = show(
        run.output,
        &IssuedCode {
            account,
            one_time_code: code.grouped().into(),
            expires,
        },
    );
    if shown.is_err() {
        // the code was not shown, so it is of no use
        engine.accounts().cancel_one_time_code(user, &actor, now)?;
    }
    shown
}

/// Shows a one-time code, which cannot be shown again.
pub(crate) fn show(output: Output, issued: &IssuedCode) -> CommandResult {
    if output.is_json() {
        return output.json(issued);
    }
    let IssuedCode {
        account,
        one_time_code,
        expires,
    } = issued;
    output.text(format_args!(
        "{}\nValid once, until {expires}, at every prompt that asks {account} for a code. It is not shown again.\n",
        &**one_time_code
    ))
}
