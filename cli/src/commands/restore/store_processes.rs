//! Processes that use the store: a restore is refused while there are any.

use crate::terminal::output::{CommandFailure, CommandResult};
use nix::unistd::User;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The command that stops every unit that uses the store.
pub(crate) const STOP: &str =
    "systemctl stop posternd.socket posternd-pam.socket postern-gate.socket posternd postern-gate";
/// The command that starts them again.
pub(crate) const START: &str =
    "systemctl start posternd.socket posternd-pam.socket posternd postern-gate";

/// Programs that serve from the store.
const DAEMONS: [&str; 2] = ["posternd", "postern-gate"];
/// The users as which they run, beside root. A process of another user has only their name, and cannot
/// open the store.
const USERS: [&str; 2] = ["posternd", "postern-gate"];

/// Refuses while a daemon runs, or another process has the store open. The caller is root.
pub(crate) fn refuse_running(store: &Path) -> CommandResult {
    let own = std::process::id();
    let store = fs::canonicalize(store).unwrap_or_else(|_| store.to_owned());
    let users = users()?;
    let entries = fs::read_dir("/proc")?.flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut found = Vec::new();
    for id in ids.filter(|id| *id != own) {
        if is_daemon(id, &users) || has_open(id, &store) {
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

/// Returns the user ids of the daemons.
fn users() -> CommandResult<Vec<u32>> {
    let mut users = vec![0];
    for name in USERS {
        users.extend(User::from_name(name)?.map(|user| user.uid.as_raw()));
    }
    Ok(users)
}

fn is_daemon(id: u32, users: &[u32]) -> bool {
    let owner = fs::metadata(format!("/proc/{id}")).map(|found| found.uid());
    if !owner.is_ok_and(|owner| users.contains(&owner)) {
        return false;
    }
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
