//! Status of accounts and their authenticators, as commands and the administration API list them.

use crate::account::name::Label;
use crate::credential::totp::OtpParameters;
use crate::store::AccountTally;
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// Where an account's second factor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SecondFactorState {
    /// No second factor.
    Off,
    /// Enrolled.
    On,
    /// Declared in postern.toml or accounts.d: commands cannot change it.
    Declared,
}

/// One line of `postern status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountStatus {
    /// The account's second factor.
    pub state: SecondFactorState,
    /// The account, and what is counted of it.
    pub tally: AccountTally,
}

/// One authenticator, as lists show it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthenticatorState {
    /// What the person calls it; `None` if the configuration declares it.
    pub label: Option<Label>,
    /// How it makes codes.
    pub parameters: OtpParameters,
    /// Since when it is live.
    pub created: Option<Timestamp>,
    /// The begin of the last time step that was used; a counter has no time.
    pub last_used: Option<Timestamp>,
}
