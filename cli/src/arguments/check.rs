//! The arguments of `postern check`.

use clap::{Args, ValueHint};
use postern_shared::account::name::UserName;
use postern_shared::network::address::Address;

#[derive(Args)]
pub(crate) struct CheckArguments {
    /// Save a copy that is in force when postern.toml cannot be used; root only
    #[arg(long, conflicts_with = "rule")]
    pub(crate) keep: bool,
    /// Show which rule of the gate matches a request, and why: GET https://app.example.com/
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"])]
    pub(crate) rule: Option<Vec<String>>,
    /// The user of the request; if not given, a user who has not signed in
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username, requires = "rule")]
    pub(crate) user: Option<UserName>,
    /// The address of the client; if not given, one that is in no network
    #[arg(long, value_name = "IP", value_parser = address, requires = "rule")]
    pub(crate) from: Option<Address>,
}

fn address(text: &str) -> Result<Address, &'static str> {
    Address::parse(text).ok_or("not a literal IP address")
}
