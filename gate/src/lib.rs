//! postern-gate: answers forward-auth checks and shows the sign-in pages.
#![forbid(unsafe_code)]
// they panic where standard error cannot be written: see `log`
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

mod api;
mod check;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod http;
mod live;
mod observe;
mod proxy;
mod server;
mod state;
mod web;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How long the last lines have to be read.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Serves with this configuration until a signal ends the process, and returns its exit status.
pub fn run(config: &Path) -> ExitCode {
    observe::log::start_writer();
    let code = match server::serve::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            observe::log::write_message(&error);
            error.status()
        }
    };
    observe::log::flush(LAST_LINES);
    code
}
