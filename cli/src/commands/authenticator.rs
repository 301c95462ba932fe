//! `postern authenticator`: lists and removes the authenticators of an account, passkeys among them, and
//! renames passkeys.

use crate::arguments::authenticator::{NamedAuthenticator, RenamedAuthenticator};
use crate::backend::Backend;
use crate::context::Invocation;
use crate::terminal::output::{CommandFailure, CommandResult, OutputTable};
use postern_shared::account::name::UserName;
use postern_shared::credential::otp::totp::OtpKind;
use postern_shared::engine::messages;
use postern_shared::protocol::command_request::ChangeOperation;
use postern_shared::protocol::status::{AuthenticatorState, PasskeyState};
use postern_shared::system::clock::Timestamp;
use serde_json::{Value, json};

pub(super) fn list(run: Invocation<'_>, user: Option<&UserName>) -> CommandResult {
    let mut backend = Backend::open(run, user)?;
    let (all, passkeys) = (backend.authenticators()?, backend.passkeys()?);
    if run.output.is_json() {
        let values = all.iter().map(value);
        return run.output.json(
            &values
                .chain(passkeys.iter().map(passkey_value))
                .collect::<Vec<_>>(),
        );
    }
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let mut table = OutputTable::new(["name", "kind", "digits", "hash", "since", "last used"]);
    for state in &all {
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
    for passkey in &passkeys {
        table.row([
            passkey.name.to_string(),
            "passkey".to_owned(),
            "-".to_owned(),
            "-".to_owned(),
            passkey.created.to_string(),
            time(passkey.last_used),
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

fn passkey_value(state: &PasskeyState) -> Value {
    json!({
        "name": state.name,
        "kind": "passkey",
        "verifies_user": state.verifies_user,
        "backed_up": state.is_backed_up,
        "since": state.created.to_string(),
        "last_used": state.last_used.map(|at| at.to_string()),
    })
}

/// Removes the authenticator or the passkey of a name. Where both have it, neither is removed.
pub(super) fn remove(run: Invocation<'_>, what: &NamedAuthenticator) -> CommandResult {
    let (user, name) = (&what.user, &what.name);
    let mut backend = Backend::open(run, Some(user))?;
    if !backend.passkeys()?.iter().any(|one| one.name == *name) {
        backend.change_at_once(ChangeOperation::RemoveAuthenticator(name.clone()))?;
        return run.output.done(format_args!(
            "the codes of the authenticator {name} of {user} are no longer valid, and its secret is deleted"
        ));
    }
    let is_name = |state: &AuthenticatorState| state.label.as_ref() == Some(name);
    if backend.authenticators()?.iter().any(is_name) {
        return Err(CommandFailure::new(format_args!(
            "{user} has an authenticator and a passkey of the name {name}; nothing was removed; give the passkey \
             another name first: postern authenticator rename {user} {name} NEW"
        )));
    }
    backend.change_at_once(ChangeOperation::RemovePasskey(name.clone()))?;
    run.output.done(messages::passkey_removed(user, name))
}

/// Renames a passkey.
pub(super) fn rename(run: Invocation<'_>, what: &RenamedAuthenticator) -> CommandResult {
    let (user, name, new) = (&what.which.user, &what.which.name, &what.new);
    let (from, to) = (name.clone(), new.clone());
    let change = ChangeOperation::RenamePasskey {
        name: from,
        new: to,
    };
    Backend::open(run, Some(user))?.change_at_once(change)?;
    run.output
        .done(format_args!("the passkey {name} of {user} is named {new}"))
}
