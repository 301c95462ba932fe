//! `postern one-time-code`: a way in for someone who has lost theirs, shown once.

use crate::arguments::{Arguments, OneTimeCode};
use crate::context;
use crate::output::{Failure, Output};
use shared::engine::messages;
use shared::protocol::admin_api::Issued;
use shared::system::clock;

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    what: &OneTimeCode,
) -> Result<(), Failure> {
    let (user, actor, now) = (&what.user, context::actor(), clock::now()?);
    let mut door = context::door(arguments, output)?;
    if what.cancel {
        door.cancel_one_time_code(user, &actor, now)?;
        return output.done(messages::one_time_code_cancelled(user));
    }
    output.is_seen()?;
    let (code, expires) = door.issue_one_time_code(user, &actor, now)?;
    let (account, expires) = (user.clone(), expires.to_string());
    let shown = show(
        output,
        &Issued {
            account,
            one_time_code: code.grouped().into(),
            expires,
        },
    );
    if shown.is_err() {
        // nobody has seen it
        door.cancel_one_time_code(user, &actor, now)?;
    }
    shown
}

/// Shows a code, once.
pub(crate) fn show(output: Output, issued: &Issued) -> Result<(), Failure> {
    if output.is_json() {
        return output.json(issued);
    }
    let Issued {
        account,
        one_time_code,
        expires,
    } = issued;
    output.text(format_args!(
        "{}\nValid once, until {expires}, at every prompt that asks {account} for a code. It is not shown again.\n",
        &**one_time_code
    ))
}
