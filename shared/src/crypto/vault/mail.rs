//! Use of the data keys for mail: mailed codes as keyed hashes, and sealed while they are queued.

use super::{AssociatedData, KeyPurpose, Vault, VaultError, mac};
use crate::account::email::EmailAddress;
use crate::system::clock::Timestamp;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Keyed hash of a mailed code, bound to its account and purpose, compared in constant time.
#[derive(Clone, Copy, Debug)]
pub struct MailedHash(pub [u8; 32]);

impl PartialEq for MailedHash {
    fn eq(&self, other: &MailedHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for MailedHash {}

/// Purpose of a mailed code. A code for one purpose is never accepted for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailedFor {
    /// The code is a second factor.
    Login,
    /// The code proves that mail to a new address arrives.
    Confirmation,
}

impl MailedFor {
    /// Returns the name in the store.
    pub fn name(self) -> &'static str {
        match self {
            MailedFor::Login => "sign-in",
            MailedFor::Confirmation => "confirmation",
        }
    }

    /// Finds the purpose with this [`MailedFor::name`].
    pub fn from_name(name: &str) -> Option<MailedFor> {
        [MailedFor::Login, MailedFor::Confirmation]
            .into_iter()
            .find(|purpose| purpose.name() == name)
    }
}

/// Associated data of the sealed code of a mail: in another mail it cannot be unsealed.
pub struct LetterBinding<'a> {
    /// Number of the account in the store.
    pub account: i64,
    pub purpose: MailedFor,
    pub to: &'a EmailAddress,
    pub expires: Timestamp,
}

impl LetterBinding<'_> {
    /// Encodes the associated data.
    pub(crate) fn bytes(&self) -> AssociatedData {
        let (account, purpose, to) = (self.account, self.purpose.name(), self.to);
        let text = format!(
            "postern mail\0{account}\0{purpose}\0{to}\0{}",
            self.expires.0
        );
        AssociatedData(text)
    }
}

impl Vault {
    /// Returns the hash of a code that is mailed to an account.
    pub fn mailed_hash(&self, account: i64, purpose: MailedFor, plain: &str) -> MailedHash {
        let parts = [
            b"mailed",
            purpose.name().as_bytes(),
            &account.to_be_bytes(),
            plain.as_bytes(),
        ];
        MailedHash(mac(self.key(KeyPurpose::Recovery), &parts))
    }

    /// Seals a code that the gate will mail.
    pub(crate) fn seal_code(
        &self,
        plain: &str,
        binding: &LetterBinding<'_>,
    ) -> Result<Vec<u8>, VaultError> {
        self.seal_bytes(plain.as_bytes(), &binding.bytes())
    }

    /// Unseals the code of a mail.
    pub(crate) fn unseal_code(
        &self,
        sealed: &[u8],
        binding: &LetterBinding<'_>,
    ) -> Option<Zeroizing<String>> {
        let plain = self.unseal_bytes(sealed, &binding.bytes())?;
        std::str::from_utf8(&plain)
            .ok()
            .map(|text| Zeroizing::new(text.to_owned()))
    }
}
