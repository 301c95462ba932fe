//! The relying party that passkeys are made for: its id, the origin of its pages, and one that has
//! changed.

use crate::config::Config;
use crate::config::gate::UserVerification;
use crate::verify::passkey::{PasskeyChallenge, PasskeyRequest};
use std::fmt;

/// The relying party: its id, and the one origin whose pages may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct RelyingParty {
    pub(super) id: String,
    origin: String,
    pub(super) user_verification: UserVerification,
}

impl RelyingParty {
    /// Returns the relying party of the configuration, if passkeys can be used.
    pub(in crate::engine) fn from_config(config: &Config) -> Option<RelyingParty> {
        let (url, passkeys) = (config.gate.url.as_ref()?, &config.gate.passkeys);
        Some(RelyingParty {
            id: passkeys.relying_party(Some(url))?.to_owned(),
            origin: url.origin(),
            user_verification: passkeys.user_verification,
        })
    }

    pub(in crate::engine) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the request of one challenge. User verification may be asked for by the policy, or by
    /// what the passkey is used for.
    pub(in crate::engine) fn request<'a>(
        &'a self,
        challenge: &'a PasskeyChallenge,
        verification: UserVerification,
    ) -> PasskeyRequest<'a> {
        PasskeyRequest {
            rp_id: &self.id,
            origin: &self.origin,
            challenge,
            requires_user_verification: verification == UserVerification::Required
                || self.user_verification == UserVerification::Required,
        }
    }
}

/// Passkeys that were made for another relying party than that of the configuration: none of them
/// works, and none can be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherRelyingParty {
    pub earlier: String,
    /// `None` where the gate can have no passkeys.
    pub configured: Option<String>,
}

impl OtherRelyingParty {
    pub fn remedy(&self) -> String {
        let earlier = &self.earlier;
        format!(
            "set gate.passkeys.rp_id = \"{earlier}\", with gate.url on {earlier} or a host below it; or remove \
             the passkeys first, and have new ones added"
        )
    }
}

impl fmt::Display for OtherRelyingParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let earlier = &self.earlier;
        match &self.configured {
            Some(configured) => write!(
                f,
                "gate.passkeys.rp_id is {configured:?} (by default the host of gate.url), and the passkeys that \
                 are there were made for {earlier:?}: none of them would work"
            ),
            None => write!(
                f,
                "gate.url is an address or a path, where no passkey works, and there are passkeys, made for \
                 {earlier:?}"
            ),
        }
    }
}
