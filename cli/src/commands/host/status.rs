//! `postern status --hosts`: what the servers of a fleet have seen of its hosts.

use crate::backend;
use crate::context::Invocation;
use crate::terminal::output::{CommandFailure, CommandResult};
use postern_shared::engine::HostStatus;
use postern_shared::system::clock;
use serde_json::{Value, json};

const COLUMNS: [&str; 10] = [
    "host",
    "state",
    "joined",
    "last_seen",
    "servers",
    "version",
    "certificate_expires",
    "accepted",
    "not_needed",
    "denied",
];

pub(in crate::commands) fn show_status(run: Invocation<'_>) -> CommandResult {
    if !backend::is_root() {
        return Err(CommandFailure::new("only root may do this; try sudo"));
    }
    let hosts = run.engine()?.hosts().host_statuses(clock::now()?)?;
    let rows: Vec<Value> = hosts.iter().map(row).collect();
    run.output.records(COLUMNS, &rows)
}

fn row(of: &HostStatus) -> Value {
    let state = match (of.host.revoked, of.servers.is_empty()) {
        (Some(_), _) => "revoked",
        (None, true) => "not connected",
        (None, false) => "connected",
    };
    let servers = Some(of.servers.join(" ")).filter(|servers| !servers.is_empty());
    json!({
        "host": of.host.name.as_str(),
        "state": state,
        "joined": of.host.joined.to_string(),
        "last_seen": of.seen.map(|at| at.to_string()),
        "servers": servers,
        "version": of.version,
        "certificate_expires": of.host.expires.to_string(),
        "accepted": of.counts.passed,
        "not_needed": of.counts.not_needed,
        "denied": of.counts.denied,
    })
}
