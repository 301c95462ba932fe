//! `postern app-password`: adds, lists, renames and revokes passwords for clients that cannot show
//! a sign-in page.

use crate::arguments::app_password::{Add, RenameAppPassword, RevokeAppPassword};
use crate::context::{self, Invocation};
use crate::terminal::output::{CommandResult, Output, OutputTable};
use postern_shared::account::name::UserName;
use postern_shared::credential::app_password::AppPassword;
use postern_shared::credential::scope::AppPasswordScope;
use postern_shared::store::AppPasswordRecord;
use postern_shared::system::clock::{self, Timestamp};
use serde_json::{Value, json};

pub(super) fn add(run: Invocation<'_>, what: &Add) -> CommandResult {
    let (now, scope) = (
        clock::now()?,
        AppPasswordScope::try_from(what.scope.clone())?,
    );
    let expires = what.expires.seen_from(now);
    run.output.is_seen()?;
    let (mut engine, actor) = (run.engine()?, context::actor());
    let made = engine
        .app_passwords()
        .add_app_password(&what.user, &what.name, &scope, expires, &actor, now)?;
    let shown = show(run.output, what, &scope, expires, &made);
    if shown.is_err() {
        // the password was not shown, so it is of no use
        engine
            .app_passwords()
            .revoke_app_passwords(&what.user, Some(&what.name), &actor, now)?;
    }
    shown
}

/// Shows an app password, which cannot be shown again.
fn show(
    output: Output,
    what: &Add,
    scope: &AppPasswordScope,
    expires: Option<Timestamp>,
    made: &AppPassword,
) -> CommandResult {
    if output.is_json() {
        return output.json(&json!({
            "account": what.user,
            "name": what.name,
            "app_password": made.grouped().as_str(),
            "scope": terms(scope),
            "expires": expires.map(|at| at.to_string()),
        }));
    }
    output.text(format_args!("{}\n", made.grouped().as_str()))?;
    output.warn(format_args!(
        "an app password of {}, valid {}; it replaces password and code, and is not shown again",
        what.user,
        expires.map_or_else(
            || "until it is revoked".to_owned(),
            |at| format!("until {at}")
        ),
    ))?;
    Ok(())
}

pub(super) fn list(run: Invocation<'_>, user: Option<&UserName>) -> CommandResult {
    let all = run.engine()?.app_passwords().list_app_passwords(user)?;
    if run.output.is_json() {
        return run
            .output
            .json(&all.iter().map(value).collect::<Vec<Value>>());
    }
    let mut table =
        OutputTable::new(["account", "name", "scope", "created", "last use", "expires"]);
    for kept in all {
        let (last_used, expires) = (
            kept.last_used.map(minute),
            kept.expires.map(|at| at.to_string()),
        );
        table.row([
            kept.account.to_string(),
            kept.name.to_string(),
            terms(&kept.scope).join("; "),
            kept.created.to_string(),
            last_used.unwrap_or_else(|| "-".to_owned()),
            expires.unwrap_or_else(|| "never".to_owned()),
        ]);
    }
    run.output.text(table)
}

pub(super) fn rename(run: Invocation<'_>, what: &RenameAppPassword) -> CommandResult {
    let RenameAppPassword { user, name, new } = what;
    run.engine()?.app_passwords().rename_app_password(
        user,
        name,
        new,
        &context::actor(),
        clock::now()?,
    )?;
    run.output.done(format_args!(
        "{user}'s app password {name} is now named {new}"
    ))
}

pub(super) fn revoke(run: Invocation<'_>, what: &RevokeAppPassword) -> CommandResult {
    let (now, user) = (clock::now()?, &what.user);
    let mut engine = run.engine()?;
    let ended = engine.app_passwords().revoke_app_passwords(
        user,
        what.name.as_ref(),
        &context::actor(),
        now,
    )?;
    run.output.done(format_args!(
        "{ended} of {user}'s app passwords revoked; open connections continue until they close"
    ))
}

fn value(kept: &AppPasswordRecord) -> Value {
    json!({
        "account": kept.account,
        "name": kept.name,
        "scope": terms(&kept.scope),
        "created": kept.created.to_string(),
        "last_used": kept.last_used.map(minute),
        "expires": kept.expires.map(|at| at.to_string()),
    })
}

fn terms(scope: &AppPasswordScope) -> Vec<String> {
    scope.terms().iter().map(ToString::to_string).collect()
}

/// Formats a time without its seconds, which the store does not keep for app passwords.
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    text.strip_suffix(":00Z")
        .map_or_else(|| text.clone(), |minute| format!("{minute}Z"))
}
