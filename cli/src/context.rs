//! What most commands begin with: the configuration, its valid copy kept, root given up, the store opened.
//!
//! A command of root's is root until it has read what root alone can read. It opens key and store as user `posternd`, as
//! the daemon does, and MUST NOT need root afterwards; `init` and an `upgrade` do, and say why; `key rotate` leaves a
//! process behind that does (`key_writer`).

use crate::arguments::Arguments;
use crate::terminal::injection_guard;
use crate::terminal::output::{CommandFailure, Output};
use nix::unistd::{Uid, User, geteuid, getuid};
use shared::config::Config;
use shared::config::file::{self, ConfigError};
use shared::engine::{Engine, privileges};
use shared::store;
use std::path::Path;
use std::sync::LazyLock;

/// Reads postern.toml; a command of root's keeps a valid one before it goes by it.
pub(crate) fn config(arguments: &Arguments, output: Output) -> Result<Config, CommandFailure> {
    let path = Path::new(&arguments.config);
    let read = if geteuid().is_root() {
        file::save_valid_copy(path)
    } else {
        file::read_config(path)
    };
    match read {
        Ok(valid) => Ok(valid.config),
        Err(ConfigError::NotSaved { valid, error }) => {
            // The command itself can still be done.
            let _ = output.warn(format_args!(
                "the copy of the valid configuration cannot be saved: {error}"
            ));
            Ok(valid.config)
        }
        Err(error) => Err(CommandFailure::new(error.with_remedy())),
    }
}

/// Opens the engine under the configuration, as user `posternd`.
pub(crate) fn door(arguments: &Arguments, output: Output) -> Result<Engine, CommandFailure> {
    open(config(arguments, output)?)
}

/// Gives root up, and opens the engine. The terminal, standard input and output were opened before, and stay.
pub(crate) fn open(mut config: Config) -> Result<Engine, CommandFailure> {
    give_root_up(&mut config)?;
    Ok(Engine::open(config)?)
}

/// Becomes user `posternd`, if this is root, once all is done for which an engine needs root. Where that is not possible
/// nothing is opened: a host without that user has no daemon either.
pub(crate) fn give_root_up(config: &mut Config) -> Result<(), CommandFailure> {
    if !geteuid().is_root() {
        return Ok(());
    }
    // a store that is put back from its backup is one file, and only root makes others beside it
    store::make_missing_files(&config.store.url)?;
    LazyLock::force(&ACTOR);
    privileges::drop_root(Some(config))?;
    injection_guard::refuse().map_err(|error| {
        CommandFailure::new(format_args!(
            "access to the terminal cannot be restricted (seccomp): {error}"
        ))
    })
}

/// Who acts, for the event log: the person behind sudo, else the user who runs this.
pub(crate) fn actor() -> String {
    ACTOR.clone()
}

/// Found out before root is given up, since from then on this is a process of posternd's.
static ACTOR: LazyLock<String> = LazyLock::new(|| {
    let name = |uid: Uid| match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    };
    let behind_sudo = std::env::var("SUDO_UID")
        .ok()
        .filter(|_| getuid().is_root());
    match behind_sudo.and_then(|uid| uid.parse().ok()) {
        Some(uid) => name(Uid::from_raw(uid)),
        None => name(getuid()),
    }
});
