//! postern-gate: answers forward-auth checks and shows the sign-in pages.
#![forbid(unsafe_code)]
// they panic where standard error cannot be written: see `log`
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

mod access;
mod account;
mod administration;
mod api;
mod app_passwords;
mod authorization;
mod belief;
mod check;
mod connections;
mod contract;
mod cookies;
mod held;
mod host_password;
mod identity;
mod incoming;
mod language;
mod listener;
mod log;
mod look;
mod manager;
mod metrics;
mod operations;
mod outbox;
mod own_pages;
mod pages;
mod refused;
mod reload;
mod reply;
mod rise;
mod routes;
mod rules;
mod running;
mod secretary;
mod server;
mod setup;
mod sign_in;
mod sign_out;
mod signals;
mod site;
mod sockets;
mod step_up;
mod stopped;
mod watch;
mod workers;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How long the last lines have to be read.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Serves with this configuration until a signal ends the process, and returns its exit status.
pub fn run(config: &Path) -> ExitCode {
    log::begin();
    let code = match server::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::says(&error);
            error.status()
        }
    };
    log::flush(LAST_LINES);
    code
}
