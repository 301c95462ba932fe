//! The request of a sign-in by a passkey alone: sealed text on the sign-in page, before anything is
//! known of the user.
//!
//! It is no token: it names no account and has no parent. It holds the challenge, which the
//! transaction that accepts a passkey uses up. Nothing is stored before.

use super::TokenId;
use super::passkey::challenge_of;
use crate::crypto::vault::{TokenKeys, VaultError};
use crate::system::clock::Timestamp;
use crate::system::random::RandomError;
use crate::verify::passkey::PasskeyChallenge;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Associated data, other than that of every token.
const SEALED_AS: &str = "postern passkey sign-in";
/// Longest sealed text, in characters.
const LONGEST: usize = 512;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeySignIn {
    content: Content,
    /// Fingerprint of the keys that the request was begun or opened with.
    keys: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    id: TokenId,
    issued: Timestamp,
}

impl PasskeySignIn {
    /// Lifetime in seconds: a sign-in page may wait for its user.
    pub const LIFETIME: u64 = 3600;

    /// Begins a request.
    pub fn begin(keys: &TokenKeys, now: Timestamp) -> Result<PasskeySignIn, RandomError> {
        let content = Content {
            id: TokenId::random()?,
            issued: now,
        };
        Ok(PasskeySignIn {
            content,
            keys: keys.fingerprint(),
        })
    }

    pub fn seal(&self, keys: &TokenKeys) -> Result<Zeroizing<String>, VaultError> {
        let plain = serde_json::to_vec(&self.content).map_err(|_| VaultError::Incomplete)?;
        let sealed = keys.seal(SEALED_AS, &Zeroizing::new(plain))?;
        Ok(Zeroizing::new(BASE64URL_NOPAD.encode(&sealed)))
    }

    /// Opens a request that is valid at `now`.
    pub fn open(text: &str, keys: &TokenKeys, now: Timestamp) -> Option<PasskeySignIn> {
        if text.len() > LONGEST {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let plain = keys.unseal(SEALED_AS, &sealed)?;
        let request = PasskeySignIn {
            content: serde_json::from_slice(&plain).ok()?,
            keys: keys.fingerprint(),
        };
        (!request.is_expired(now)).then_some(request)
    }

    /// Returns whether the request is no longer valid, or not yet.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now < self.content.issued || self.expires() <= now
    }

    /// Returns whether the request was begun or opened with these keys; a transaction may see newer
    /// ones.
    pub(crate) fn is_sealed_with(&self, keys: &TokenKeys) -> bool {
        self.keys == keys.fingerprint()
    }

    pub(crate) fn id(&self) -> TokenId {
        self.content.id
    }

    pub(crate) fn expires(&self) -> Timestamp {
        self.content.issued.plus(PasskeySignIn::LIFETIME)
    }

    /// Returns the challenge that a passkey signs. It is none of a token's.
    pub fn passkey_challenge(&self) -> PasskeyChallenge {
        challenge_of(SEALED_AS, self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::TokenKind;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn a_request_opens_for_an_hour_and_only_as_it_was_sealed() {
        let keys = TokenKeys::fresh();
        let request = PasskeySignIn::begin(&keys, NOW).unwrap();
        let sealed = request.seal(&keys).unwrap();
        let open = |text: &str, now| PasskeySignIn::open(text, &keys, now);
        assert_eq!(open(&sealed, NOW.plus(3599)), Some(request));
        assert_eq!(open(&sealed, NOW.plus(3600)), None);
        assert_eq!(open(&sealed, NOW.minus(1)), None);
        for at in 0..sealed.len() {
            let altered = crate::token::tests::with_other_character(&sealed, at);
            assert_eq!(open(&altered, NOW), None, "at {at}");
        }
        assert_eq!(PasskeySignIn::open(&sealed, &TokenKeys::fresh(), NOW), None);
        assert_eq!(open(&"A".repeat(4000), NOW), None);
    }

    #[test]
    fn a_token_is_no_request_and_has_another_challenge() {
        let keys = TokenKeys::fresh();
        let request = PasskeySignIn::begin(&keys, NOW).unwrap();
        let plain = Zeroizing::new(serde_json::to_vec(&request.content).unwrap());
        for kind in TokenKind::ALL {
            let sealed = BASE64URL_NOPAD.encode(&keys.seal(kind.sealed_as(), &plain).unwrap());
            assert_eq!(PasskeySignIn::open(&sealed, &keys, NOW), None);
            let of_token = challenge_of(kind.sealed_as(), request.id());
            assert_ne!(of_token, request.passkey_challenge());
        }
    }
}
