//! `postern account`: adds, removes and renames accounts, and changes their groups.

use crate::arguments::{AddAccount, Arguments, Groups, RenameArguments};
use crate::context;
use crate::terminal::output::{CommandFailure, Output};
use postern_shared::account::name::{Group, UserName};
use postern_shared::system::clock;
use serde_json::json;

pub(super) fn add(
    arguments: &Arguments,
    output: Output,
    what: &AddAccount,
) -> Result<(), CommandFailure> {
    let (now, user) = (clock::now()?, &what.user);
    context::door(arguments, output)?.accounts().add_account(
        user,
        what.distinct.word(),
        &context::actor(),
        now,
    )?;
    output.done(format_args!(
        "account {user} created; postern enroll {user} sets up its second factor"
    ))
}

pub(super) fn remove(
    arguments: &Arguments,
    output: Output,
    user: &UserName,
) -> Result<(), CommandFailure> {
    let now = clock::now()?;
    context::door(arguments, output)?
        .accounts()
        .remove_account(user, &context::actor(), now)?;
    output.done(format_args!(
        "account {user} removed; codes that it used remain used"
    ))
}

pub(super) fn rename(
    arguments: &Arguments,
    output: Output,
    what: &RenameArguments,
) -> Result<(), CommandFailure> {
    let (now, user, new) = (clock::now()?, &what.user, &what.new);
    let distinct = what.distinct.word();
    context::door(arguments, output)?
        .accounts()
        .rename_account(user, new, distinct, &context::actor(), now)?;
    output.done(format_args!(
        "{user} is now named {new}; open sessions have ended"
    ))
}

pub(super) fn group(
    arguments: &Arguments,
    output: Output,
    what: &Groups,
) -> Result<(), CommandFailure> {
    let (now, user) = (clock::now()?, &what.user);
    let mut door = context::door(arguments, output)?;
    let groups =
        door.accounts()
            .change_groups(user, &what.add, &what.remove, &context::actor(), now)?;
    let groups: Vec<&str> = groups.iter().map(Group::as_str).collect();
    if output.is_json() {
        return output.json(&json!({"account": user, "groups": groups}));
    }
    match groups.is_empty() {
        true => output.text(format_args!("{user} is in no group\n")),
        false => output.text(format_args!("{user} is in {}\n", groups.join(", "))),
    }
}
