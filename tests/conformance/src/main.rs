//! The conformance suite: what a forward-auth gate behind a proxy must do, tried from outside.
//!
//! # Layout
//!
//! `cases` holds the cases by group; `suite` what they share; `net` speaks HTTP byte by byte;
//! `sign_in` and `codes` sign people in by the steps of the target file (`target`); `echo` is the
//! application behind the gate; `advisories` and `passkeys` name what looks for the rest; `fault`
//! is a faulty proxy, with which each group must fail; `report` prints results.
#![forbid(unsafe_code)]

mod advisories;
mod arguments;
mod case;
mod cases;
mod codes;
mod commands;
mod echo;
mod fault;
mod net;
mod passkeys;
mod report;
mod run;
mod sign_in;
mod suite;
mod target;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run::run(arguments::Arguments::parse()) {
        Ok(run::Outcome::Passed) => ExitCode::SUCCESS,
        Ok(run::Outcome::Failed) => ExitCode::from(1),
        Err(message) => {
            eprintln!("conformance: {message}");
            ExitCode::from(2)
        }
    }
}
