//! `[gate.passkeys]`: the relying party of passkeys, whether authenticators verify their users, and
//! whether a passkey alone signs in.

use super::{CookieDomain, FirstFactorSource, GateConfig, GateUrl};
use crate::config::Config;
use crate::config::check::Conflict;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The table `[gate.passkeys]` of postern.toml.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasskeysConfig {
    /// The host of `gate.url`, or a parent domain of it.
    pub rp_id: Option<CookieDomain>,
    pub user_verification: UserVerification,
    /// Whether a passkey signs in without a name and a password.
    pub sign_in: bool,
    /// Whether a passkey can make one-time codes for PAM prompts.
    pub pam_code: bool,
}

impl Default for PasskeysConfig {
    fn default() -> PasskeysConfig {
        PasskeysConfig {
            rp_id: None,
            user_verification: UserVerification::default(),
            sign_in: false,
            pam_code: true,
        }
    }
}

/// The value of the key `gate.passkeys.user_verification`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserVerification {
    /// PIN or biometrics are asked for, where the authenticator can.
    #[default]
    Preferred,
    /// A passkey counts only with PIN or biometrics.
    Required,
}

impl UserVerification {
    /// Returns the name in requests to browsers.
    pub fn name(self) -> &'static str {
        match self {
            UserVerification::Preferred => "preferred",
            UserVerification::Required => "required",
        }
    }
}

impl PasskeysConfig {
    /// Returns the id of the relying party. `None` where the gate can have no passkeys: at an address,
    /// or on a path of an application's host.
    pub fn relying_party<'a>(&'a self, gate_url: Option<&'a GateUrl>) -> Option<&'a str> {
        let url = gate_url.filter(|url| url.has_own_host())?;
        let is_name = url.host().parse::<IpAddr>().is_err();
        let id = self.rp_id.as_ref().map_or(url.host(), CookieDomain::as_str);
        is_name.then_some(id)
    }

    /// Checks everything that involves more than one key.
    pub(in crate::config) fn check(&self, gate: &GateConfig) -> Result<(), Conflict> {
        let refuse = |key, message: &str| Err(Conflict::new(key, message));
        let rp_id = &["gate", "passkeys", "rp_id"];
        let sign_in = &["gate", "passkeys", "sign_in"];
        if let (Some(id), Some(url)) = (&self.rp_id, &gate.url) {
            if !id.covers(url.host()) {
                return refuse(
                    rp_id,
                    "must be the host of gate.url, or a parent domain of it",
                );
            }
        }
        if !self.sign_in {
            return Ok(());
        }
        if self.relying_party(gate.url.as_ref()).is_none() {
            return refuse(
                sign_in,
                "needs a gate with a host name of its own in gate.url, not an address or a path",
            );
        }
        match gate.first_factor {
            FirstFactorSource::Password => Ok(()),
            FirstFactorSource::Pam => refuse(
                sign_in,
                "needs gate.first_factor = \"password\": with \"pam\" the host decides who may sign in, and a \
                 passkey alone would pass by its locked and expired accounts",
            ),
            FirstFactorSource::Header => refuse(
                sign_in,
                "needs gate.first_factor = \"password\": with \"header\" the proxy says who the user is, and has \
                 signed the user in before the gate is asked",
            ),
        }
    }
}

impl Config {
    /// Returns the id of the relying party of passkeys, if the gate can have some.
    pub fn relying_party(&self) -> Option<&str> {
        self.gate.passkeys.relying_party(self.gate.url.as_ref())
    }
}
