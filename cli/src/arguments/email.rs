//! `postern email` on the command line.

use super::One;
use clap::{Args, Subcommand, ValueHint};
use shared::account::email::EmailAddress;
use shared::account::name::UserName;

#[derive(Subcommand)]
pub(crate) enum Email {
    /// Mail a code to a new address
    Set(NewEmail),
    /// Confirm a new address with that code
    Confirm(One),
    /// Stop mailing codes
    Remove(One),
}

#[derive(Args)]
pub(crate) struct NewEmail {
    /// The account
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: UserName,
    /// The address
    #[arg(value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub(crate) address: EmailAddress,
}
