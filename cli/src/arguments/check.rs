//! `postern check` on the command line.

use clap::{Args, ValueHint};
use shared::account::name::UserName;
use shared::network::address::Address;

#[derive(Args)]
pub(crate) struct Check {
    /// Keep it as the copy that is in force when it cannot be used; root only
    #[arg(long, conflicts_with = "rule")]
    pub(crate) keep: bool,
    /// Say which rule of the gate decides about a request, and why: GET https://app.example.com/
    #[arg(long, num_args = 2, value_names = ["METHOD", "URL"])]
    pub(crate) rule: Option<Vec<String>>,
    /// Whose request; someone's who has not signed in if not given
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username, requires = "rule")]
    pub(crate) user: Option<UserName>,
    /// From which address; from none that is in a network if not given
    #[arg(long, value_name = "IP", value_parser = address, requires = "rule")]
    pub(crate) from: Option<Address>,
}

fn address(text: &str) -> Result<Address, &'static str> {
    Address::parse(text).ok_or("not a literal IP address")
}
