//! Where things lie on the test host, and in the checkout.

use nix::unistd::{Gid, Group};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// postern.toml
pub const CONFIG: &str = "/etc/postern/postern.toml";
/// The master key.
pub const KEY: &str = "/etc/postern/postern.key";
/// The folder of the store.
pub const STORE_FOLDER: &str = "/var/lib/postern";
/// The store.
pub const STORE: &str = "/var/lib/postern/postern.db";

/// What the tests themselves keep, keys of people and such.
pub(crate) const WORK: &str = "/run/postern-tests";

/// A file of the checkout.
pub(crate) fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Gives a file to root and the group of Postern's daemons, as packages and manuals do; others may not read it.
#[track_caller]
pub fn give_to_daemons(path: &str, mode: u32) {
    chown(path, Some(0), postern_group()).expect("root may do it");
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("root may do it");
}

fn postern_group() -> Option<u32> {
    Group::from_name("postern")
        .ok()
        .flatten()
        .map(|group| group.gid)
        .map(Gid::as_raw)
}
