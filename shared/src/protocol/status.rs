//! Status of accounts and their authenticators, as commands and the administration API list them.
//! With the feature `schema`, the doc comments of [`SecondFactorState`] are part of the OpenAPI
//! document.

use crate::account::name::Label;
use crate::credential::otp::totp::OtpParameters;
use crate::store::AccountTally;
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// State of an account's second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SecondFactorState {
    /// The account has no second factor.
    Off,
    /// The account is enrolled.
    On,
    /// Declared in postern.toml or accounts.d: commands cannot change it.
    Declared,
}

/// One line of `postern status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountStatus {
    pub state: SecondFactorState,
    pub tally: AccountTally,
}

/// One authenticator in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthenticatorState {
    /// Name that the user gave; `None` if the configuration declares the authenticator.
    pub label: Option<Label>,
    pub parameters: OtpParameters,
    pub created: Option<Timestamp>,
    /// Begin of the last time step that was used; `None` for a counter.
    pub last_used: Option<Timestamp>,
}
