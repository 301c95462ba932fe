//! `postern browser`: lists and revokes the trusted browsers of an account.

use crate::arguments::{Arguments, RevokeArguments};
use crate::backend::Backend;
use crate::terminal::output::{CommandFailure, Output, Table};
use postern_shared::account::name::UserName;
use serde_json::{Value, json};

pub(super) fn list(
    arguments: &Arguments,
    output: Output,
    user: Option<&UserName>,
) -> Result<(), CommandFailure> {
    let browsers = Backend::open(arguments, output, user)?.browsers()?;
    if output.is_json() {
        let value = |b: &postern_shared::store::BrowserRecord| {
            json!({
                "id": b.number,
                "created": b.created.to_string(),
                "last_seen": b.last_seen.to_string(),
                "expires": b.expires.to_string(),
                "address": b.address,
                "browser": b.name,
            })
        };
        return output.json(&browsers.iter().map(value).collect::<Vec<Value>>());
    }
    let mut table = Table::new([
        "id",
        "created",
        "last seen",
        "expires",
        "address",
        "browser",
    ]);
    for b in browsers {
        let times = [b.created, b.last_seen, b.expires].map(|at| at.to_string());
        let [created, last_seen, expires] = times;
        table.row([
            b.number.to_string(),
            created,
            last_seen,
            expires,
            b.address,
            b.name,
        ]);
    }
    output.text(table)
}

pub(super) fn revoke(
    arguments: &Arguments,
    output: Output,
    what: &RevokeArguments,
) -> Result<(), CommandFailure> {
    let one = match &what.id {
        None => None,
        Some(id) => Some(id.parse().map_err(|_| {
            CommandFailure::new("this is not the id of a browser; see postern browser list")
        })?),
    };
    let ended = Backend::open(arguments, output, Some(&what.user))?.revoke_browsers(one)?;
    output.done(format_args!(
        "{ended} of {}'s browsers are no longer trusted, and every grace period ended",
        what.user
    ))
}
