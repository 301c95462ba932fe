//! Command line of postern-gate: reads `--config` and serves. All else is in the library.
#![forbid(unsafe_code)]

use clap::Parser;
use postern_shared::config::DEFAULT_PATH;
use std::path::PathBuf;
use std::process::ExitCode;

/// Answers forward-auth checks of proxies and serves the sign-in pages
#[derive(Parser)]
#[command(name = "postern-gate", version)]
struct GateArguments {
    /// Another postern.toml
    #[arg(long, value_name = "PATH", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

fn main() -> ExitCode {
    postern_gate::run(&GateArguments::parse().config)
}
