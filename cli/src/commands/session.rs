//! `postern session`: lists and revokes the web sessions of an account.

use crate::arguments::RevokeArguments;
use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult};
use postern_shared::account::name::UserName;
use postern_shared::store::SessionRecord;
use postern_shared::system::clock;
use postern_shared::token::session::SessionId;
use serde_json::json;

pub(super) fn list(run: Invocation<'_>, user: &UserName) -> CommandResult {
    let keys = ["id", "created", "expires", "address", "browser"];
    let sessions = run
        .engine()?
        .sessions()
        .list_sessions(user, clock::now()?)?;
    let value = |session: &SessionRecord| {
        json!({
            "id": session.id.to_string(),
            "created": session.created.to_string(),
            "expires": session.expires.to_string(),
            "address": session.address,
            "browser": session.browser,
        })
    };
    run.output
        .records(keys, &sessions.iter().map(value).collect::<Vec<_>>())
}

pub(super) fn revoke(run: Invocation<'_>, what: &RevokeArguments) -> CommandResult {
    let invalid = "this is not the id of a session; see postern session list";
    let parse = |id: &String| SessionId::parse(id).ok_or(CommandFailure::new(invalid));
    let one = what.id.as_ref().map(parse).transpose()?;
    let now = clock::now()?;
    let ended =
        run.engine()?
            .sessions()
            .revoke_sessions(&what.user, one, &context::actor(), now)?;
    run.output.done(format_args!(
        "{ended} of {}'s sessions ended, and every grace period; open websockets continue until they close",
        what.user
    ))
}
