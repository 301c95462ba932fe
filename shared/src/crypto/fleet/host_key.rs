//! Keys that a host of a fleet derives from its private key, to seal what it keeps for the time when no
//! server answers: it has no master key. What is sealed on one host does not open on another, and not
//! once the host has joined again.

use crate::system::random::{RandomError, fill_random};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

const NONCE: usize = 24;

/// What is sealed. Each purpose has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostSealPurpose {
    /// The file with break-glass codes.
    BreakGlass,
    /// The mark of a PAM transaction that passed while no server answered.
    Mark,
}

impl HostSealPurpose {
    fn label(self) -> &'static [u8] {
        match self {
            HostSealPurpose::BreakGlass => b"postern host: break-glass file 1",
            HostSealPurpose::Mark => b"postern host: mark 1",
        }
    }
}

/// A key that seals on one host, for one purpose.
pub struct HostSealKey {
    key: Zeroizing<[u8; 32]>,
    purpose: HostSealPurpose,
}

impl HostSealKey {
    /// Derives the key from the private key of the host, in any encoding that stays the same.
    pub fn derive(private_key: &[u8], purpose: HostSealPurpose) -> HostSealKey {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(private_key).expect("HMAC takes any key");
        mac.update(purpose.label());
        HostSealKey {
            key: Zeroizing::new(mac.finalize().into_bytes().into()),
            purpose,
        }
    }

    /// Seals bytes.
    ///
    /// # Errors
    /// Those of the kernel's random number generator.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, RandomError> {
        let mut sealed = vec![0; NONCE];
        // A random nonce of 192 bits does not repeat.
        fill_random(&mut sealed)?;
        let payload = Payload {
            msg: plain,
            aad: self.purpose.label(),
        };
        let ciphertext = self
            .cipher()
            .encrypt(XNonce::from_slice(&sealed), payload)
            .map_err(|_| RandomError)?;
        sealed.extend(ciphertext);
        Ok(sealed)
    }

    /// Unseals bytes. `None` if they were altered, or sealed with another key.
    pub fn unseal(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE)?;
        let payload = Payload {
            msg: ciphertext,
            aad: self.purpose.label(),
        };
        let plain = self.cipher().decrypt(XNonce::from_slice(nonce), payload);
        plain.ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key).into())
    }
}

impl fmt::Debug for HostSealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostSealKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HostSealPurpose::{BreakGlass, Mark};

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_purpose_only() {
        let key = HostSealKey::derive(b"one", BreakGlass);
        let sealed = key.seal(b"text").unwrap();
        assert_eq!(key.unseal(&sealed).unwrap().as_slice(), b"text");
        for other in [
            HostSealKey::derive(b"two", BreakGlass),
            HostSealKey::derive(b"one", Mark),
        ] {
            assert!(other.unseal(&sealed).is_none());
        }
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            assert!(key.unseal(&altered).is_none(), "{position}");
            assert!(key.unseal(&sealed[..position]).is_none(), "{position}");
        }
    }
}
