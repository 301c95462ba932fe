//! postern-password: the root helper of the gate. It says whether a password of an account of this
//! host is right, by PAM, and nothing else.
//!
//! MUST take the name of the PAM service from the configuration, which is root's, and never from
//! the gate.
//!
//! MUST NOT put a password into an argument, the environment or a log line.
//!
//! MUST NOT load a PAM module into the listening process: each request has a process of its own,
//! which may hang or crash, and is killed at its time limit.
#![forbid(unsafe_code)]
// These macros panic where standard error cannot be written to: see `log`.
#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

mod admission;
mod child_process;
mod helper;
mod log;
mod one_request;
mod pam;
mod service;
mod tries;

use clap::Parser;
use postern_shared::config;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Says to Postern's gate whether a password of this host is right; postern-password.socket starts it
#[derive(Parser)]
#[command(name = "postern-password", version)]
struct HelperArguments {
    /// The configuration that names the service
    #[arg(long, default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// How it calls itself for each question
    #[arg(long, hide = true)]
    one_question: bool,
}

/// Time that the last log lines have to be read.
const LAST_LINES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let HelperArguments {
        config,
        one_question,
    } = HelperArguments::parse();
    let ran = match one_question {
        true => one_request::answer_one_request(&config),
        false => {
            log::start_writer();
            helper::serve_requests(config)
        }
    };
    let code = match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::write_message(error);
            ExitCode::FAILURE
        }
    };
    log::flush(LAST_LINES);
    code
}
