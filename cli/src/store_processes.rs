//! Processes that use the store: a restore is refused while there are any.

use crate::terminal::output::{CommandFailure, CommandResult};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// The command that stops every unit that uses the store.
pub(crate) const STOP: &str =
    "systemctl stop posternd.socket posternd-pam.socket postern-gate.socket posternd postern-gate";
/// The command that starts them again.
pub(crate) const START: &str =
    "systemctl start posternd.socket posternd-pam.socket posternd postern-gate";

/// Programs that serve from the store.
const DAEMONS: [&str; 2] = ["posternd", "postern-gate"];
/// Most processes that are looked at.
const MOST: usize = 100_000;

/// Refuses while a daemon runs, or another process has the store open. The caller is root.
pub(crate) fn refuse_running(store: &Path) -> CommandResult {
    let own = std::process::id();
    let store = fs::canonicalize(store).unwrap_or_else(|_| store.to_owned());
    let entries = fs::read_dir("/proc")?.flatten().take(MOST);
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut found = Vec::new();
    for id in ids.filter(|id| *id != own) {
        if is_daemon(id) || has_open(id, &store) {
            let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
            found.push(format!("{} (process {id})", name.trim_end()));
        }
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(CommandFailure::new(format_args!(
            "the store is in use by {}; nothing was changed; stop what uses it: {STOP}",
            found.join(", ")
        ))),
    }
}

fn is_daemon(id: u32) -> bool {
    let Ok(program) = fs::read_link(format!("/proc/{id}/exe")) else {
        return false;
    };
    let name = program
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    // a replaced program ends in " (deleted)"; a name that goes on is that of a copy beside it
    let name = name.split([' ', '.']).next().unwrap_or_default();
    DAEMONS.contains(&name)
}

fn has_open(id: u32, store: &Path) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{id}/fd")) else {
        return false;
    };
    entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|open| open == store)
}
