//! `postern account`: adds, removes and renames accounts, and changes their groups.

use crate::arguments::{AddAccount, Groups, RenameArguments};
use crate::context::{self, Invocation};
use crate::terminal::output::CommandResult;
use postern_shared::account::name::{Group, UserName};
use postern_shared::system::clock;
use serde_json::json;

pub(super) fn add(run: Invocation<'_>, what: &AddAccount) -> CommandResult {
    let (now, user) = (clock::now()?, &what.user);
    run.engine()?
        .accounts()
        .add_account(user, what.distinct.word(), &context::actor(), now)?;
    run.output.done(format_args!(
        "account {user} created; postern enroll {user} sets up its second factor"
    ))
}

pub(super) fn remove(run: Invocation<'_>, user: &UserName) -> CommandResult {
    let now = clock::now()?;
    run.engine()?
        .accounts()
        .remove_account(user, &context::actor(), now)?;
    run.output.done(format_args!(
        "account {user} removed; codes that it used remain used"
    ))
}

pub(super) fn rename(run: Invocation<'_>, what: &RenameArguments) -> CommandResult {
    let (now, user, new) = (clock::now()?, &what.user, &what.new);
    let distinct = what.distinct.word();
    run.engine()?
        .accounts()
        .rename_account(user, new, distinct, &context::actor(), now)?;
    run.output.done(format_args!(
        "{user} is now named {new}; open sessions have ended"
    ))
}

pub(super) fn group(run: Invocation<'_>, what: &Groups) -> CommandResult {
    let (now, user) = (clock::now()?, &what.user);
    let mut engine = run.engine()?;
    let groups =
        engine
            .accounts()
            .change_groups(user, &what.add, &what.remove, &context::actor(), now)?;
    let groups: Vec<&str> = groups.iter().map(Group::as_str).collect();
    if run.output.is_json() {
        return run.output.json(&json!({"account": user, "groups": groups}));
    }
    match groups.is_empty() {
        true => run.output.text(format_args!("{user} is in no group\n")),
        false => run
            .output
            .text(format_args!("{user} is in {}\n", groups.join(", "))),
    }
}
