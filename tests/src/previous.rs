//! The module and posternd as the release before would have them: they speak its version of the protocol alone. tests/previous
//! builds them; a fresh host has those of this release.

use crate::folder::checkout;
use crate::posternd::REAL_PROGRAM;
use crate::processes::finished;
use std::path::PathBuf;
use std::process::Command;

/// Puts the module of the release before in place of this one's.
#[track_caller]
pub fn install_previous_module() {
    let module = finished(Command::new("sh").args(["-c", "ls /usr/lib/*/security/pam_totp.so"]));
    put("libpam_totp.so", "0644", module.trim());
}

/// Puts the posternd of the release before in place of this one's, for whoever starts it from now on.
#[track_caller]
pub fn install_previous_posternd() {
    put("posternd", "0755", REAL_PROGRAM);
}

/// By another file: what runs keeps the one that it has.
#[track_caller]
fn put(name: &str, mode: &str, to: &str) {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout("target"), PathBuf::from);
    let from = target.join("previous").join(name);
    finished(Command::new("install").args(["-m", mode]).arg(from).arg(to));
}
