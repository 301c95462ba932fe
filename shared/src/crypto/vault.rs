//! Use of the data keys: secrets sealed with their account as associated data, keyed hashes,
//! fingerprints, decoys. The store keeps the data keys wrapped by the master key, which has no
//! other use.

mod approval;
mod data_keys;
mod fleet;
mod mail;
#[cfg(test)]
mod tests;

pub use approval::ApprovalHash;
pub use data_keys::{KeyPurpose, Renewal, WrappedKey};
pub use fleet::AuthorityBinding;
pub use mail::{LetterBinding, MailedFor, MailedHash};

use super::master_key::{MasterKey, MasterKeys};
use crate::account::name::UserName;
use crate::credential::app_password::AppPassword;
use crate::credential::otp::OtpError;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::OtpParameters;
use crate::system::random::{RandomError, fill_random};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_keys::DataKeys;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const NONCE: usize = 24;
/// Buckets that all names without an account share.
const BUCKETS: u16 = 1024;

/// Fingerprint of a secret, under which the store keeps its floor of used steps. It depends on the
/// secret only and not on account or authenticator, so that removing and adding a secret again
/// keeps its floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretFingerprint(pub [u8; 32]);

/// Keyed hash of a recovery code, bound to its account and compared in constant time.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryHash(pub [u8; 32]);

impl PartialEq for RecoveryHash {
    fn eq(&self, other: &RecoveryHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for RecoveryHash {}

/// Keyed hash of a one-time code, bound to its account and compared in constant time.
#[derive(Clone, Copy, Debug)]
pub struct OneTimeHash(pub [u8; 32]);

impl PartialEq for OneTimeHash {
    fn eq(&self, other: &OneTimeHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for OneTimeHash {}

/// Keyed hash of a trusted browser's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserHash(pub [u8; 32]);

/// Keyed hash by which an app password is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AppPasswordHash(pub [u8; 32]);

/// The keys of session cookies, sealed tokens and app passwords.
#[derive(Clone)]
pub struct TokenKeys {
    session: MacKey,
    token: MasterKey,
    app_password: MacKey,
    fingerprint: [u8; 32],
}

/// HMAC-SHA-256 that has processed its key. Each check of the gate computes one.
#[derive(Clone)]
struct MacKey(Hmac<Sha256>);

impl MacKey {
    fn new(key: &MasterKey) -> MacKey {
        MacKey(Mac::new_from_slice(&**key).expect("HMAC takes keys of any length"))
    }

    fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Computes the MAC over parts, each with its length before it, so that no two lists of parts
    /// collide.
    fn mac_parts(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl TokenKeys {
    /// Signs the bytes of a session cookie.
    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 32] {
        self.session.mac(bytes)
    }

    /// Returns a fingerprint that identifies these keys and reveals nothing about them.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Seals a token of one kind; it cannot be unsealed as another kind.
    pub(crate) fn seal(&self, kind: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        seal(&self.token, plain, kind.as_bytes())
    }

    /// Returns the hash by which an app password is found.
    pub fn app_password_hash(&self, password: &AppPassword) -> AppPasswordHash {
        app_password_hash(&self.app_password, password)
    }

    /// Unseals a token of one kind.
    pub(crate) fn unseal(&self, kind: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        unseal(&self.token, sealed, kind.as_bytes())
    }
}

/// Associated data of a sealed secret: with another account or other parameters it cannot be
/// unsealed.
pub struct SecretBinding<'a> {
    /// Number of the account in the store.
    pub account: i64,
    pub name: &'a UserName,
    pub parameters: OtpParameters,
}

impl SecretBinding<'_> {
    /// Encodes the associated data.
    pub(crate) fn bytes(&self) -> AssociatedData {
        let (account, name) = (self.account, self.name);
        let (algorithm, digits) = (self.parameters.algorithm.name(), self.parameters.digits);
        let period = self.parameters.moving.period();
        AssociatedData(format!(
            "postern authenticator\0{account}\0{name}\0{algorithm}\0{digits}\0{period}"
        ))
    }
}

/// Associated data of sealed bytes, encoded.
pub struct AssociatedData(String);

pub(crate) enum Resealed {
    /// The bytes were sealed with the newest key.
    Current,
    /// The bytes sealed with the newest key.
    Replaced(Vec<u8>),
    /// No key unseals the bytes.
    Damaged,
}

pub struct Vault {
    keys: DataKeys,
    wrapped: Vec<WrappedKey>,
}

impl Vault {
    /// Makes new data keys, wrapped by the newest master key.
    pub fn create(masters: &MasterKeys) -> Result<Vec<WrappedKey>, VaultError> {
        DataKeys::random()?.wrap(masters)
    }

    /// Unwraps the data keys of a store.
    pub fn open(masters: &MasterKeys, wrapped: &[WrappedKey]) -> Result<Vault, VaultError> {
        Ok(Vault {
            keys: DataKeys::open(masters, wrapped)?,
            wrapped: wrapped.to_owned(),
        })
    }

    fn key(&self, purpose: KeyPurpose) -> &MasterKey {
        self.keys.current_key(purpose)
    }

    /// Returns whether the vault was opened from these keys. Each rotation wraps all of them again.
    pub(crate) fn is_opened_from(&self, wrapped: &[WrappedKey]) -> bool {
        self.wrapped == wrapped
    }

    /// Renews data keys. Returns all of them, wrapped by the newest master key.
    pub(crate) fn renew_keys(
        &self,
        renewal: Renewal,
        masters: &MasterKeys,
    ) -> Result<Vec<WrappedKey>, VaultError> {
        self.keys.renew(renewal)?.wrap(masters)
    }

    /// Renews the keys of sessions, sealed tokens and trusted browsers: none that was ever issued
    /// is valid any more. Returns all keys, wrapped by the newest master key.
    pub(crate) fn renew_token_keys(
        &self,
        masters: &MasterKeys,
    ) -> Result<Vec<WrappedKey>, VaultError> {
        self.keys.renew_token_keys()?.wrap(masters)
    }

    /// Returns whether both are vaults of one store, or of copies of it: one has a fingerprint key of
    /// the other.
    pub(crate) fn is_of_same_store(&self, other: &Vault) -> bool {
        let mut keys = self.keys.fingerprints();
        keys.any(|key| other.keys.fingerprints().any(|other| key == other))
    }

    /// Returns whether bytes that the previous key sealed may remain.
    pub(crate) fn has_previous_key(&self) -> bool {
        self.keys.previous_seal_key().is_some()
    }

    /// Returns the data keys without the previous sealing key, wrapped by the newest master key.
    pub(crate) fn drop_previous_key(
        &self,
        masters: &MasterKeys,
    ) -> Result<Vec<WrappedKey>, VaultError> {
        self.keys.without_previous_key().wrap(masters)
    }

    /// Seals a secret for its account.
    pub fn seal(
        &self,
        secret: &Secret,
        binding: &SecretBinding<'_>,
    ) -> Result<Vec<u8>, VaultError> {
        self.seal_bytes(secret.expose(), &binding.bytes())
    }

    pub fn unseal(&self, sealed: &[u8], binding: &SecretBinding<'_>) -> Result<Secret, VaultError> {
        let plain = self.unseal_bytes(sealed, &binding.bytes());
        Ok(Secret::from_imported_bytes(plain.ok_or_else(|| {
            VaultError::Sealed(binding.name.clone())
        })?)?)
    }

    /// Seals bytes of the previous key with the newest one.
    pub(crate) fn reseal(
        &self,
        sealed: &[u8],
        bound: &AssociatedData,
    ) -> Result<Resealed, VaultError> {
        if unseal(self.key(KeyPurpose::Seal), sealed, bound.0.as_bytes()).is_some() {
            return Ok(Resealed::Current);
        }
        match self.unseal_bytes(sealed, bound) {
            Some(plain) => self.seal_bytes(&plain, bound).map(Resealed::Replaced),
            None => Ok(Resealed::Damaged),
        }
    }

    fn seal_bytes(&self, plain: &[u8], bound: &AssociatedData) -> Result<Vec<u8>, VaultError> {
        seal(self.key(KeyPurpose::Seal), plain, bound.0.as_bytes())
    }

    fn unseal_bytes(&self, sealed: &[u8], bound: &AssociatedData) -> Option<Zeroizing<Vec<u8>>> {
        let newest = unseal(self.key(KeyPurpose::Seal), sealed, bound.0.as_bytes());
        newest.or_else(|| unseal(self.keys.previous_seal_key()?, sealed, bound.0.as_bytes()))
    }

    /// Returns the fingerprint of a secret and its period, under which new floors are written.
    /// Algorithm and digits are left out: a code of 8 digits contains the code of 6.
    pub fn fingerprint(&self, secret: &Secret, parameters: OtpParameters) -> SecretFingerprint {
        fingerprint(self.key(KeyPurpose::Fingerprint), secret, parameters)
    }

    /// Returns the fingerprints under which a floor may be stored, newest first: the first that has
    /// a floor counts.
    pub fn fingerprints(
        &self,
        secret: &Secret,
        parameters: OtpParameters,
    ) -> impl Iterator<Item = SecretFingerprint> {
        self.keys
            .fingerprints()
            .map(move |key| fingerprint(key, secret, parameters))
    }

    /// Returns the hash of a recovery code of an account.
    pub fn recovery_hash(&self, account: i64, plain: &str) -> RecoveryHash {
        let parts = [&account.to_be_bytes()[..], plain.as_bytes()];
        RecoveryHash(mac(self.key(KeyPurpose::Recovery), &parts))
    }

    /// Returns the hash of a one-time code of an account.
    pub fn one_time_hash(&self, account: i64, plain: &str) -> OneTimeHash {
        let parts = [b"one-time", &account.to_be_bytes()[..], plain.as_bytes()];
        OneTimeHash(mac(self.key(KeyPurpose::Recovery), &parts))
    }

    /// Returns the pepper for hashes of passwords.
    pub(crate) fn pepper(&self) -> &[u8] {
        &**self.key(KeyPurpose::Password)
    }

    /// Returns the hash of a trusted browser's cookie.
    pub(crate) fn browser_hash(&self, value: &[u8]) -> BrowserHash {
        BrowserHash(mac(self.key(KeyPurpose::Browser), &[value]))
    }

    /// Returns the hash by which an app password is found.
    pub(crate) fn app_password_hash(&self, password: &AppPassword) -> AppPasswordHash {
        app_password_hash(&MacKey::new(self.key(KeyPurpose::AppPassword)), password)
    }

    /// Returns the keys for cookies and tokens. A process that verifies no inputs needs no other
    /// keys.
    pub fn token_keys(&self) -> TokenKeys {
        let session = MacKey::new(self.key(KeyPurpose::Session));
        TokenKeys {
            fingerprint: session.mac(b"footing"),
            session,
            token: self.key(KeyPurpose::Token).clone(),
            app_password: MacKey::new(self.key(KeyPurpose::AppPassword)),
        }
    }

    /// Returns a secret that belongs to no authenticator, always the same for a name.
    pub fn decoy(&self, name: &UserName) -> Result<Secret, VaultError> {
        let parts = [b"secret", name.as_str().as_bytes()];
        let bytes = mac(self.key(KeyPurpose::Decoy), &parts);
        Ok(Secret::from_bytes(Zeroizing::new(bytes[..20].to_vec()))?)
    }

    /// Returns the shared bucket for wrong inputs at a name without an account.
    pub fn shared_bucket(&self, name: &UserName) -> u16 {
        let parts = [b"row", name.as_str().as_bytes()];
        let bytes = mac(self.key(KeyPurpose::Decoy), &parts);
        u16::from_be_bytes([bytes[0], bytes[1]]) % BUCKETS
    }
}

fn app_password_hash(key: &MacKey, password: &AppPassword) -> AppPasswordHash {
    AppPasswordHash(key.mac_parts(&[password.plain().as_bytes()]))
}

fn fingerprint(key: &MasterKey, secret: &Secret, parameters: OtpParameters) -> SecretFingerprint {
    let period = parameters.moving.period().to_be_bytes();
    SecretFingerprint(mac(key, &[b"totp", &period, secret.expose()]))
}

/// Computes HMAC-SHA-256 over parts, as [`MacKey::mac_parts`] does.
fn mac(key: &MasterKey, parts: &[&[u8]]) -> [u8; 32] {
    MacKey::new(key).mac_parts(parts)
}

fn seal(key: &MasterKey, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut sealed = vec![0; NONCE];
    // A random nonce of 192 bits does not repeat.
    fill_random(&mut sealed)?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let payload = Payload {
        msg: plain,
        aad: associated,
    };
    let ciphertext = cipher
        .encrypt(XNonce::from_slice(&sealed), payload)
        .map_err(|_| VaultError::Incomplete)?;
    sealed.extend(ciphertext);
    Ok(sealed)
}

fn unseal(key: &MasterKey, sealed: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE)?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let payload = Payload {
        msg: ciphertext,
        aad: associated,
    };
    cipher
        .decrypt(XNonce::from_slice(nonce), payload)
        .ok()
        .map(Zeroizing::new)
}

/// Reason why bytes cannot be unsealed. Each of these denies access everywhere.
#[derive(Debug)]
pub enum VaultError {
    /// The key file belongs to another store.
    WrongKey,
    /// The store lacks a data key.
    Incomplete,
    /// A sealed secret was moved or altered in the store.
    Sealed(UserName),
    /// A secret with an invalid length.
    Secret(OtpError),
    Random(RandomError),
}

impl From<RandomError> for VaultError {
    fn from(error: RandomError) -> VaultError {
        VaultError::Random(error)
    }
}

impl From<OtpError> for VaultError {
    fn from(error: OtpError) -> VaultError {
        VaultError::Secret(error)
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VaultError::WrongKey => f.write_str(
                "the master key in store.key_file does not open this store; restore the key file that belongs to it",
            ),
            VaultError::Incomplete => {
                f.write_str("the store lacks a data key; restore it together with its key file")
            }
            VaultError::Sealed(name) => write!(
                f,
                "the sealed secret of {name} was altered or moved in the store; restore the store, or disable {name} and enroll it again"
            ),
            VaultError::Secret(error) => write!(f, "a sealed secret is damaged: {error}"),
            VaultError::Random(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VaultError {}

#[cfg(test)]
impl TokenKeys {
    /// Makes the keys of a new store.
    pub(crate) fn fresh() -> TokenKeys {
        let (masters, _) = MasterKeys::generate().unwrap();
        Vault::open(&masters, &Vault::create(&masters).unwrap())
            .unwrap()
            .token_keys()
    }
}
