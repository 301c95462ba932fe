//! What most commands begin with: the configuration, the last valid copy refreshed, the door opened.

use crate::arguments::Arguments;
use crate::output::{Failure, Output};
use nix::unistd::{Uid, User, geteuid, getuid};
use shared::config::Config;
use shared::config::file;
use shared::door::Door;
use std::path::Path;

/// Reads postern.toml; a command of root's that reads a valid one refreshes the last valid copy.
pub(crate) fn config(arguments: &Arguments, output: Output) -> Result<Config, Failure> {
    let path = Path::new(&arguments.config);
    let valid = file::read(path).map_err(|error| match error {
        file::ConfigError::File(error) if error.is_missing() => {
            Failure::new(format_args!("{error}; postern init makes one"))
        }
        error => Failure::new(format_args!("{error}; mend it with postern edit")),
    })?;
    if geteuid().is_root() {
        if let Err(error) = file::keep(path, &valid) {
            // The command itself can still be done.
            let _ = output.warn(format_args!("the last valid copy cannot be refreshed: {error}"));
        }
    }
    Ok(valid.config)
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
