//! `postern host`: the hosts of a fleet, on a server; and on a host, joining.

mod join;
mod status;

pub(super) use join::join;
pub(super) use status::show_status;

use crate::arguments::host::{BreakGlassArguments, OneHost};
use crate::context::{self, Invocation};
use crate::terminal::output::CommandResult;
use postern_shared::account::host::HostName;
use postern_shared::credential::break_glass_code::BreakGlassCode;
use postern_shared::engine::BreakGlassTally;
use postern_shared::store::HostRecord;
use postern_shared::system::clock;
use serde_json::json;
use zeroize::Zeroizing;

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

pub(super) fn break_glass(run: Invocation<'_>, what: &BreakGlassArguments) -> CommandResult {
    run.output.is_seen()?;
    let (name, actor, now) = (&what.host.name, context::actor(), clock::now()?);
    let mut engine = run.engine()?;
    let codes = engine
        .hosts()
        .issue_break_glass(name, what.count, &actor, now)?;
    let shown = show_codes(run, name, &codes);
    if shown.is_err() {
        // the codes were not shown, so they are of no use
        engine.hosts().cancel_break_glass(name, now)?;
    }
    shown
}

fn show_codes(run: Invocation<'_>, name: &HostName, codes: &[BreakGlassCode]) -> CommandResult {
    let codes: Vec<Zeroizing<String>> = codes.iter().map(BreakGlassCode::grouped).collect();
    let texts: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    if run.output.is_json() {
        return run
            .output
            .json(&json!({ "host": name.as_str(), "codes": texts }));
    }
    run.output.text(format_args!(
        "{}\nEach is valid once, on {name} alone, while no server answers. Earlier ones are not valid any more once {name} has these: see postern host list. They are not shown again: keep them on paper.\n",
        texts.join("\n")
    ))
}

pub(super) fn list(run: Invocation<'_>) -> CommandResult {
    let mut engine = run.engine()?;
    let hosts = engine.hosts().list_hosts()?;
    let mut counted = Vec::with_capacity(hosts.len());
    for host in &hosts {
        counted.push((host, engine.hosts().count_break_glass(host.number)?));
    }
    let value = |(host, codes): &(&HostRecord, BreakGlassTally)| {
        json!({
            "host": host.name.as_str(),
            "joined": host.joined.to_string(),
            "certificate_expires": host.expires.to_string(),
            "revoked": host.revoked.map(|at| at.to_string()),
            "break_glass_codes": codes.left,
            "break_glass_received": codes.received.map(|at| at.to_string()),
        })
    };
    let keys = [
        "host",
        "joined",
        "certificate_expires",
        "revoked",
        "break_glass_codes",
        "break_glass_received",
    ];
    run.output
        .records(keys, &counted.iter().map(value).collect::<Vec<_>>())
}

pub(super) fn revoke(run: Invocation<'_>, what: &OneHost) -> CommandResult {
    let (actor, now) = (context::actor(), clock::now()?);
    run.engine()?.hosts().revoke_host(&what.name, &actor, now)?;
    run.output.done(format_args!(
        "{} is revoked; no server accepts anything through it any more",
        what.name
    ))
}
