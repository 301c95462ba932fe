//! What a host may decide itself while no server answers: its break-glass codes, and whether security
//! keys pass. A server has said so beforehand, and is told of each use when it answers again.
//!
//! MUST NOT accept a code whose use is not durable (`store::sealed_file`).

use crate::account::name::{Service, UserName};
use crate::credential::break_glass_code::{BreakGlassHash, MOST};
use crate::credential::completed_methods::SshKeyFingerprint;
use crate::system::clock::Timestamp;
use crate::system::network::address::Address;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Uses of security keys that are kept for the servers, besides those of codes. A host that has more
/// accepts no security key until a server has received them.
pub const MOST_UNREPORTED: usize = 200;

/// By what a user got in while no server answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfflineMethod {
    BreakGlass(BreakGlassHash),
    SecurityKey(SshKeyFingerprint),
}

/// An access that was granted while no server answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfflineAccess {
    pub method: OfflineMethod,
    pub account: UserName,
    pub service: Service,
    pub address: Option<Address>,
    /// By the clock of the host.
    pub at: Timestamp,
}

/// A code that this host verifies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldCode {
    hash: BreakGlassHash,
    used: bool,
}

/// What a server lets a host decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfflineGrant {
    /// The codes that are not used.
    pub codes: Vec<BreakGlassHash>,
    /// Whether an sshd login with a security key passes.
    pub security_keys: bool,
}

/// What a host holds, as its file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfflineState {
    codes: Vec<HeldCode>,
    security_keys: bool,
    /// When the certificate of the host expires. A host that no server has accepted for so long
    /// decides nothing any more.
    expires: Timestamp,
    /// Uses that no server has received, oldest first.
    unreported: Vec<OfflineAccess>,
}

/// Why a host refuses, while no server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfflineRefusal {
    /// There is no such code.
    Wrong,
    Used,
    /// No server has accepted this host for too long.
    Expired,
    /// The servers' policy does not let security keys pass.
    NotAllowed,
    /// Too many uses wait for a server.
    TooManyUnreported,
}

impl Default for OfflineState {
    /// Returns the state of a host that may decide nothing.
    fn default() -> OfflineState {
        OfflineState {
            codes: Vec::new(),
            security_keys: false,
            expires: Timestamp(0),
            unreported: Vec::new(),
        }
    }
}

impl OfflineState {
    /// Parses the text of the file.
    pub(crate) fn from_json(text: &[u8]) -> Option<OfflineState> {
        let state: OfflineState = serde_json::from_slice(text).ok()?;
        let fits = state.codes.len() <= most_codes()
            && state.unreported.len() <= MOST_UNREPORTED + most_codes();
        fits.then_some(state)
    }

    /// Returns the number of codes that are not used.
    pub fn codes_left(&self) -> usize {
        self.codes.iter().filter(|code| !code.used).count()
    }

    /// Returns whether a code, or a security key, can be accepted at this time.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        now < self.expires
    }

    pub fn security_keys(&self) -> bool {
        self.security_keys
    }

    pub fn unreported(&self) -> &[OfflineAccess] {
        &self.unreported
    }

    /// Marks the code as used, and notes its use for the servers.
    ///
    /// # Errors
    /// Why it is not accepted; nothing is changed then.
    pub fn use_code(&mut self, hash: BreakGlassHash, access: OfflineAccess) -> OfflineResult {
        let in_force = self.is_in_force(access.at);
        let found = self.codes.iter_mut().find(|code| code.hash == hash);
        let code = found.ok_or(OfflineRefusal::Wrong)?;
        if code.used {
            return Err(OfflineRefusal::Used);
        }
        if !in_force {
            return Err(OfflineRefusal::Expired);
        }
        if self.unreported.len() >= MOST_UNREPORTED + most_codes() {
            return Err(OfflineRefusal::TooManyUnreported);
        }
        code.used = true;
        self.unreported.push(access);
        Ok(())
    }

    /// Notes the use of a security key for the servers.
    ///
    /// # Errors
    /// Why it is not accepted; nothing is changed then.
    pub fn use_security_key(&mut self, access: OfflineAccess) -> OfflineResult {
        if !self.security_keys {
            return Err(OfflineRefusal::NotAllowed);
        }
        if !self.is_in_force(access.at) {
            return Err(OfflineRefusal::Expired);
        }
        // room for the codes is left
        if self.unreported.len() >= MOST_UNREPORTED {
            return Err(OfflineRefusal::TooManyUnreported);
        }
        self.unreported.push(access);
        Ok(())
    }

    /// Removes the oldest uses, which a server has received.
    pub fn remove_reported(&mut self, reported: &[OfflineAccess]) {
        let pairs = self.unreported.iter().zip(reported);
        let same = pairs.take_while(|(held, sent)| held == sent).count();
        self.unreported.drain(..same);
    }

    /// Takes over what a server grants. A code that was used here stays used, whatever the server says.
    pub fn take_grant(&mut self, grant: &OfflineGrant, expires: Timestamp) {
        let was_used = |hash: &BreakGlassHash| {
            let mut codes = self.codes.iter();
            codes.any(|code| code.used && code.hash == *hash)
        };
        let codes = grant.codes.iter().take(most_codes()).map(|hash| HeldCode {
            hash: *hash,
            used: was_used(hash),
        });
        self.codes = codes.collect();
        self.security_keys = grant.security_keys;
        self.expires = expires;
    }

    /// Returns the digest of the codes, by which a server sees that the host has them.
    pub fn digest(&self) -> [u8; 32] {
        codes_digest(self.codes.iter().map(|code| &code.hash))
    }
}

type OfflineResult = Result<(), OfflineRefusal>;

/// Returns the digest of codes in their order.
pub fn codes_digest<'a>(codes: impl Iterator<Item = &'a BreakGlassHash>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for code in codes {
        digest.update(code.0);
    }
    digest.finalize().into()
}

/// Returns the most codes of a host, as a length.
pub fn most_codes() -> usize {
    usize::try_from(MOST).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);
    const EXPIRES: Timestamp = Timestamp(2_000);

    fn hash(number: u8) -> BreakGlassHash {
        BreakGlassHash([number; 32])
    }

    fn access(number: u8) -> OfflineAccess {
        OfflineAccess {
            method: OfflineMethod::BreakGlass(hash(number)),
            account: "alice".parse().unwrap(),
            service: Service::from_pam(b"sshd"),
            address: Address::parse("192.0.2.1"),
            at: NOW,
        }
    }

    fn state(codes: &[u8], security_keys: bool) -> OfflineState {
        let mut state = OfflineState::default();
        let codes = codes.iter().map(|number| hash(*number)).collect();
        let grant = OfflineGrant {
            codes,
            security_keys,
        };
        state.take_grant(&grant, EXPIRES);
        state
    }

    #[test]
    fn a_code_is_accepted_once_and_stays_used_whatever_a_server_grants() {
        let mut state = state(&[1, 2], false);
        state.use_code(hash(1), access(1)).unwrap();
        let refused = |state: &mut OfflineState, number| state.use_code(hash(number), access(1));
        assert_eq!(refused(&mut state, 1), Err(OfflineRefusal::Used));
        assert_eq!(refused(&mut state, 3), Err(OfflineRefusal::Wrong));
        assert_eq!(state.unreported().len(), 1);
        let grant = OfflineGrant {
            codes: vec![hash(1), hash(2)],
            security_keys: false,
        };
        state.take_grant(&grant, EXPIRES);
        assert_eq!(refused(&mut state, 1), Err(OfflineRefusal::Used));
        assert_eq!(state.codes_left(), 1);
        // reported: the server grants it no more
        state.remove_reported(&[access(1)]);
        let grant = OfflineGrant {
            codes: vec![hash(2)],
            security_keys: false,
        };
        state.take_grant(&grant, EXPIRES);
        assert_eq!(refused(&mut state, 1), Err(OfflineRefusal::Wrong));
        assert!(state.unreported().is_empty());
    }

    #[test]
    fn nothing_is_accepted_after_the_certificate_has_expired() {
        let mut state = state(&[1], true);
        let late = OfflineAccess {
            at: EXPIRES,
            ..access(1)
        };
        let refused = state.use_code(hash(1), late.clone());
        assert_eq!(refused, Err(OfflineRefusal::Expired));
        assert_eq!(state.use_security_key(late), Err(OfflineRefusal::Expired));
        let nothing = OfflineState::default().use_security_key(access(1));
        assert_eq!(nothing, Err(OfflineRefusal::NotAllowed));
    }

    #[test]
    fn security_keys_leave_room_for_the_uses_of_codes() {
        let mut state = state(&[1], true);
        for _ in 0..MOST_UNREPORTED {
            state.use_security_key(access(9)).unwrap();
        }
        let refused = state.use_security_key(access(9));
        assert_eq!(refused, Err(OfflineRefusal::TooManyUnreported));
        state.use_code(hash(1), access(1)).unwrap();
        let text = serde_json::to_vec(&state).unwrap();
        assert!(OfflineState::from_json(&text) == Some(state));
    }

    #[test]
    fn a_text_that_does_not_fit_is_no_state() {
        let text = serde_json::to_string(&state(&[1; 20], true)).unwrap();
        assert!(OfflineState::from_json(text.as_bytes()).is_some());
        let more = text.replacen("{\"hash\"", "{\"hash\":\"\",\"used\":true},{\"hash\"", 1);
        let hash = String::from(hash(1));
        let more_codes = text.replacen(
            "\"codes\":[",
            &format!("\"codes\":[{{\"hash\":\"{hash}\",\"used\":false}},"),
            1,
        );
        for text in ["", "{}", "[]", "null", &more, &more_codes, &text[1..]] {
            assert!(OfflineState::from_json(text.as_bytes()).is_none(), "{text}");
        }
    }
}
