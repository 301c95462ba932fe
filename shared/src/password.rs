//! Passwords of the built-in first factor: argon2id with a pepper. The store keeps the hash, the pepper lies
//! sealed apart from it.

use crate::secret::{RandomError, fill_random};
use crate::vault::Vault;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::fmt;
use zeroize::Zeroizing;

/// The shortest password that may be set, in characters (NIST SP 800-63B, 5.1.1.2).
pub const SHORTEST: usize = 8;
/// The longest password that is looked at, in bytes.
pub const LONGEST: usize = 1024;

/// A password as typed.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes what was typed at a sign-in; `None` for what nobody can have set.
    pub fn typed(text: Zeroizing<String>) -> Option<Password> {
        (1..=LONGEST).contains(&text.len()).then_some(Password(text))
    }

    /// Takes a new password.
    pub fn new(text: Zeroizing<String>) -> Result<Password, PasswordError> {
        if text.chars().count() < SHORTEST {
            return Err(PasswordError::TooShort);
        }
        Password::typed(text).ok_or(PasswordError::TooLong)
    }
}

/// A password's hash, in the PHC string format.
#[derive(Clone)]
pub struct Hash(pub(crate) String);

/// OWASP's recommendation for argon2id: 19 MiB, 2 passes, 1 lane.
fn argon2(pepper: &[u8]) -> Result<Argon2<'_>, PasswordError> {
    let parameters = Params::new(19 * 1024, 2, 1, None).map_err(|_| PasswordError::Hashing)?;
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, parameters)
        .map_err(|_| PasswordError::Hashing)
}

impl Vault {
    /// Hashes a new password.
    pub fn hash_password(&self, password: &Password) -> Result<Hash, PasswordError> {
        let mut salt = [0; 16];
        fill_random(&mut salt)?;
        let salt = SaltString::encode_b64(&salt).map_err(|_| PasswordError::Hashing)?;
        let hash = argon2(self.pepper())?
            .hash_password(password.0.as_bytes(), &salt)
            .map_err(|_| PasswordError::Hashing)?;
        Ok(Hash(hash.to_string()))
    }

    /// Whether a typed password is the one that was hashed. Without a hash it takes as long, and says no.
    pub fn verify_password(
        &self,
        typed: Option<&Password>,
        hash: Option<&Hash>,
    ) -> Result<bool, PasswordError> {
        const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let against =
            PasswordHash::new(hash.map_or(NOBODYS, |hash| &hash.0)).map_err(|_| PasswordError::Hashing)?;
        let bytes = typed.map_or(&b""[..], |password| password.0.as_bytes());
        let equal = argon2(self.pepper())?.verify_password(bytes, &against).is_ok();
        Ok(equal && hash.is_some() && typed.is_some())
    }
}

/// Why a password cannot be set or checked.
#[derive(Debug)]
pub enum PasswordError {
    /// Fewer than [`SHORTEST`] characters.
    TooShort,
    /// More than [`LONGEST`] bytes.
    TooLong,
    /// A kept hash is damaged.
    Hashing,
    /// No random numbers.
    Random(RandomError),
}

impl From<RandomError> for PasswordError {
    fn from(error: RandomError) -> PasswordError {
        PasswordError::Random(error)
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordError::TooShort => write!(f, "a password has at least {SHORTEST} characters"),
            PasswordError::TooLong => write!(f, "a password has at most {LONGEST} bytes"),
            PasswordError::Hashing => {
                f.write_str("a password's hash in the store is damaged; set the password anew")
            }
            PasswordError::Random(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PasswordError {}
