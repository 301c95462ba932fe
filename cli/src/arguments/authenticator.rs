//! The arguments of `postern enroll` and `postern authenticator`, with the parameters of a new
//! authenticator.

use super::Own;
use clap::{Args, Subcommand, ValueHint};
use postern_shared::account::name::{Label, UserName};
use postern_shared::credential::otp::totp::Algorithm;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Enroll {
    /// The account; your own if not given
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: Option<UserName>,
    #[command(flatten)]
    pub(crate) token: HardwareToken,
    /// Make it active at once, without a code and without asking whether the recovery codes are saved
    #[arg(long)]
    pub(crate) no_confirm: bool,
}

#[derive(Subcommand)]
pub(crate) enum AuthenticatorArguments {
    /// Add one to those of the account
    Add(Enroll),
    /// Show them
    List(Own),
    /// Remove one of several
    Remove(NamedAuthenticator),
}

/// Parameters of an authenticator; the defaults are those of [totp] in postern.toml.
#[derive(Args)]
pub(crate) struct HardwareToken {
    /// What the person calls it
    #[arg(long, value_name = "NAME", default_value = "app")]
    pub(crate) name: Label,
    /// The secret of a hardware token, in hexadecimal or Base32; "-" reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,
    /// By counter (HOTP) instead of by time, from this counter on
    #[arg(long, value_name = "COUNT", conflicts_with = "period")]
    pub(crate) counter: Option<u64>,
    /// The hash: sha1, sha256 or sha512
    #[arg(long, value_name = "HASH", value_parser = algorithm)]
    pub(crate) algorithm: Option<Algorithm>,
    /// Digits of a code: 6 or 8
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(6..=8))]
    pub(crate) digits: Option<u32>,
    /// Length of a time step, in seconds: 15 to 120
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(15..=120))]
    pub(crate) period: Option<u64>,
}

fn algorithm(text: &str) -> Result<Algorithm, &'static str> {
    Algorithm::from_name(text).ok_or("must be sha1, sha256 or sha512")
}

#[derive(Args)]
pub(crate) struct NamedAuthenticator {
    /// The account
    #[arg(value_name = "USER")]
    pub(crate) user: UserName,
    /// Which one, as the list shows it
    #[arg(value_name = "NAME")]
    pub(crate) name: Label,
}
