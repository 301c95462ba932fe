//! `postern password`: sets an account's password for the gate's built-in first factor.

use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult};
use crate::terminal::prompt;
use postern_shared::account::name::UserName;
use postern_shared::crypto::password::Password;
use postern_shared::engine::{AppPasswordsAfter, messages};
use postern_shared::system::clock;

pub(super) fn run(run: Invocation<'_>, user: &UserName) -> CommandResult {
    let mut engine = run.engine()?;
    let typed = prompt::ask_hidden(run.output, "New password: ")?;
    let password = Password::new(typed.clone())?;
    if prompt::is_watched(run.output) && prompt::ask_hidden(run.output, "Once more: ")? != typed {
        return Err(CommandFailure::new(
            "the two passwords differ; nothing was changed",
        ));
    }
    let after =
        engine
            .accounts()
            .set_password(user, &password, &context::actor(), clock::now()?)?;
    let more = and_app_passwords(after);
    run.output.done(format_args!(
        "the password of {user} is set; its sessions and trusted browsers have ended{more}"
    ))
}

/// Returns what happened to app passwords, as the end of a message.
pub(super) fn and_app_passwords(after: AppPasswordsAfter) -> String {
    messages::app_passwords_text(after).map_or_else(String::new, |text| format!("; {text}"))
}
