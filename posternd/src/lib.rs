//! posternd: runs PAM conversations for the module, which only relays, does what commands of users ask, and sends mail.
//!
//! `daemon` serves host.sock and `users` pam.sock; `conversation` is what both run for a PAM host, at `engines`; `origin` says
//! by what they are counted.
#![forbid(unsafe_code)]
// they panic where the log cannot be written: see `log`
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

pub mod conversation;
pub mod conversations;
pub mod daemon;
pub mod drain;
pub mod engines;
#[cfg(test)]
mod fixtures;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod log;
pub mod mail;
pub mod origin;
pub mod remote_host;
pub mod service;
pub mod sockets;
pub mod stdio;
pub mod users;
pub mod watchdog;
