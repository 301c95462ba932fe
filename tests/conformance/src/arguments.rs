//! The command line.

use crate::fault::ServerArguments;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Conformance suite for a forward-auth gate behind a proxy. Exit codes: 0 all cases passed or were
/// skipped with a reason, 1 a case failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "conformance", args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Target files; each is a column of the matrix
    #[arg(value_name = "TARGET.toml")]
    pub(crate) targets: Vec<PathBuf>,
    /// Only the cases of this group; may be given several times
    #[arg(long, value_name = "GROUP")]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    pub(crate) reports: Reports,
}

#[derive(Debug, Args)]
pub(crate) struct Reports {
    /// Writes the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Writes the results as Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves the echo application
    Echo {
        /// Address and port to listen on
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: SocketAddr,
    },
    /// Serves a proxy with one planted fault before a target's real proxy
    Fault {
        /// The fault; each has the name of the group that must fail with it
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(crate::fault::NAMES))]
        name: String,
        /// Target file of the real proxy
        #[arg(value_name = "TARGET.toml")]
        target: PathBuf,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Prints all cases: group, name and advisories, separated by tabs
    List,
    /// Makes one report of the JUnit files of earlier runs
    Report {
        /// JUnit files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        reports: Reports,
    },
}
