//! `postern password`: sets an account's password for the gate's built-in first factor.

use crate::arguments::Arguments;
use crate::context;
use crate::terminal::output::{CommandFailure, Output};
use crate::terminal::prompt;
use postern_shared::account::name::UserName;
use postern_shared::crypto::password::Password;
use postern_shared::engine::messages;
use postern_shared::system::clock;

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    user: &UserName,
) -> Result<(), CommandFailure> {
    let mut door = context::door(arguments, output)?;
    let typed = prompt::ask_hidden(output, "New password: ")?;
    let password = Password::new(typed.clone())?;
    if prompt::is_watched(output) && prompt::ask_hidden(output, "Once more: ")? != typed {
        return Err(CommandFailure::new(
            "the two passwords differ; nothing was changed",
        ));
    }
    let after = door
        .accounts()
        .set_password(user, &password, &context::actor(), clock::now()?)?;
    let more =
        messages::app_passwords_text(after).map_or_else(String::new, |more| format!("; {more}"));
    output.done(format_args!(
        "the password of {user} is set; its sessions and trusted browsers have ended{more}"
    ))
}
