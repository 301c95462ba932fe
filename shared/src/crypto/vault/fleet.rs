//! Use of the data keys for a fleet: the sealed key of its authority, and hashes of invitations.

use super::{AssociatedData, KeyPurpose, Vault, VaultError, mac};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Associated data of the sealed key of an authority: its certificate (DER).
pub struct AuthorityBinding<'a>(pub &'a [u8]);

impl AuthorityBinding<'_> {
    /// Encodes the associated data.
    pub(crate) fn bytes(&self) -> AssociatedData {
        let fingerprint = HEXLOWER.encode(&Sha256::digest(self.0));
        AssociatedData(format!("postern fleet authority\0{fingerprint}"))
    }
}

impl Vault {
    /// Seals the key of an authority.
    pub(crate) fn seal_authority_key(
        &self,
        key: &[u8],
        binding: &AuthorityBinding<'_>,
    ) -> Result<Vec<u8>, VaultError> {
        self.seal_bytes(key, &binding.bytes())
    }

    /// Unseals the key of an authority. `None` if it was altered, or belongs to another certificate.
    pub(crate) fn unseal_authority_key(
        &self,
        sealed: &[u8],
        binding: &AuthorityBinding<'_>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        self.unseal_bytes(sealed, &binding.bytes())
    }

    /// Returns the hash by which an invitation is found.
    pub(crate) fn invitation_hash(&self, secret: &[u8]) -> [u8; 32] {
        mac(self.key(KeyPurpose::Recovery), &[b"host", secret])
    }
}
