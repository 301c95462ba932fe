//! `postern init`: creates the configuration, the master key and the store where they are missing.
//! It never replaces a file. It runs as root until all files exist, because root owns the folders.
//! As root it reads nothing from a store.

use crate::context::{self, Invocation};
use crate::terminal::output::{CommandFailure, CommandResult};
use postern_shared::config::{StoreUrl, file};
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::Vault;
use postern_shared::engine::privileges;
use postern_shared::store;
use postern_shared::system::trusted_file::{self, Existing};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The documented sample, which sets every key to its default.
const SAMPLE: &str = include_str!("../../../config/postern.toml");

/// Creates a folder that everyone can read and only root can write, whatever the umask is. An
/// existing folder is not changed.
fn make_folder(folder: &Path) -> Result<(), trusted_file::FileError> {
    let io = |error| trusted_file::FileError::io(folder, error);
    match std::fs::create_dir(folder) {
        Ok(()) => std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).map_err(io),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io(error)),
    }
}

/// Files that are removed on drop unless all files were created.
struct Made(Vec<PathBuf>);

impl Made {
    /// Keeps the files, and returns the paths to print.
    fn stays(mut self) -> Vec<String> {
        let made = std::mem::take(&mut self.0);
        let told = made.iter().filter(|path| {
            path.extension()
                .is_none_or(|extension| extension != "valid")
        });
        told.map(|path| path.display().to_string()).collect()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            // best effort: the error to report is the first one
            let _ = std::fs::remove_file(path);
        }
    }
}

pub(super) fn run(run: Invocation<'_>) -> CommandResult {
    // Nothing is created on a host without user posternd, which could not use it.
    let group = privileges::user_and_group()?.1.as_raw();
    let mut made = Made(Vec::new());
    if run.config_path.symlink_metadata().is_err() {
        if let Some(folder) = run.config_path.parent() {
            make_folder(folder)?;
        }
        trusted_file::remove_abandoned(run.config_path)?;
        trusted_file::write_atomically(
            run.config_path,
            SAMPLE.as_bytes(),
            0o644,
            None,
            Existing::Refuse,
        )?;
        made.0.push(run.config_path.to_owned());
        let copy = file::copy_path(run.config_path);
        if copy.symlink_metadata().is_err() {
            made.0.push(copy);
        }
    }
    let config = run.config()?;

    let (key_path, url) = (config.store.key_file.path(), &config.store.url);
    let store_exists = store::exists(&config.store)?;
    if key_path.symlink_metadata().is_err() {
        if store_exists {
            return Err(CommandFailure::new(format_args!(
                "there is a store at {} but no key at {}; restore the key file from its backup, a new key cannot open this store",
                location(url),
                key_path.display()
            )));
        }
        let (_, text) = MasterKeys::generate()?;
        trusted_file::remove_abandoned(key_path)?;
        trusted_file::write_atomically(
            key_path,
            text.as_bytes(),
            0o640,
            Some(group),
            Existing::Refuse,
        )?;
        made.0.push(key_path.to_owned());
    }
    if !store_exists {
        let keys = Vault::create(&MasterKeys::read_file(key_path)?)?;
        store::create(&config.store, Some(group), &keys)?;
    }
    let mut made = made.stays();
    if !store_exists {
        made.push(location(url));
    }
    // checks as user posternd that the new files can be opened
    context::open(config)?;
    match made.as_slice() {
        [] => run
            .output
            .done("everything exists already; nothing was changed"),
        made => run.output.done(format_args!(
            "created {}; keep a copy of the key file apart from the store",
            made.join(", ")
        )),
    }
}

/// Returns where the store is, as people read it.
fn location(url: &StoreUrl) -> String {
    url.sqlite_path()
        .map_or_else(|| url.to_string(), |path| path.display().to_string())
}
