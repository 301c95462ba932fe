//! What the data keys do for mail: codes as keyed hashes, and those that wait in a letter sealed.

use super::{AssociatedData, KeyPurpose, Vault, VaultError, mac};
use crate::account::email::EmailAddress;
use crate::system::clock::Timestamp;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Keyed hash of a mailed code, bound to its account and to what it is for. Compared in constant time.
#[derive(Clone, Copy, Debug)]
pub struct MailedHash(pub [u8; 32]);

impl PartialEq for MailedHash {
    fn eq(&self, other: &MailedHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for MailedHash {}

/// What a mailed code is for: one never does the other's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailedFor {
    /// To be typed where a code is asked for.
    Login,
    /// To show that mail to a new address arrives.
    Confirmation,
}

impl MailedFor {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            MailedFor::Login => "sign-in",
            MailedFor::Confirmation => "confirmation",
        }
    }

    /// Reads [`MailedFor::name`].
    pub fn from_name(name: &str) -> Option<MailedFor> {
        [MailedFor::Login, MailedFor::Confirmation]
            .into_iter()
            .find(|purpose| purpose.name() == name)
    }
}

/// What the code of a letter is bound to: in another letter it does not open.
pub struct LetterBinding<'a> {
    /// The account's number in the store.
    pub account: i64,
    /// What the code is for.
    pub purpose: MailedFor,
    /// Where it goes.
    pub to: &'a EmailAddress,
    /// When its life ends.
    pub expires: Timestamp,
}

impl LetterBinding<'_> {
    /// The same as bytes.
    pub(crate) fn bytes(&self) -> AssociatedData {
        let LetterBinding {
            account,
            purpose,
            to,
            expires,
        } = self;
        AssociatedData(format!(
            "postern mail\0{account}\0{}\0{to}\0{}",
            purpose.name(),
            expires.0
        ))
    }
}

impl Vault {
    /// The hash of a code mailed to an account.
    pub fn mailed_hash(&self, account: i64, purpose: MailedFor, plain: &str) -> MailedHash {
        let parts = [
            b"mailed",
            purpose.name().as_bytes(),
            &account.to_be_bytes(),
            plain.as_bytes(),
        ];
        MailedHash(mac(self.keys.current_key(KeyPurpose::Recovery), &parts))
    }

    /// Seals a code for the gate to mail.
    pub(crate) fn seal_code(
        &self,
        plain: &str,
        binding: &LetterBinding<'_>,
    ) -> Result<Vec<u8>, VaultError> {
        self.seal_bytes(plain.as_bytes(), &binding.bytes())
    }

    /// Opens it.
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
