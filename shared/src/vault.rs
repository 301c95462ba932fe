//! The data keys and what is done with them: secrets sealed with the account bound as associated data, keyed
//! hashes, fingerprints, decoys. The master key only wraps these keys; they lie wrapped in the store.

use crate::key::{Key, KeyId, MasterKeys};
use crate::name::UserName;
use crate::recovery::RecoveryCode;
use crate::secret::{RandomError, Secret, SecretError, fill_random};
use crate::totp::Parameters;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const NONCE: usize = 24;
/// Rows of guesses that all names without an account share.
const BUCKETS: u16 = 1024;

/// What one data key is for. Each use has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Seals the secrets of authenticators.
    Seal,
    /// Hashes recovery codes and one-time codes.
    Recovery,
    /// Makes fingerprints of secrets.
    Fingerprint,
    /// Makes decoys for names without an account.
    Decoy,
    /// The pepper of passwords.
    Password,
    /// Signs session cookies.
    Session,
    /// Seals the short-lived tokens between two pages of a sign-in.
    Ticket,
    /// Hashes the cookies of trusted browsers.
    Browser,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 8] = [
        Purpose::Seal,
        Purpose::Recovery,
        Purpose::Fingerprint,
        Purpose::Decoy,
        Purpose::Password,
        Purpose::Session,
        Purpose::Ticket,
        Purpose::Browser,
    ];

    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Seal => "seal",
            Purpose::Recovery => "recovery",
            Purpose::Fingerprint => "fingerprint",
            Purpose::Decoy => "decoy",
            Purpose::Password => "password",
            Purpose::Session => "session",
            Purpose::Ticket => "ticket",
            Purpose::Browser => "browser",
        }
    }
}

/// A data key as it lies in the store.
pub struct WrappedKey {
    /// [`Purpose::name`].
    pub purpose: String,
    /// The master key that wraps it.
    pub master: KeyId,
    /// Nonce and ciphertext.
    pub wrapped: Vec<u8>,
}

/// Under which the floor of used steps of a secret is kept: the same secret has the same one, whatever account
/// or authenticator it belongs to, so that removing and adding it again keeps the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

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
    SignIn,
    /// To show that mail to a new address arrives.
    Confirmation,
}

impl MailedFor {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            MailedFor::SignIn => "sign-in",
            MailedFor::Confirmation => "confirmation",
        }
    }

    /// Reads [`MailedFor::name`].
    pub fn from_name(name: &str) -> Option<MailedFor> {
        [MailedFor::SignIn, MailedFor::Confirmation].into_iter().find(|purpose| purpose.name() == name)
    }
}

/// Keyed hash of a trusted browser's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserHash(pub [u8; 32]);

/// The keys of session cookies and sealed tokens.
#[derive(Clone)]
pub struct TokenKeys {
    session: Key,
    ticket: Key,
}

impl TokenKeys {
    /// Signs a session's bytes.
    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(&*self.session).expect("HMAC takes keys of any length");
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Seals a token of one kind: another kind's does not open.
    pub(crate) fn seal(&self, kind: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        seal(&self.ticket, plain, kind.as_bytes())
    }

    /// Opens a sealed token of one kind.
    pub(crate) fn unseal(&self, kind: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        unseal(&self.ticket, sealed, kind.as_bytes())
    }
}

/// What a sealed secret is bound to: moved to another account, or with other parameters, it does not open.
pub struct Binding<'a> {
    /// The account's number in the store.
    pub account: i64,
    /// The account's name.
    pub name: &'a UserName,
    /// Algorithm, digits, time or counter.
    pub parameters: Parameters,
}

impl Binding<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let Parameters { algorithm, digits, moving } = self.parameters;
        let period = moving.period();
        format!(
            "postern authenticator\0{}\0{}\0{}\0{digits}\0{period}",
            self.account,
            self.name,
            algorithm.name()
        )
        .into_bytes()
    }
}

/// The opened data keys.
pub struct Vault {
    seal: Key,
    recovery: Key,
    fingerprint: Key,
    decoy: Key,
    password: Key,
    session: Key,
    ticket: Key,
    browser: Key,
}

impl Vault {
    /// Makes new data keys, wrapped by the newest master key.
    pub fn create(masters: &MasterKeys) -> Result<Vec<WrappedKey>, VaultError> {
        let (master, key) = masters.newest();
        Purpose::ALL
            .into_iter()
            .map(|purpose| {
                let mut data_key = Key::default();
                fill_random(&mut *data_key)?;
                let wrapped = seal(key, &*data_key, &wrap_data(purpose))?;
                Ok(WrappedKey { purpose: purpose.name().to_owned(), master, wrapped })
            })
            .collect()
    }

    /// Opens the data keys of a store.
    pub fn open(masters: &MasterKeys, wrapped: &[WrappedKey]) -> Result<Vault, VaultError> {
        let open = |purpose: Purpose| {
            let wrapped =
                wrapped.iter().find(|w| w.purpose == purpose.name()).ok_or(VaultError::Incomplete)?;
            let master = masters.find(&wrapped.master).ok_or(VaultError::WrongKey)?;
            let plain = unseal(master, &wrapped.wrapped, &wrap_data(purpose)).ok_or(VaultError::WrongKey)?;
            let mut key = Key::default();
            if plain.len() != key.len() {
                return Err(VaultError::Incomplete);
            }
            key.copy_from_slice(&plain);
            Ok(key)
        };
        Ok(Vault {
            seal: open(Purpose::Seal)?,
            recovery: open(Purpose::Recovery)?,
            fingerprint: open(Purpose::Fingerprint)?,
            decoy: open(Purpose::Decoy)?,
            password: open(Purpose::Password)?,
            session: open(Purpose::Session)?,
            ticket: open(Purpose::Ticket)?,
            browser: open(Purpose::Browser)?,
        })
    }

    /// Seals a secret for its account.
    pub fn seal(&self, secret: &Secret, binding: &Binding<'_>) -> Result<Vec<u8>, VaultError> {
        seal(&self.seal, secret.expose(), &binding.associated_data())
    }

    /// Opens a sealed secret.
    pub fn unseal(&self, sealed: &[u8], binding: &Binding<'_>) -> Result<Secret, VaultError> {
        let plain = unseal(&self.seal, sealed, &binding.associated_data())
            .ok_or_else(|| VaultError::Sealed(binding.name.clone()))?;
        Ok(Secret::from_bytes(plain)?)
    }

    /// The fingerprint of a secret and its period (0 for a counter). Algorithm and digits are left out: a code of 8
    /// digits holds the code of 6.
    pub fn fingerprint(&self, secret: &Secret, parameters: Parameters) -> Fingerprint {
        Fingerprint(mac(
            &self.fingerprint,
            &[b"totp", &parameters.moving.period().to_be_bytes(), secret.expose()],
        ))
    }

    /// The hash of a recovery code of an account.
    pub fn recovery_hash(&self, account: i64, plain: &str) -> RecoveryHash {
        RecoveryHash(mac(&self.recovery, &[&account.to_be_bytes(), plain.as_bytes()]))
    }

    /// The hash of a one-time code of an account.
    pub fn one_time_hash(&self, account: i64, plain: &str) -> OneTimeHash {
        OneTimeHash(mac(&self.recovery, &[b"one-time", &account.to_be_bytes(), plain.as_bytes()]))
    }

    /// The hash of a code mailed to an account.
    pub fn mailed_hash(&self, account: i64, purpose: MailedFor, plain: &str) -> MailedHash {
        let parts = [b"mailed", purpose.name().as_bytes(), &account.to_be_bytes(), plain.as_bytes()];
        MailedHash(mac(&self.recovery, &parts))
    }

    /// Seals a code for the gate to mail. `to` says whose it is, where it goes and until when: elsewhere it does not open.
    pub(crate) fn seal_mail(&self, plain: &str, to: &str) -> Result<Vec<u8>, VaultError> {
        seal(&self.ticket, plain.as_bytes(), format!("postern mail\0{to}").as_bytes())
    }

    /// Opens what [`Vault::seal_mail`] sealed.
    pub(crate) fn unseal_mail(&self, sealed: &[u8], to: &str) -> Option<Zeroizing<String>> {
        let plain = unseal(&self.ticket, sealed, format!("postern mail\0{to}").as_bytes())?;
        std::str::from_utf8(&plain).ok().map(|text| Zeroizing::new(text.to_owned()))
    }

    /// The hashes of a new set of codes.
    pub fn recovery_hashes(&self, account: i64, codes: &[RecoveryCode]) -> Vec<RecoveryHash> {
        codes.iter().map(|code| self.recovery_hash(account, code.plain())).collect()
    }

    /// The pepper that passwords are hashed with.
    pub(crate) fn pepper(&self) -> &[u8] {
        &*self.password
    }

    /// The hash of a trusted browser's cookie.
    pub(crate) fn browser_hash(&self, value: &[u8]) -> BrowserHash {
        BrowserHash(mac(&self.browser, &[value]))
    }

    /// What signs and seals the cookies of a sign-in; a process that judges no answers needs no more.
    pub fn token_keys(&self) -> TokenKeys {
        TokenKeys { session: self.session.clone(), ticket: self.ticket.clone() }
    }

    /// A secret that nobody holds, always the same for a name.
    pub fn decoy(&self, name: &UserName) -> Result<Secret, VaultError> {
        let bytes = mac(&self.decoy, &[b"secret", name.as_str().as_bytes()]);
        Ok(Secret::from_bytes(Zeroizing::new(bytes[..20].to_vec()))?)
    }

    /// Which of the shared rows counts the guesses at a name without an account.
    pub fn bucket(&self, name: &UserName) -> u16 {
        let bytes = mac(&self.decoy, &[b"row", name.as_str().as_bytes()]);
        u16::from_be_bytes([bytes[0], bytes[1]]) % BUCKETS
    }
}

fn wrap_data(purpose: Purpose) -> Vec<u8> {
    format!("postern data key\0{}", purpose.name()).into_bytes()
}

/// HMAC-SHA-256 over parts, each with its length before it, so that no two lists of parts collide.
fn mac(key: &Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&**key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn seal(key: &Key, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut sealed = vec![0; NONCE];
    // A random nonce of 192 bit does not repeat.
    fill_random(&mut sealed)?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let ciphertext = cipher
        .encrypt(XNonce::from_slice(&sealed), Payload { msg: plain, aad: associated })
        .map_err(|_| VaultError::Incomplete)?;
    sealed.extend(ciphertext);
    Ok(sealed)
}

fn unseal(key: &Key, sealed: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE)?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let payload = Payload { msg: ciphertext, aad: associated };
    cipher.decrypt(XNonce::from_slice(nonce), payload).ok().map(Zeroizing::new)
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
                "the master key in store.key_file does not open this store; put the key file that belongs to it back",
            ),
            VaultError::Incomplete => {
                f.write_str("the store lacks a data key; restore it together with its key file")
            }
            VaultError::Sealed(name) => write!(
                f,
                "the sealed secret of {name} was altered or moved in the store; restore the store, or disable and enrol {name} anew"
            ),
            VaultError::Secret(error) => write!(f, "a sealed secret is damaged: {error}"),
            VaultError::Random(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VaultError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::totp::{Algorithm, Moving};

    const PARAMETERS: Parameters =
        Parameters { algorithm: Algorithm::Sha1, digits: 6, moving: Moving::Time { period: 30 } };

    fn vault() -> Vault {
        let (masters, _) = MasterKeys::generate().unwrap();
        Vault::open(&masters, &Vault::create(&masters).unwrap()).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_only_where_it_belongs() {
        let (vault, secret) = (vault(), Secret::random().unwrap());
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let home = Binding { account: 1, name: &alice, parameters: PARAMETERS };
        let sealed = vault.seal(&secret, &home).unwrap();
        assert!(vault.unseal(&sealed, &home).unwrap() == secret);

        let eight = Parameters { digits: 8, ..PARAMETERS };
        for other in [
            Binding { account: 2, name: &alice, parameters: PARAMETERS },
            Binding { account: 1, name: &bob, parameters: PARAMETERS },
            Binding { account: 1, name: &alice, parameters: eight },
        ] {
            assert!(matches!(vault.unseal(&sealed, &other), Err(VaultError::Sealed(_))));
        }
        for position in [0, NONCE, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            assert!(vault.unseal(&altered, &home).is_err());
        }
        assert!(vault.unseal(&[], &home).is_err());
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let (masters, _) = MasterKeys::generate().unwrap();
        let (others, _) = MasterKeys::generate().unwrap();
        let wrapped = Vault::create(&masters).unwrap();
        assert!(matches!(Vault::open(&others, &wrapped), Err(VaultError::WrongKey)));
        assert!(matches!(Vault::open(&masters, &wrapped[1..]), Err(VaultError::Incomplete)));
    }

    #[test]
    fn data_keys_cannot_be_exchanged() {
        let (masters, _) = MasterKeys::generate().unwrap();
        let mut wrapped = Vault::create(&masters).unwrap();
        wrapped[0].purpose = Purpose::Recovery.name().to_owned();
        wrapped[1].purpose = Purpose::Seal.name().to_owned();
        assert!(matches!(Vault::open(&masters, &wrapped), Err(VaultError::WrongKey)));
    }

    #[test]
    fn a_recovery_hash_belongs_to_one_account() {
        let vault = vault();
        assert_eq!(vault.recovery_hash(1, "ABCDEFGH23"), vault.recovery_hash(1, "ABCDEFGH23"));
        assert_ne!(vault.recovery_hash(1, "ABCDEFGH23"), vault.recovery_hash(2, "ABCDEFGH23"));
    }

    #[test]
    fn eight_digits_have_the_fingerprint_of_six() {
        let (vault, secret) = (vault(), Secret::random().unwrap());
        let of = |parameters| vault.fingerprint(&secret, parameters);
        assert_eq!(of(PARAMETERS), of(Parameters { digits: 8, ..PARAMETERS }));
        assert_ne!(of(PARAMETERS), of(Parameters { moving: Moving::Time { period: 60 }, ..PARAMETERS }));
    }
}
