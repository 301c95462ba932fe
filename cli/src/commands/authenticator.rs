//! `postern authenticator`: adds, lists and removes the authenticators of an account.

use super::setup;
use crate::arguments::authenticator::NamedAuthenticator;
use crate::arguments::{Arguments, Enroll};
use crate::backend::Backend;
use crate::terminal::output::{CommandFailure, Output, Table};
use postern_shared::account::name::UserName;
use postern_shared::credential::totp::OtpKind;
use postern_shared::protocol::command_request::{AuthenticatorKind, ChangeOperation};
use postern_shared::protocol::status::AuthenticatorState;
use postern_shared::system::clock::Timestamp;
use serde_json::{Value, json};

pub(super) fn add(
    arguments: &Arguments,
    output: Output,
    what: &Enroll,
) -> Result<(), CommandFailure> {
    let seed = setup::seed_of_file(&what.token)?;
    let mut backend = Backend::open(arguments, output, what.user.as_ref())?;
    setup::run(&mut backend, output, what, seed, AuthenticatorKind::Further)?;
    match (output.is_json(), what.no_confirm) {
        (true, true) => Ok(()),
        _ => output.done(format_args!(
            "{} has an additional authenticator, {}; sessions and trusted browsers have ended",
            backend.account(),
            what.token.name
        )),
    }
}

pub(super) fn list(
    arguments: &Arguments,
    output: Output,
    user: Option<&UserName>,
) -> Result<(), CommandFailure> {
    let all = Backend::open(arguments, output, user)?.authenticators()?;
    if output.is_json() {
        return output.json(&all.iter().map(value).collect::<Vec<_>>());
    }
    let mut table = Table::new(["name", "kind", "digits", "hash", "since", "last used"]);
    for state in &all {
        let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        table.row([
            state
                .label
                .as_ref()
                .map_or_else(|| "(declared)".to_owned(), ToString::to_string),
            match state.parameters.moving {
                OtpKind::Time { period } => format!("TOTP, {period} s"),
                OtpKind::Counter => "HOTP".to_owned(),
            },
            state.parameters.digits.to_string(),
            state.parameters.algorithm.name().to_owned(),
            time(state.created),
            time(state.last_used),
        ]);
    }
    output.text(table)
}

fn value(state: &AuthenticatorState) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let (kind, period) = match state.parameters.moving {
        OtpKind::Time { period } => ("totp", Some(period)),
        OtpKind::Counter => ("hotp", None),
    };
    json!({
        "name": state.label,
        "kind": kind,
        "algorithm": state.parameters.algorithm.name(),
        "digits": state.parameters.digits,
        "period": period,
        "since": time(state.created),
        "last_used": time(state.last_used),
    })
}

pub(super) fn remove(
    arguments: &Arguments,
    output: Output,
    what: &NamedAuthenticator,
) -> Result<(), CommandFailure> {
    let (user, name) = (&what.user, &what.name);
    Backend::open(arguments, output, Some(user))?
        .change_at_once(ChangeOperation::RemoveAuthenticator(name.clone()))?;
    output.done(format_args!(
        "the codes of the authenticator {name} of {user} are no longer valid, and its secret is deleted"
    ))
}
