//! `postern browser`: lists and revokes the trusted browsers of an account.

use crate::arguments::RevokeArguments;
use crate::backend::Backend;
use crate::context::Invocation;
use crate::terminal::output::{CommandFailure, CommandResult};
use postern_shared::account::name::UserName;
use postern_shared::store::BrowserRecord;
use serde_json::json;

pub(super) fn list(run: Invocation<'_>, user: Option<&UserName>) -> CommandResult {
    let keys = [
        "id",
        "created",
        "last_seen",
        "expires",
        "address",
        "browser",
    ];
    let browsers = Backend::open(run, user)?.browsers()?;
    let value = |browser: &BrowserRecord| {
        json!({
            "id": browser.number,
            "created": browser.created.to_string(),
            "last_seen": browser.last_seen.to_string(),
            "expires": browser.expires.to_string(),
            "address": browser.address,
            "browser": browser.name,
        })
    };
    run.output
        .records(keys, &browsers.iter().map(value).collect::<Vec<_>>())
}

pub(super) fn revoke(run: Invocation<'_>, what: &RevokeArguments) -> CommandResult {
    let invalid = "this is not the id of a browser; see postern browser list";
    let one = what.id.as_ref().map(|id| id.parse()).transpose();
    let one = one.map_err(|_| CommandFailure::new(invalid))?;
    let ended = Backend::open(run, Some(&what.user))?.revoke_browsers(one)?;
    run.output.done(format_args!(
        "{ended} of {}'s browsers are no longer trusted, and every grace period ended",
        what.user
    ))
}
