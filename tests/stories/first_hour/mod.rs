//! The first hour with Postern, by the words of README alone, on a bare Debian that has booted:
//! real systemd with the units and their sandboxes, sshd, sudo, nginx and a browser.
//!
//! `hour` is the person who follows README, with `postern check` after each step. `ssh` and `web`
//! are those who sign in from outside, `console` those on the host. `packages` is an administrator
//! who installs with apt.

mod codes;
mod console;
mod hour;
mod mail;
mod packages;
mod pictures;
pub(crate) mod readme;
mod ssh;
mod web;

use packages::Earlier;

#[test]
#[ignore = "needs the test host: tests/run"]
fn on_debian_12() {
    hour::passes_on("bookworm");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn on_debian_13() {
    hour::passes_on("trixie");
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn packages_on_debian_12() {
    packages::pass_on("bookworm", Earlier::FromCheckout);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn packages_on_debian_13() {
    packages::pass_on("trixie", Earlier::Never);
}

/// Debian's archive has no key of Ubuntu, so tests/roots does not make this root.
#[test]
#[ignore = "needs the test host: tests/run"]
fn packages_on_ubuntu_24_04() {
    match testhost::has_root("noble") {
        true => packages::pass_on("noble", Earlier::Never),
        false => println!("SKIPPED: there is no root of Ubuntu; tests/roots says how to make it"),
    }
}
