//! The arguments of `postern host`.

use clap::{Args, Subcommand, ValueHint};
use postern_shared::account::host::HostName;
use postern_shared::config::ServerUrl;
use postern_shared::credential::break_glass_code::{DEFAULT_COUNT, MOST};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum HostArguments {
    /// On a server: make a one-time code with which a host joins
    Invite(OneHost),
    /// On the host: join the fleet of a server, with a one-time code
    Join(JoinHost),
    /// On a server: make codes that a host accepts, each once, while no server answers
    BreakGlass(BreakGlassArguments),
    /// On a server: show the hosts
    List,
    /// On a server: end whatever a host may do
    Revoke(OneHost),
}

#[derive(Args)]
pub(crate) struct OneHost {
    /// The host, as logs and policy name it
    #[arg(value_name = "NAME", value_hint = ValueHint::Hostname)]
    pub(crate) name: HostName,
}

#[derive(Args)]
pub(crate) struct BreakGlassArguments {
    #[command(flatten)]
    pub(crate) host: OneHost,
    /// The number of codes, from 1 to 20
    #[arg(long, value_name = "N", default_value_t = DEFAULT_COUNT, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    pub(crate) count: u32,
}

#[derive(Args)]
pub(crate) struct JoinHost {
    /// A server, such as https://server1.example.com:7443; may be given more than once
    #[arg(value_name = "URL", required = true, value_hint = ValueHint::Url)]
    pub(crate) servers: Vec<ServerUrl>,
    /// Read the one-time code from a file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) invitation_file: Option<PathBuf>,
}
