//! Where things lie on the test host, and in the checkout.

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
