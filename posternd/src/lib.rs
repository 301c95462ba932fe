//! posternd runs the PAM conversations that the module relays, runs commands of users, and sends
//! mail.
//!
//! # Layout
//!
//! - `daemon`: the configuration in force, the log, the watchdog.
//! - `workers`: engines, and the origin by which their use is shared.
//! - `pam`: PAM conversations.
//! - `fleet`: PAM conversations of a host that holds no store, relayed to a server.
//! - `commands`: commands of users who are not root.
//! - `mail`: the outbox, and the transports of mail.
//! - `server`: host.sock, pam.sock, the listener for hosts of a fleet, `--stdio`, and their connection limits.
#![forbid(unsafe_code)]
// these macros panic where the log cannot be written: see `daemon::log`
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

pub mod commands;
pub mod daemon;
#[cfg(test)]
mod fixtures;
pub mod fleet;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod mail;
pub mod pam;
pub mod server;
pub mod workers;
