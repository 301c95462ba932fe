//! The arguments of `postern check`.

use crate::arguments::print_config::ProxyArguments;
use crate::check::profile::Profile;
use crate::check::url::CheckedUrl;
use clap::{Args, ValueHint};
use postern_shared::account::name::UserName;
use postern_shared::system::network::address::Address;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Heading in the help.
const URL: &str = "Attack an application behind its real proxy";

#[derive(Args)]
pub(crate) struct CheckArguments {
    /// Save a copy that is in force when postern.toml cannot be used; root only
    #[arg(long, conflicts_with_all = ["rule", "url"])]
    pub(crate) keep: bool,
    /// Compare the settings of this host with what a standard needs
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["keep", "rule", "url"])]
    pub(crate) profile: Option<Profile>,
    /// Show which rule of the gate matches a request, and why: GET https://app.example.com/
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"], group = "request")]
    pub(crate) rule: Option<Vec<String>>,
    /// The user of the request; if not given, a user who has not signed in. With --url, password and code are read from the terminal or stdin
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username, requires = "request")]
    pub(crate) user: Option<UserName>,
    /// The address of the client; if not given, one that is in no network
    #[arg(long, value_name = "IP", value_parser = address, requires = "rule", conflicts_with = "url")]
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

#[cfg(test)]
mod tests {
    use crate::arguments::Arguments;
    use clap::Parser;

    #[test]
    fn each_option_has_the_request_that_it_belongs_to() {
        let reads = |words: &str| {
            let words = format!("postern check {words}");
            Arguments::try_parse_from(words.trim_end().split(' ')).is_ok()
        };
        for words in [
            "",
            "--keep",
            "--profile nist",
            "--rule GET https://app.example.com/ --user alice --from 192.0.2.7",
            "--url https://app.example.com/ --proxy caddy --http-port 8080 --ca-file f",
            "--url https://app.example.com/ --user alice --listen 127.0.0.1:8080",
            "--url https://app.example.com/ --listen [::1]:8080 --gate-stopped",
        ] {
            assert!(reads(words), "{words}");
        }
        for words in [
            "--user alice",
            "--profile soc2",
            "--profile pci --keep",
            "--profile pci --rule GET https://app.example.com/",
            "--profile pci --url https://app.example.com/",
            "--listen 127.0.0.1:8080",
            "--proxy nginx",
            "--gate-stopped",
            "--url app.example.com",
            "--url https://app.example.com/ --from 192.0.2.7",
            "--url https://app.example.com/ --keep",
            "--url https://app.example.com/ --rule GET https://app.example.com/",
            "--url https://app.example.com/ --proxy squid",
            "--url https://app.example.com/ --http-port 0",
            "--url https://app.example.com/ --listen 8080",
            "--url https://app.example.com/ --user alice --gate-stopped",
        ] {
            assert!(!reads(words), "{words}");
        }
    }
}
