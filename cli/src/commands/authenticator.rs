//! `postern authenticator`: lists and removes the authenticators of an account.

use crate::arguments::authenticator::NamedAuthenticator;
use crate::backend::Backend;
use crate::context::Invocation;
use crate::terminal::output::{CommandResult, OutputTable};
use postern_shared::account::name::UserName;
use postern_shared::credential::otp::totp::OtpKind;
use postern_shared::protocol::command_request::ChangeOperation;
use postern_shared::protocol::status::AuthenticatorState;
use postern_shared::system::clock::Timestamp;
use serde_json::{Value, json};

pub(super) fn list(run: Invocation<'_>, user: Option<&UserName>) -> CommandResult {
    let all = Backend::open(run, user)?.authenticators()?;
    if run.output.is_json() {
        return run.output.json(&all.iter().map(value).collect::<Vec<_>>());
    }
    let mut table = OutputTable::new(["name", "kind", "digits", "hash", "since", "last used"]);
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
    run.output.text(table)
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

pub(super) fn remove(run: Invocation<'_>, what: &NamedAuthenticator) -> CommandResult {
    let (user, name) = (&what.user, &what.name);
    Backend::open(run, Some(user))?
        .change_at_once(ChangeOperation::RemoveAuthenticator(name.clone()))?;
    run.output.done(format_args!(
        "the codes of the authenticator {name} of {user} are no longer valid, and its secret is deleted"
    ))
}
