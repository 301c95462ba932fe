//! postern-gate: the door to the web. Answers forward-auth checks and shows the sign-in pages.
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

use clap::Parser;
use shared::config::DEFAULT_PATH;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Postern's door to the web: forward-auth answers and sign-in pages
#[derive(Parser)]
#[command(name = "postern-gate", version)]
struct Arguments {
    /// Another postern.toml
    #[arg(long, value_name = "PATH", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

/// How long the last lines have to be read.
const LAST_LINES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::begin();
    let code = match server::run(&arguments.config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::says(&error);
            error.status()
        }
    };
    log::flush(LAST_LINES);
    code
}
