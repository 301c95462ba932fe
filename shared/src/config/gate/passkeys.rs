//! `[gate.passkeys]`: the relying party of passkeys, and whether authenticators verify their users.

use super::{CookieDomain, GateUrl};
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
    /// Whether a passkey can make one-time codes for PAM prompts.
    pub pam_code: bool,
}

impl Default for PasskeysConfig {
    fn default() -> PasskeysConfig {
        PasskeysConfig {
            rp_id: None,
            user_verification: UserVerification::default(),
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
    pub(in crate::config) fn check(&self, gate_url: Option<&GateUrl>) -> Result<(), Conflict> {
        let key = &["gate", "passkeys", "rp_id"];
        match (&self.rp_id, gate_url) {
            (Some(id), Some(url)) if !id.covers(url.host()) => Err(Conflict::new(
                key,
                "must be the host of gate.url, or a parent domain of it",
            )),
            _ => Ok(()),
        }
    }
}
