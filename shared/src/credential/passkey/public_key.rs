//! Public keys of passkeys, in the form of COSE (RFC 9052 and 9053; RSA: RFC 8230).

use super::FormatError;
use super::cbor::Map;
use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

/// Algorithms that are offered, in the order of preference, by their numbers in COSE's registry.
/// Every authenticator has one of them.
pub const OFFERED: [i64; 3] = [ED_DSA, ES256, RS256];

const ES256: i64 = -7;
const ED_DSA: i64 = -8;
const RS256: i64 = -257;

/// Labels of a key's parameters.
const KEY_TYPE: i64 = 1;
const ALGORITHM: i64 = 3;
const CURVE: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
/// The same labels in a key of RSA.
const N: i64 = -1;
const E: i64 = -2;

/// Upper bound of a key in bytes: 8192 bits of RSA with its frame.
const MAX: usize = 1100;

/// A public key, with the bytes that it was read from: what the store keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyPublicKey {
    cose: Vec<u8>,
    key: Key,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    /// The uncompressed point of P-256.
    Es256([u8; 65]),
    Ed25519([u8; 32]),
    Rs256 {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl PasskeyPublicKey {
    /// Parses a key that the store kept.
    pub fn parse(cose: &[u8]) -> Result<PasskeyPublicKey, FormatError> {
        let mut rest = cose;
        match PasskeyPublicKey::read(&mut rest) {
            Ok(key) if rest.is_empty() => Ok(key),
            Ok(_) => Err(FormatError::PublicKey),
            Err(error) => Err(error),
        }
    }

    /// Reads a key from the beginning of some bytes; what follows it stays in `rest`.
    pub(super) fn read(rest: &mut &[u8]) -> Result<PasskeyPublicKey, FormatError> {
        let whole = *rest;
        let map = Map::read(rest).ok_or(FormatError::PublicKey)?;
        let cose = whole[..whole.len() - rest.len()].to_vec();
        if cose.len() > MAX {
            return Err(FormatError::PublicKey);
        }
        let key = Key::from_map(&map)?;
        Ok(PasskeyPublicKey { cose, key })
    }

    pub fn as_cose(&self) -> &[u8] {
        &self.cose
    }

    /// Whether this is the key of a curve's point, as far as ring can tell: it multiplies a point of P-256
    /// in an agreement, after it was found on the curve. ring has no such check for Ed25519 and RSA; a key
    /// of these that is none verifies nothing, and its owner gets a passkey that never signs in.
    pub fn is_on_curve(&self) -> bool {
        let Key::Es256(point) = &self.key else {
            return true;
        };
        let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new());
        let peer = agreement::UnparsedPublicKey::new(&ECDH_P256, point);
        own.and_then(|own| agreement::agree_ephemeral(own, &peer, |_| ()))
            .is_ok()
    }

    /// Whether a message carries a signature by this key. A point outside the curve and RSA below
    /// 2048 bits verify nothing.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.key {
            Key::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            Key::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Key::Rs256 { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
        };
        verified.is_ok()
    }
}

impl Key {
    /// Each algorithm takes one type of key and one curve, so that no key is read in two ways.
    fn from_map(map: &Map) -> Result<Key, FormatError> {
        let error = FormatError::PublicKey;
        let algorithm = map.integer(ALGORITHM).ok_or(error)?;
        let has = |key_type: i64, curve: Option<i64>| {
            map.integer(KEY_TYPE) == Some(key_type)
                && curve.is_none_or(|curve| map.integer(CURVE) == Some(curve))
        };
        match algorithm {
            ES256 if has(2, Some(1)) => {
                let mut point = [4; 65];
                let (x, y) = point[1..].split_at_mut(32);
                for (part, label) in [(x, X), (y, Y)] {
                    let bytes: [u8; 32] = map
                        .bytes(label)
                        .and_then(|bytes| bytes.try_into().ok())
                        .ok_or(error)?;
                    part.copy_from_slice(&bytes);
                }
                Ok(Key::Es256(point))
            }
            ED_DSA if has(1, Some(6)) => map
                .bytes(X)
                .and_then(|x| x.try_into().ok())
                .map(Key::Ed25519)
                .ok_or(error),
            RS256 if has(3, None) => match (map.bytes(N), map.bytes(E)) {
                (Some(n), Some(e)) => Ok(Key::Rs256 {
                    n: n.to_vec(),
                    e: e.to_vec(),
                }),
                _ => Err(error),
            },
            ES256 | ED_DSA | RS256 => Err(error),
            _ => Err(FormatError::Algorithm),
        }
    }
}
