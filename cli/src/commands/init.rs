//! `postern init`: makes what is missing of configuration, master key and store; never replaces anything.

use crate::arguments::Arguments;
use crate::context;
use crate::output::{Failure, Output};
use nix::unistd::Group;
use shared::door::Door;
use shared::files::{self, Existing};
use shared::key::MasterKeys;
use shared::store;
use shared::vault::Vault;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Who shares key and store with root.
pub(super) const GROUP: &str = "postern";
/// The documented sample: every key at its default.
const SAMPLE: &str = include_str!("../../../config/postern.toml");

/// A folder that everyone may read and only root write, whatever the umask says. One that exists stays.
fn make_folder(folder: &Path) -> Result<(), files::FileError> {
    let io = |error| files::FileError::io(folder, error);
    match std::fs::create_dir(folder) {
        Ok(()) => std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).map_err(io),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io(error)),
    }
}

pub(super) fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let group = Group::from_name(GROUP).ok().flatten().map(|group| group.gid.as_raw()).ok_or_else(|| {
        Failure::new(format_args!(
            "there is no group {GROUP}; make it and its user with: useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {GROUP}"
        ))
    })?;
    let mut made = Vec::new();
    if arguments.config.symlink_metadata().is_err() {
        if let Some(folder) = arguments.config.parent() {
            make_folder(folder)?;
        }
        files::write(&arguments.config, SAMPLE.as_bytes(), 0o644, None, Existing::Refuse)?;
        made.push(arguments.config.display().to_string());
    }
    let config = context::config(arguments, output)?;

    let (key_path, url) = (config.store.key_file.path(), &config.store.url);
    let store_exists = store::exists(url);
    if key_path.symlink_metadata().is_err() {
        if store_exists {
            return Err(Failure::new(format_args!(
                "there is a store at {} but no key at {}; put the key file back from its backup, a new one cannot open this store",
                url.sqlite_path().display(),
                key_path.display()
            )));
        }
        let (_, text) = MasterKeys::generate()?;
        files::write(key_path, text.as_bytes(), 0o640, Some(group), Existing::Refuse)?;
        made.push(key_path.display().to_string());
    }
    if !store_exists {
        let keys = Vault::create(&MasterKeys::read(key_path)?)?;
        store::create(url, Some(group), &keys)?;
        made.push(url.sqlite_path().display().to_string());
    }
    Door::open(config)?;
    match made.as_slice() {
        [] => output.done("everything is there already; nothing was changed"),
        made => output
            .done(format_args!("made {}; keep a copy of the key file apart from the store", made.join(", "))),
    }
}
