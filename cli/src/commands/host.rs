//! `postern host`: the hosts of a fleet, on a server; and on a host, joining.

mod join;
mod status;

pub(super) use join::join;
pub(super) use status::show_status;

use crate::arguments::host::OneHost;
use crate::context::{self, Invocation};
use crate::terminal::output::CommandResult;
use postern_shared::store::HostRecord;
use postern_shared::system::clock;
use serde_json::json;

pub(super) fn invite(run: Invocation<'_>, what: &OneHost) -> CommandResult {
    run.output.is_seen()?;
    let (actor, now) = (context::actor(), clock::now()?);
    let (invitation, expires) = run.engine()?.hosts().invite_host(&what.name, &actor, now)?;
    let (name, text) = (&what.name, invitation.to_text());
    if run.output.is_json() {
        let value = json!({
            "host": name.as_str(),
            "invitation": text.as_str(),
            "expires": expires.to_string(),
        });
        return run.output.json(&value);
    }
    run.output.text(format_args!(
        "{}\nValid once, until {expires}. On {name}, run postern host join URL and type it. It is not shown again.\n",
        text.as_str()
    ))
}

pub(super) fn list(run: Invocation<'_>) -> CommandResult {
    let hosts = run.engine()?.hosts().list_hosts()?;
    let value = |host: &HostRecord| {
        json!({
            "host": host.name.as_str(),
            "joined": host.joined.to_string(),
            "certificate_expires": host.expires.to_string(),
            "revoked": host.revoked.map(|at| at.to_string()),
        })
    };
    let keys = ["host", "joined", "certificate_expires", "revoked"];
    run.output
        .records(keys, &hosts.iter().map(value).collect::<Vec<_>>())
}

pub(super) fn revoke(run: Invocation<'_>, what: &OneHost) -> CommandResult {
    let (actor, now) = (context::actor(), clock::now()?);
    run.engine()?.hosts().revoke_host(&what.name, &actor, now)?;
    run.output.done(format_args!(
        "{} is revoked; no server accepts anything through it any more",
        what.name
    ))
}
