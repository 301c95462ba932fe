//! `postern upgrade`: migrates the store to the version of this program. A migration runs as root,
//! because it writes a backup copy into the store's folder, where only root can create files. The
//! systemd units run this command at each start; if there is nothing to migrate, user posternd
//! opens the store.

use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult};
use postern_shared::config::file;
use postern_shared::store::{self, UpgradeResult};

/// Upgrades the store under the configuration that is in force, as the gate reads it. An edited
/// configuration that is invalid does not block an upgrade.
pub(super) fn run(run: Invocation<'_>) -> CommandResult {
    let mut in_force = file::load_config(run.config_path)
        .map_err(|error| CommandFailure::new(error.with_remedy()))?;
    if let Some(problem) = &in_force.fallback {
        run.output.warn(problem)?;
    }
    if in_force.config.fleet.is_host() {
        return run.output.done(
            "this host has no store: the servers in fleet.servers decide; nothing was changed",
        );
    }
    // An error here is ignored: the upgrade itself reports a file that is missing or not trusted.
    if store::has_current_version(&in_force.config.store).unwrap_or(false) {
        context::give_root_up(&mut in_force.config)?;
    } else {
        // The engine would create the files without a sync of the folder.
        store::make_missing_files(&in_force.config.store.url)?;
    }
    match store::upgrade(&in_force.config.store)? {
        UpgradeResult::UpToDate(version) => {
            run.output.done(format_args!("the store has version {version} already; nothing was changed"))
        }
        UpgradeResult::Upgraded { from, to, backup: None } => run.output.done(format_args!(
            "the store had version {from} and has version {to} now; an earlier Postern does not open it any more"
        )),
        UpgradeResult::Upgraded { from, to, backup: Some(backup) } => run.output.done(format_args!(
            "the store had version {from} and has version {to} now; {} is a copy of the earlier store: remove it once everything works",
            backup.display()
        )),
    }
}
