//! The module and posternd of the previous release: they implement its protocol version alone.
//! tests/previous builds them. A fresh host has those of this release.

use crate::machine::files::checkout;
use crate::postern::daemon::REAL_PROGRAM;
use crate::process::processes::finished;
use std::path::PathBuf;
use std::process::Command;

/// Replaces the module by that of the previous release.
#[track_caller]
pub fn install_previous_module() {
    let module = finished(Command::new("sh").args(["-c", "ls /usr/lib/*/security/pam_totp.so"]));
    put("libpam_totp.so", "0644", module.trim());
}

/// Replaces posternd by that of the previous release, for all processes that start from now on.
#[track_caller]
pub fn install_previous_posternd() {
    put("posternd", "0755", REAL_PROGRAM);
}

/// Replaces the file instead of writing into it: running processes keep the old one.
#[track_caller]
fn put(name: &str, mode: &str, to: &str) {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout("target"), PathBuf::from);
    let from = target.join("previous").join(name);
    finished(Command::new("install").args(["-m", mode]).arg(from).arg(to));
}
