//! Passkeys: the formats of W3C Web Authentication Level 3, read strictly. Whether what they say
//! is accepted is decided in [`crate::verify::passkey`].
//!
//! There is no library whose tree, licence and minimum Rust this workspace takes: webauthn-rs needs
//! OpenSSL, MPL-2.0 and Rust 1.89, webauthn_rp 1.86 and another generation of elliptic curves. What
//! is read here is small, since attestation is not used: JSON by serde, CBOR by ciborium,
//! signatures by ring.

pub mod authenticator_data;
mod cbor;
pub mod client_data;
pub mod public_key;
pub mod response;

use std::fmt;

/// Upper bound of a response of a browser in bytes, each of its fields.
pub const MAX_FIELD: usize = 16 * 1024;

/// Identifier of a passkey, chosen by its authenticator: 1 to 1023 bytes (section 5.8.3 allows no
/// more). It is no secret.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CredentialId(Vec<u8>);

impl CredentialId {
    pub const MAX: usize = 1023;

    pub fn new(bytes: &[u8]) -> Option<CredentialId> {
        (1..=CredentialId::MAX)
            .contains(&bytes.len())
            .then(|| CredentialId(bytes.to_vec()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why bytes are not what the standard describes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FormatError {
    ClientData,
    AuthenticatorData,
    Attestation,
    PublicKey,
    /// The key is of an algorithm that was not offered.
    Algorithm,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FormatError::ClientData => "clientDataJSON cannot be read",
            FormatError::AuthenticatorData => "the authenticator data cannot be read",
            FormatError::Attestation => "the attestation object cannot be read",
            FormatError::PublicKey => "the public key cannot be read",
            FormatError::Algorithm => "the public key is of an algorithm that was not offered",
        })
    }
}

impl std::error::Error for FormatError {}
