//! What is done with the data keys: secrets sealed with the account bound as associated data, keyed hashes,
//! fingerprints, decoys. The master key only wraps these keys; they lie wrapped in the store.

mod data_keys;
mod mail;
#[cfg(test)]
mod tests;

pub use data_keys::{KeyPurpose, Renewal, WrappedKey};
pub use mail::{LetterBinding, MailedFor, MailedHash};

use super::master_key::{MasterKey, MasterKeys};
use crate::account::name::UserName;
use crate::credential::app_password::AppPassword;
use crate::credential::secret::{RandomError, Secret, SecretError, fill_random};
use crate::credential::totp::OtpParameters;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_keys::DataKeys;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const NONCE: usize = 24;
/// Rows of guesses that all names without an account share.
const BUCKETS: u16 = 1024;

/// Under which the floor of used steps of a secret is kept: the same secret has the same one, whatever account
/// or authenticator it belongs to, so that removing and adding it again keeps the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretFingerprint(pub [u8; 32]);

/// Keyed hash of a recovery code, bound to its account. Compared in constant time.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryHash(pub [u8; 32]);

impl PartialEq for RecoveryHash {
    fn eq(&self, other: &RecoveryHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for RecoveryHash {}

/// Keyed hash of a one-time code, bound to its account. Compared in constant time.
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

/// Keyed hash of an app password: what it is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AppPasswordHash(pub [u8; 32]);

/// The keys of session cookies, sealed tokens and app passwords.
#[derive(Clone)]
pub struct TokenKeys {
    session: MasterKey,
    token: MasterKey,
    app_password: MasterKey,
}

impl TokenKeys {
    /// Signs a session's bytes.
    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&*self.session)
            .expect("HMAC takes keys of any length");
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// What tells these keys from others, and nothing else of them.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.sign(b"footing")
    }

    /// Seals a token of one kind: another kind's does not open.
    pub(crate) fn seal(&self, kind: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        seal(&self.token, plain, kind.as_bytes())
    }

    /// What an app password is looked up by.
    pub fn app_password_hash(&self, password: &AppPassword) -> AppPasswordHash {
        app_password_hash(&self.app_password, password)
    }

    /// Opens a sealed token of one kind.
    pub(crate) fn unseal(&self, kind: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        unseal(&self.token, sealed, kind.as_bytes())
    }
}

/// What a sealed secret is bound to: moved to another account, or with other parameters, it does not open.
pub struct SecretBinding<'a> {
    /// The account's number in the store.
    pub account: i64,
    /// The account's name.
    pub name: &'a UserName,
    /// Algorithm, digits, time or counter.
    pub parameters: OtpParameters,
}

impl SecretBinding<'_> {
    /// The same as bytes.
    pub(crate) fn bytes(&self) -> AssociatedData {
        let OtpParameters {
            algorithm,
            digits,
            moving,
        } = self.parameters;
        let period = moving.period();
        AssociatedData(format!(
            "postern authenticator\0{}\0{}\0{}\0{digits}\0{period}",
            self.account,
            self.name,
            algorithm.name()
        ))
    }
}

/// What something sealed is bound to, as bytes.
pub struct AssociatedData(String);

/// What sealing anew makes of something.
pub(crate) enum Resealed {
    /// It was sealed with the newest key.
    Current,
    /// This.
    Replaced(Vec<u8>),
    /// It opens with no key.
    Damaged,
}

/// The opened data keys.
pub struct Vault {
    keys: DataKeys,
    wrapped: Vec<WrappedKey>,
}

impl Vault {
    /// Makes new data keys, wrapped by the newest master key.
    pub fn create(masters: &MasterKeys) -> Result<Vec<WrappedKey>, VaultError> {
        DataKeys::random()?.wrap(masters)
    }

    /// Opens the data keys of a store.
    pub fn open(masters: &MasterKeys, wrapped: &[WrappedKey]) -> Result<Vault, VaultError> {
        Ok(Vault {
            keys: DataKeys::open(masters, wrapped)?,
            wrapped: wrapped.to_owned(),
        })
    }

    /// Whether these are the keys that it was opened from. Every rotation wraps them all anew.
    pub(crate) fn is_opened_from(&self, wrapped: &[WrappedKey]) -> bool {
        self.wrapped == wrapped
    }

    /// Renews data keys; all of them, wrapped by the newest master key.
    pub(crate) fn renew_keys(
        &self,
        renewal: Renewal,
        masters: &MasterKeys,
    ) -> Result<Vec<WrappedKey>, VaultError> {
        self.keys.renew(renewal)?.wrap(masters)
    }

    /// Whether something may lie sealed with the key of before.
    pub(crate) fn has_previous_key(&self) -> bool {
        self.keys.previous_seal_key().is_some()
    }

    /// The data keys without the one that sealed before, wrapped by the newest master key.
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

    /// Opens a sealed secret.
    pub fn unseal(&self, sealed: &[u8], binding: &SecretBinding<'_>) -> Result<Secret, VaultError> {
        let plain = self.unseal_bytes(sealed, &binding.bytes());
        Ok(Secret::from_bytes(plain.ok_or_else(|| {
            VaultError::Sealed(binding.name.clone())
        })?)?)
    }

    /// Whatever was sealed with the key of before, sealed with the newest.
    pub(crate) fn reseal(
        &self,
        sealed: &[u8],
        bound: &AssociatedData,
    ) -> Result<Resealed, VaultError> {
        if unseal(
            self.keys.current_key(KeyPurpose::Seal),
            sealed,
            bound.0.as_bytes(),
        )
        .is_some()
        {
            return Ok(Resealed::Current);
        }
        match self.unseal_bytes(sealed, bound) {
            Some(plain) => self.seal_bytes(&plain, bound).map(Resealed::Replaced),
            None => Ok(Resealed::Damaged),
        }
    }

    fn seal_bytes(&self, plain: &[u8], bound: &AssociatedData) -> Result<Vec<u8>, VaultError> {
        seal(
            self.keys.current_key(KeyPurpose::Seal),
            plain,
            bound.0.as_bytes(),
        )
    }

    fn unseal_bytes(&self, sealed: &[u8], bound: &AssociatedData) -> Option<Zeroizing<Vec<u8>>> {
        let newest = unseal(
            self.keys.current_key(KeyPurpose::Seal),
            sealed,
            bound.0.as_bytes(),
        );
        newest.or_else(|| unseal(self.keys.previous_seal_key()?, sealed, bound.0.as_bytes()))
    }

    /// The fingerprint of a secret and its period, under which its floor is written. Algorithm and digits are left
    /// out: a code of 8 digits holds the code of 6.
    pub fn fingerprint(&self, secret: &Secret, parameters: OtpParameters) -> SecretFingerprint {
        fingerprint(
            self.keys.current_key(KeyPurpose::Fingerprint),
            secret,
            parameters,
        )
    }

    /// The fingerprints under which its floor may lie, newest first: the first that has one counts.
    pub fn fingerprints(
        &self,
        secret: &Secret,
        parameters: OtpParameters,
    ) -> impl Iterator<Item = SecretFingerprint> {
        self.keys
            .fingerprints()
            .map(move |key| fingerprint(key, secret, parameters))
    }

    /// The hash of a recovery code of an account.
    pub fn recovery_hash(&self, account: i64, plain: &str) -> RecoveryHash {
        RecoveryHash(mac(
            self.keys.current_key(KeyPurpose::Recovery),
            &[&account.to_be_bytes(), plain.as_bytes()],
        ))
    }

    /// The hash of a one-time code of an account.
    pub fn one_time_hash(&self, account: i64, plain: &str) -> OneTimeHash {
        OneTimeHash(mac(
            self.keys.current_key(KeyPurpose::Recovery),
            &[b"one-time", &account.to_be_bytes(), plain.as_bytes()],
        ))
    }

    /// The pepper that passwords are hashed with.
    pub(crate) fn pepper(&self) -> &[u8] {
        &**self.keys.current_key(KeyPurpose::Password)
    }

    /// The hash of a trusted browser's cookie.
    pub(crate) fn browser_hash(&self, value: &[u8]) -> BrowserHash {
        BrowserHash(mac(self.keys.current_key(KeyPurpose::Browser), &[value]))
    }

    /// What an app password is looked up by.
    pub(crate) fn app_password_hash(&self, password: &AppPassword) -> AppPasswordHash {
        app_password_hash(self.keys.current_key(KeyPurpose::AppPassword), password)
    }

    /// What signs and seals the cookies of a sign-in; a process that judges no answers needs no more.
    pub fn token_keys(&self) -> TokenKeys {
        let key = |purpose| self.keys.current_key(purpose).clone();
        TokenKeys {
            session: key(KeyPurpose::Session),
            token: key(KeyPurpose::Token),
            app_password: key(KeyPurpose::AppPassword),
        }
    }

    /// A secret that nobody holds, always the same for a name.
    pub fn decoy(&self, name: &UserName) -> Result<Secret, VaultError> {
        let bytes = mac(
            self.keys.current_key(KeyPurpose::Decoy),
            &[b"secret", name.as_str().as_bytes()],
        );
        Ok(Secret::from_bytes(Zeroizing::new(bytes[..20].to_vec()))?)
    }

    /// Which of the shared rows counts the guesses at a name without an account.
    pub fn shared_bucket(&self, name: &UserName) -> u16 {
        let bytes = mac(
            self.keys.current_key(KeyPurpose::Decoy),
            &[b"row", name.as_str().as_bytes()],
        );
        u16::from_be_bytes([bytes[0], bytes[1]]) % BUCKETS
    }
}

fn app_password_hash(key: &MasterKey, password: &AppPassword) -> AppPasswordHash {
    AppPasswordHash(mac(key, &[password.plain().as_bytes()]))
}

fn fingerprint(key: &MasterKey, secret: &Secret, parameters: OtpParameters) -> SecretFingerprint {
    SecretFingerprint(mac(
        key,
        &[
            b"totp",
            &parameters.moving.period().to_be_bytes(),
            secret.expose(),
        ],
    ))
}

/// HMAC-SHA-256 over parts, each with its length before it, so that no two lists of parts collide.
fn mac(key: &MasterKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(&**key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn seal(key: &MasterKey, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut sealed = vec![0; NONCE];
    // A random nonce of 192 bit does not repeat.
    fill_random(&mut sealed)?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let ciphertext = cipher
        .encrypt(
            XNonce::from_slice(&sealed),
            Payload {
                msg: plain,
                aad: associated,
            },
        )
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

/// Why something does not open. All of these close every door.
#[derive(Debug)]
pub enum VaultError {
    /// The key file belongs to another store.
    WrongKey,
    /// The store lacks a data key.
    Incomplete,
    /// A sealed secret does not belong where it lies.
    Sealed(UserName),
    /// A secret of a length that none has.
    Secret(SecretError),
    /// No random numbers.
    Random(RandomError),
}

impl From<RandomError> for VaultError {
    fn from(error: RandomError) -> VaultError {
        VaultError::Random(error)
    }
}

impl From<SecretError> for VaultError {
    fn from(error: SecretError) -> VaultError {
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
    /// Those of a store that was just made.
    pub(crate) fn fresh() -> TokenKeys {
        let (masters, _) = MasterKeys::generate().unwrap();
        Vault::open(&masters, &Vault::create(&masters).unwrap())
            .unwrap()
            .token_keys()
    }
}
