//! postern: the command for administrators and for users.
#![forbid(unsafe_code)]

mod arguments;
mod backend;
mod check;
mod commands;
mod context;
mod fleet;
#[cfg(test)]
mod handbook;
mod key_writer;
mod root_process;
mod store_files;
pub mod terminal;

use clap::Parser;
use std::process::ExitCode;
use terminal::output::{CommandFailure, Output};

fn main() -> ExitCode {
    if let Some(status) = key_writer::run_if_asked(std::env::args_os()) {
        return status;
    }
    if let Some(status) = store_files::run_if_asked(std::env::args_os()) {
        return status;
    }
    if let Some(status) = arguments::completions::run_if_asked(std::env::args_os()) {
        return status;
    }
    let arguments = arguments::Arguments::parse();
    let output = Output::new(arguments.json);
    match commands::run(&arguments, output) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe, such as `head`, has closed it after it read enough.
        Err(CommandFailure::Closed) if arguments.command.only_shows() => ExitCode::SUCCESS,
        Err(failure) => output.fail(&failure),
    }
}
