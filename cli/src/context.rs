//! What most commands begin with: the configuration, its valid copy kept, the store opened.

use crate::arguments::Arguments;
use crate::output::{Failure, Output};
use nix::unistd::{Uid, User, geteuid, getuid};
use shared::config::Config;
use shared::config::file::{self, ConfigError};
use shared::door::Door;
use std::path::Path;

/// Reads postern.toml; a command of root's keeps a valid one before it goes by it.
pub(crate) fn config(arguments: &Arguments, output: Output) -> Result<Config, Failure> {
    let path = Path::new(&arguments.config);
    let read = if geteuid().is_root() { file::keep_current(path) } else { file::read(path) };
    match read {
        Ok(valid) => Ok(valid.config),
        Err(ConfigError::NotKept { valid, error }) => {
            // The command itself can still be done.
            let _ = output.warn(format_args!("the valid copy cannot be kept: {error}"));
            Ok(valid.config)
        }
        Err(error) => Err(Failure::new(error.with_remedy())),
    }
}

/// Opens the door that the configuration names.
pub(crate) fn door(arguments: &Arguments, output: Output) -> Result<Door, Failure> {
    Ok(Door::open(config(arguments, output)?)?)
}

/// Who acts, for the event log: the person behind sudo, else the user of this process.
pub(crate) fn actor() -> String {
    let name = |uid: Uid| match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    };
    let behind_sudo = std::env::var("SUDO_UID").ok().filter(|_| getuid().is_root());
    match behind_sudo.and_then(|uid| uid.parse().ok()) {
        Some(uid) => name(Uid::from_raw(uid)),
        None => name(getuid()),
    }
}
