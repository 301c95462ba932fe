//! postern-gate: answers forward-auth checks and shows the sign-in pages.
//!
//! # Layout
//!
//! Each folder imports only those below it in this list.
//!
//! - `server`: listeners, connections, routes, reload, monitoring.
//! - `api`: the JSON API.
//! - `web`: the pages.
//! - `check`: forward-auth checks.
//! - `state`: what one configuration generation consists of.
//! - `live`: what requests consult in memory or wait for.
//! - `proxy`: proxy contracts and trusted proxies.
//! - `http`: bodies, cookies, replies, memory limits.
//! - `observe`: log and metrics.
#![forbid(unsafe_code)]
// These macros panic where standard error cannot be written to: see `log`.
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

mod api;
mod check;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
#[cfg(test)]
#[path = "../../shared/tests/shipped/generated.rs"]
mod generated;
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

/// Time that the last log lines have to be read.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Serves with this configuration until a signal ends the process, and returns the exit status.
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
