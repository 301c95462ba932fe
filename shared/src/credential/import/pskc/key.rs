//! Decryption of a key container (RFC 6030, section 6): AES in CBC mode with a pre-shared key or
//! one that is derived from a password, and an HMAC over each value.
//!
//! A value MUST have a valid MAC before it is decrypted; a container without MACs is refused. If a
//! key was given, plain values MUST NOT be accepted: an attacker may have inserted them.

use super::element::{child, decode_base64, plain_text, refusal, required_child};
use crate::credential::import::ImportError;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockDecryptMut, KeyIvInit};
use hmac::{Hmac, Mac};
use roxmltree::Node;
use zeroize::Zeroizing;

/// The key that the administrator gives for a container.
#[derive(Clone, Copy)]
pub enum PskcKey<'a> {
    /// No key: the values must be plain.
    None,
    /// Pre-shared key of 16 or 32 bytes.
    Shared(&'a [u8]),
    /// Password from which the key is derived.
    Password(&'a [u8]),
}

/// Most rounds of PBKDF2, which take some seconds.
const MOST_ROUNDS: u32 = 10_000_000;
const BLOCK: usize = 16;
const NOT_ENCRYPTED: &str = "a key was given, but this is not encrypted; check where it comes from";
const NO_SALT: &str = "it has no specified salt";

const AES128: &str = "http://www.w3.org/2001/04/xmlenc#aes128-cbc";
const AES256: &str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
const WRONG: &str = "this cannot be decrypted: the key is wrong, or the file was changed";

/// Decrypts the values of one container, or states that they are plain.
pub(super) enum PskcDecryptor {
    Plain,
    Keyed {
        key: Zeroizing<Vec<u8>>,
        mac_key: Zeroizing<Vec<u8>>,
        hash: PskcHash,
    },
}

impl PskcDecryptor {
    /// Derives the key or uses the given one, and decrypts the MAC key with it.
    pub(super) fn new(container: Node, given: PskcKey) -> Result<PskcDecryptor, ImportError> {
        let derived = match child(container, "EncryptionKey")? {
            Some(node) => child(node, "DerivedKey")?,
            None => None,
        };
        let key = match (given, derived) {
            (PskcKey::None, _) => return Ok(PskcDecryptor::Plain),
            (PskcKey::Shared(key), None) => Zeroizing::new(key.to_vec()),
            (PskcKey::Password(password), Some(derived)) => derive_key(derived, password)?,
            (PskcKey::Shared(_), Some(derived)) => {
                let why = "its key is derived from a password; give that password";
                return Err(refusal(derived, why));
            }
            (PskcKey::Password(_), None) => {
                let why = "its key is not derived from a password; give the pre-shared key";
                return Err(ImportError::File(why));
            }
        };
        let why = "it has no MACMethod: nothing in it can be verified";
        let method = child(container, "MACMethod")?.ok_or(ImportError::File(why))?;
        let hash = method.attribute("Algorithm").and_then(PskcHash::from_uri);
        let hash =
            hash.ok_or_else(|| refusal(method, "the MAC must be HMAC-SHA1, -SHA256 or -SHA512"))?;
        let mac_key = required_child(method, "MACKey", "the MACMethod has no MACKey")?;
        let mac_key = decrypt(mac_key, &key, &cipher_value(mac_key)?)?;
        if mac_key.len() < BLOCK {
            return Err(refusal(method, "the key of the MAC has less than 128 bits"));
        }
        Ok(PskcDecryptor::Keyed { key, mac_key, hash })
    }

    /// Refuses a plain value if a key was given.
    pub(super) fn expects_plain(&self, value: Node) -> Result<(), ImportError> {
        match self {
            PskcDecryptor::Plain => Ok(()),
            PskcDecryptor::Keyed { .. } => Err(refusal(value, NOT_ENCRYPTED)),
        }
    }

    /// Verifies the MAC of a value, and only then decrypts it.
    pub(super) fn decrypt_verified(
        &self,
        encrypted: Node,
        mac: Option<Node>,
    ) -> Result<Zeroizing<Vec<u8>>, ImportError> {
        let PskcDecryptor::Keyed { key, mac_key, hash } = self else {
            let why = "this is encrypted; give the key of the file";
            return Err(refusal(encrypted, why));
        };
        let mac =
            mac.ok_or_else(|| refusal(encrypted, "this has no ValueMAC and cannot be verified"))?;
        let bytes = cipher_value(encrypted)?;
        if !hash.verifies(mac_key, &bytes, &decode_base64(mac)?) {
            return Err(refusal(encrypted, WRONG));
        }
        decrypt(encrypted, key, &bytes)
    }
}

/// Returns the bytes of a CipherValue: the initialization vector and the ciphertext.
fn cipher_value(node: Node) -> Result<Zeroizing<Vec<u8>>, ImportError> {
    let data = required_child(node, "CipherData", "there is no CipherData in it")?;
    let value = required_child(data, "CipherValue", "there is no CipherValue in it")?;
    decode_base64(value)
}

fn decrypt(node: Node, key: &[u8], bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, ImportError> {
    let method = child(node, "EncryptionMethod")?.and_then(|method| method.attribute("Algorithm"));
    let (iv, sealed) = bytes
        .split_at_checked(BLOCK)
        .ok_or_else(|| refusal(node, WRONG))?;
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let length = match method {
        Some(AES128) => cbc::Decryptor::<aes::Aes128>::new_from_slices(key, iv)
            .map_err(|_| refusal(node, "AES-128 needs a key of 16 bytes"))?
            .decrypt_padded_mut::<Pkcs7>(&mut buffer)
            .map(<[u8]>::len),
        Some(AES256) => cbc::Decryptor::<aes::Aes256>::new_from_slices(key, iv)
            .map_err(|_| refusal(node, "AES-256 needs a key of 32 bytes"))?
            .decrypt_padded_mut::<Pkcs7>(&mut buffer)
            .map(<[u8]>::len),
        _ => return Err(refusal(node, "the cipher must be aes128-cbc or aes256-cbc")),
    };
    buffer.truncate(length.map_err(|_| refusal(node, WRONG))?);
    Ok(buffer)
}

/// Derives the key by PBKDF2 (RFC 8018) with the parameters of the container.
fn derive_key(derived: Node, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, ImportError> {
    let broken = |why| refusal(derived, why);
    let why = "it has no KeyDerivationMethod";
    let method = required_child(derived, "KeyDerivationMethod", why)?;
    let algorithm = method.attribute("Algorithm").unwrap_or_default();
    if !algorithm.ends_with("#pbkdf2") {
        return Err(broken("only PBKDF2 is supported to derive a key"));
    }
    let parameters = required_child(method, "PBKDF2-params", "it has no PBKDF2-params")?;
    let salt = required_child(parameters, "Salt", NO_SALT)?;
    let salt = decode_base64(required_child(salt, "Specified", NO_SALT)?)?;
    let number = |name: &str| -> Result<Option<u32>, ImportError> {
        let node = child(parameters, name)?;
        Ok(node
            .map(plain_text)
            .transpose()?
            .and_then(|text| text.trim().parse().ok()))
    };
    let rounds = number("IterationCount")?.filter(|rounds| (1..=MOST_ROUNDS).contains(rounds));
    let rounds = rounds.ok_or_else(|| broken("the IterationCount must be 1 to 10000000"))?;
    let length = match number("KeyLength")? {
        Some(16) => 16,
        Some(32) => 32,
        _ => return Err(broken("the KeyLength must be 16 or 32 bytes")),
    };
    let hash = match child(parameters, "PRF")? {
        Some(prf) => match prf.attribute("Algorithm") {
            Some(uri) => {
                PskcHash::from_uri(uri).ok_or_else(|| broken("an unknown PRF of PBKDF2"))?
            }
            // RFC 6030, figure 7, has an empty PRF; RFC 8018's default is HMAC-SHA1
            None => PskcHash::Sha1,
        },
        None => PskcHash::Sha1,
    };
    let mut key = Zeroizing::new(vec![0; length]);
    match hash {
        PskcHash::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, &salt, rounds, &mut key),
        PskcHash::Sha256 => pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, &salt, rounds, &mut key),
        PskcHash::Sha512 => pbkdf2::pbkdf2_hmac::<sha2::Sha512>(password, &salt, rounds, &mut key),
    }
    Ok(key)
}

/// Hash function of a MAC or of PBKDF2.
#[derive(Clone, Copy)]
pub(super) enum PskcHash {
    Sha1,
    Sha256,
    Sha512,
}

impl PskcHash {
    /// Parses the algorithm URI of XML Signature.
    fn from_uri(uri: &str) -> Option<PskcHash> {
        match uri.rsplit('#').next()? {
            "hmac-sha1" => Some(PskcHash::Sha1),
            "hmac-sha256" => Some(PskcHash::Sha256),
            "hmac-sha512" => Some(PskcHash::Sha512),
            _ => None,
        }
    }

    fn verifies(self, key: &[u8], bytes: &[u8], tag: &[u8]) -> bool {
        match self {
            PskcHash::Sha1 => verify_mac::<Hmac<sha1::Sha1>>(key, bytes, tag),
            PskcHash::Sha256 => verify_mac::<Hmac<sha2::Sha256>>(key, bytes, tag),
            PskcHash::Sha512 => verify_mac::<Hmac<sha2::Sha512>>(key, bytes, tag),
        }
    }
}

/// Verifies the whole tag in constant time.
fn verify_mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], bytes: &[u8], tag: &[u8]) -> bool {
    <M as Mac>::new_from_slice(key)
        .is_ok_and(|mac| mac.chain_update(bytes).verify_slice(tag).is_ok())
}
