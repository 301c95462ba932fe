//! `postern status`: shows which accounts have a second factor, since when, and in what state.

pub(crate) mod metrics;

use crate::backend;
use crate::backend::Backend;
use crate::context::Invocation;
use crate::terminal::output::{CommandResult, Output, OutputTable};
use postern_shared::account::name::UserName;
use postern_shared::protocol::admin_api::AccountState;
use postern_shared::protocol::status::SecondFactorState;

pub(super) fn run(run: Invocation<'_>, user: Option<&UserName>) -> CommandResult {
    let all = user.is_none() && backend::is_root();
    let statuses = match all {
        true => run.engine()?.accounts().account_statuses()?,
        false => vec![Backend::open(run, user)?.status()?],
    };
    let states: Vec<AccountState> = statuses.iter().map(AccountState::from).collect();
    show(
        run.output,
        &states,
        if all {
            ShownStatus::All
        } else {
            ShownStatus::One
        },
    )
}

/// The accounts that the command line asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShownStatus {
    All,
    One,
}

/// Prints the state of accounts.
pub(crate) fn show(output: Output, states: &[AccountState], shown: ShownStatus) -> CommandResult {
    if output.is_json() {
        return match (shown, states) {
            (ShownStatus::One, [one]) => output.json(one),
            _ => output.json(&states),
        };
    }
    let mut table = OutputTable::new([
        "account",
        "second factor",
        "since",
        "devices",
        "passkeys",
        "last sign-in",
        "recovery codes",
        "mail",
        "locked",
    ]);
    for one in states {
        let time = |at: &Option<String>| at.clone().unwrap_or_else(|| "-".to_owned());
        table.row([
            one.account.to_string(),
            state(one.state).to_owned(),
            time(&one.since),
            one.authenticators.to_string(),
            one.passkeys.to_string(),
            time(&one.last_sign_in),
            one.recovery_codes.to_string(),
            mail(one),
            if one.locked { "yes" } else { "no" }.to_owned(),
        ]);
    }
    output.text(table)
}

fn state(state: SecondFactorState) -> &'static str {
    match state {
        SecondFactorState::Off => "off",
        SecondFactorState::On => "on",
        SecondFactorState::Declared => "declared",
    }
}

/// Returns the confirmed mail address, or the one that waits for confirmation.
fn mail(of: &AccountState) -> String {
    match (&of.email, &of.email_unconfirmed) {
        (Some(address), _) => address.to_string(),
        (None, Some(address)) => format!("{address} (unconfirmed)"),
        (None, None) => "-".to_owned(),
    }
}
