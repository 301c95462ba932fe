//! The arguments of `postern email`.

use super::OneAccount;
use clap::{Args, Subcommand, ValueHint};
use postern_shared::account::email::EmailAddress;
use postern_shared::account::name::UserName;

#[derive(Subcommand)]
pub(crate) enum EmailArguments {
    /// Mail a code to a new address
    Set(NewEmailArguments),
    /// Confirm a new address with that code
    Confirm(OneAccount),
    /// Stop mailing codes
    Remove(OneAccount),
}

#[derive(Args)]
pub(crate) struct NewEmailArguments {
    /// The account
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub(crate) user: UserName,
    /// The address
    #[arg(value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub(crate) address: EmailAddress,
}
