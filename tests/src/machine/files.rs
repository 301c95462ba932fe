//! Paths of files on the test host, and in the checkout.

use nix::unistd::{Gid, Group};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

pub const CONFIG: &str = "/etc/postern/postern.toml";
pub const KEY: &str = "/etc/postern/postern.key";
pub const STORE_FOLDER: &str = "/var/lib/postern";
pub const STORE: &str = "/var/lib/postern/postern.db";

/// Folder of files that belong to the tests, such as people's SSH keys.
pub(crate) const WORK: &str = "/run/postern-tests";

/// Returns the path of a file of the checkout.
pub fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Gives a file to root and the group of Postern's daemons, as packages and manuals do. Other users
/// cannot read the file.
#[track_caller]
pub fn give_to_daemons(path: &str, mode: u32) {
    chown(path, Some(0), postern_group()).expect("root may do it");
    set_mode(path, mode);
}

/// Sets the mode of a file or folder.
#[track_caller]
pub fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("root may do it");
}

fn postern_group() -> Option<u32> {
    Group::from_name("postern")
        .ok()
        .flatten()
        .map(|group| group.gid)
        .map(Gid::as_raw)
}
