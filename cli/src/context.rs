//! The first steps of most commands: read the configuration, save its valid copy, give up root,
//! open the store.
//!
//! A command that root starts keeps root only to read what only root can read. It opens the key and
//! the store as user `posternd`, as the daemon does, and MUST NOT need root afterwards. `init` and
//! some runs of `upgrade` keep root, for the reasons they state. `key rotate` starts a second
//! process that keeps it (`key_writer`).

use crate::terminal::injection_guard;
use crate::terminal::output::{CommandFailure, CommandResult, Output};
use nix::unistd::{Uid, User, geteuid, getuid};
use postern_shared::config::Config;
use postern_shared::config::file::{self, ConfigError};
use postern_shared::engine::{Engine, privileges};
use postern_shared::store;
use std::path::Path;
use std::sync::LazyLock;

/// The parts of the command line that every command has.
#[derive(Clone, Copy)]
pub(crate) struct Invocation<'a> {
    /// The path of postern.toml.
    pub(crate) config_path: &'a Path,
    pub(crate) output: Output,
}

impl Invocation<'_> {
    /// Reads postern.toml. If root runs the command, a valid configuration is saved as the copy
    /// before it is used.
    pub(crate) fn config(self) -> CommandResult<Config> {
        let read = if geteuid().is_root() {
            file::save_valid_copy(self.config_path)
        } else {
            file::read_config(self.config_path)
        };
        match read {
            Ok(valid) => Ok(valid.config),
            Err(ConfigError::NotSaved { valid, error }) => {
                // The command can run without the copy.
                let _ = self.output.warn(format_args!(
                    "the copy of the valid configuration cannot be saved: {error}"
                ));
                Ok(valid.config)
            }
            Err(error) => Err(CommandFailure::new(error.with_remedy())),
        }
    }

    /// Opens the engine under the configuration, as user `posternd`.
    pub(crate) fn engine(self) -> CommandResult<Engine> {
        let config = self.config()?;
        if config.fleet.is_host() {
            let servers: Vec<_> = config
                .fleet
                .servers
                .iter()
                .map(ToString::to_string)
                .collect();
            return Err(CommandFailure::new(format_args!(
                "this host has no store: the servers in fleet.servers decide; run this on one of them: {}",
                servers.join(", ")
            )));
        }
        open(config)
    }
}

/// Gives up root and opens the engine. The terminal, standard input and standard output are already
/// open and remain usable.
pub(crate) fn open(mut config: Config) -> CommandResult<Engine> {
    give_root_up(&mut config)?;
    Ok(Engine::open(config)?)
}

/// Changes to user `posternd` if this process is root, after the work for which an engine needs
/// root. If that fails, nothing is opened: a host without this user has no daemon either.
pub(crate) fn give_root_up(config: &mut Config) -> CommandResult {
    if !geteuid().is_root() {
        return Ok(());
    }
    // A store restored from a backup is a single file. Only root can create the other files beside
    // it.
    store::make_missing_files(&config.store.url)?;
    LazyLock::force(&ACTOR);
    privileges::drop_root(Some(config))?;
    injection_guard::refuse().map_err(|error| {
        CommandFailure::new(format_args!(
            "access to the terminal cannot be restricted (seccomp): {error}"
        ))
    })
}

/// Returns the actor for the audit log: the user who called sudo, else the user who runs this
/// process.
pub(crate) fn actor() -> String {
    ACTOR.clone()
}

/// Determined before root is given up, because afterwards the process runs as posternd.
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
