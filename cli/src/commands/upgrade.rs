//! `postern upgrade`: takes the store to this program's version. Where there is something to do it stays root: the copy that it
//! leaves goes into the store's folder, where nobody but root makes files. The units run it at each start, when there is
//! nothing: then it is user posternd who opens the store.

use crate::arguments::Arguments;
use crate::context;
use crate::terminal::output::{CommandFailure, Output};
use shared::config::file;
use shared::store::{self, UpgradeResult};

/// By the configuration that is in force, as the gate goes by it: one that is being edited holds no upgrade up.
pub(super) fn run(arguments: &Arguments, output: Output) -> Result<(), CommandFailure> {
    let mut in_force = file::load_config(&arguments.config)
        .map_err(|error| CommandFailure::new(error.with_remedy()))?;
    if let Some(problem) = &in_force.fallback {
        output.warn(problem)?;
    }
    // a file that is missing or in doubt the upgrade names, too
    if store::has_current_version(&in_force.config.store.url).unwrap_or(false) {
        context::give_root_up(&mut in_force.config)?;
    } else {
        // the engine would make them without syncing the folder
        store::make_missing_files(&in_force.config.store.url)?;
    }
    match store::upgrade(&in_force.config.store.url)? {
        UpgradeResult::UpToDate(version) => {
            output.done(format_args!("the store has version {version} already; nothing was changed"))
        }
        UpgradeResult::Upgraded { from, to, backup } => output.done(format_args!(
            "the store had version {from} and has version {to} now; {} is a copy of the earlier store: remove it once everything works",
            backup.display()
        )),
    }
}
