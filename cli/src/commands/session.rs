//! `postern session`: lists and revokes the web sessions of an account.

use crate::arguments::{Arguments, RevokeArguments};
use crate::context;
use crate::terminal::output::{CommandFailure, Output, Table};
use postern_shared::account::name::UserName;
use postern_shared::system::clock;
use postern_shared::token::session::SessionId;
use serde_json::{Value, json};

pub(super) fn list(
    arguments: &Arguments,
    output: Output,
    user: &UserName,
) -> Result<(), CommandFailure> {
    let sessions = context::door(arguments, output)?
        .sessions()
        .list_sessions(user, clock::now()?)?;
    if output.is_json() {
        let value = |s: &postern_shared::store::SessionRecord| {
            json!({
                "id": s.id.to_string(),
                "created": s.created.to_string(),
                "expires": s.expires.to_string(),
                "address": s.address,
                "browser": s.browser,
            })
        };
        return output.json(&sessions.iter().map(value).collect::<Vec<Value>>());
    }
    let mut table = Table::new(["id", "created", "expires", "address", "browser"]);
    for s in sessions {
        table.row([
            s.id.to_string(),
            s.created.to_string(),
            s.expires.to_string(),
            s.address,
            s.browser,
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
        Some(id) => Some(SessionId::parse(id).ok_or_else(|| {
            CommandFailure::new("this is not the id of a session; see postern session list")
        })?),
    };
    let now = clock::now()?;
    let ended = context::door(arguments, output)?
        .sessions()
        .revoke_sessions(&what.user, one, &context::actor(), now)?;
    output.done(format_args!(
        "{ended} of {}'s sessions ended, and every grace period; open websockets continue until they close",
        what.user
    ))
}
