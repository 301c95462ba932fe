//! The arguments of `postern check`.

use crate::arguments::print_config::ProxyArguments;
use crate::check::url::CheckedUrl;
use clap::{Args, ValueHint};
use postern_shared::account::name::UserName;
use postern_shared::network::address::Address;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Heading in the help.
const URL: &str = "Attack an application behind its real proxy";

#[derive(Args)]
pub(crate) struct CheckArguments {
    /// Save a copy that is in force when postern.toml cannot be used; root only
    #[arg(long, conflicts_with_all = ["rule", "url"])]
    pub(crate) keep: bool,
    /// Show which rule of the gate matches a request, and why: GET https://app.example.com/
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"], group = "request")]
    pub(crate) rule: Option<Vec<String>>,
    /// The user of the request; if not given, a user who has not signed in. With --url, password and code are read from the terminal or stdin
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username, requires = "request")]
    pub(crate) user: Option<UserName>,
    /// The address of the client; if not given, one that is in no network
    #[arg(long, value_name = "IP", value_parser = address, requires = "rule")]
    pub(crate) from: Option<Address>,
    /// A page that needs a sign-in, at the address that browsers use; from any machine
    #[arg(long, value_name = "URL", value_parser = CheckedUrl::parse, group = "request", help_heading = URL)]
    pub(crate) url: Option<CheckedUrl>,
    /// The proxy, in whose words the line to change is named; if not given, that of postern.toml
    #[arg(long, value_enum, requires = "url", help_heading = URL)]
    pub(crate) proxy: Option<ProxyArguments>,
    /// Be the application for the length of the check, and see what arrives; the proxy leads here
    #[arg(long, value_name = "ADDRESS:PORT", requires = "url", help_heading = URL)]
    pub(crate) listen: Option<SocketAddr>,
    /// The port of plain HTTP
    #[arg(long, value_name = "PORT", default_value = "80", value_parser = clap::value_parser!(u16).range(1..), requires = "url", help_heading = URL)]
    pub(crate) http_port: u16,
    /// The authority of the certificates (PEM), instead of those of this host
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "url", help_heading = URL)]
    pub(crate) ca_file: Option<PathBuf>,
    /// The gate is stopped for the length of the check: nothing may pass the proxy
    #[arg(long, requires = "url", conflicts_with = "user", help_heading = URL)]
    pub(crate) gate_stopped: bool,
}

fn address(text: &str) -> Result<Address, &'static str> {
    Address::parse(text).ok_or("not a literal IP address")
}
