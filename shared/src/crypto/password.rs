//! Passwords of the built-in first factor: argon2id with a pepper (RFC 9106). The store keeps the
//! hash; the pepper is a data key and is kept wrapped.

mod guessable;

use super::vault::Vault;
use crate::system::random::{RandomError, fill_random};
use argon2::password_hash::{self, Output, PasswordHasher, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Shortest password that may be set, in characters (NIST SP 800-63B, section 5.1.1.2).
pub const SHORTEST: usize = 8;
/// Longest password that is hashed, in bytes.
pub const LONGEST: usize = 1024;

pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes an input of a login; `None` if no password can have this length.
    pub fn from_input(text: Zeroizing<String>) -> Option<Password> {
        (1..=LONGEST)
            .contains(&text.len())
            .then_some(Password(text))
    }

    /// Checks the length of a new password.
    pub fn new(text: Zeroizing<String>) -> Result<Password, PasswordError> {
        if text.chars().count() < SHORTEST {
            return Err(PasswordError::TooShort);
        }
        Password::from_input(text).ok_or(PasswordError::TooLong)
    }
}

/// A hash in the PHC string format.
#[derive(Clone)]
pub struct PasswordHash(pub(crate) String);

/// Hash that is verified for a name without one, in the same time. No password matches it.
const DECOY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Returns OWASP's recommendation for argon2id: 19 MiB, 2 passes, 1 lane.
fn recommended() -> Result<Params, PasswordError> {
    Params::new(19 * 1024, 2, 1, None).map_err(|_| PasswordError::Hashing)
}

fn argon2(pepper: &[u8], parameters: Params) -> Result<Argon2<'_>, PasswordError> {
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, parameters)
        .map_err(|_| PasswordError::Hashing)
}

/// Memory for hashing: allocated once, kept, and wiped after each hash. If it were allocated for
/// each hash, its address would depend on what was read before, and the time of a hash on its
/// address. That time once told names with a password from names without one.
#[derive(Default)]
pub struct HashingMemory(Vec<Block>);

impl HashingMemory {
    fn hash(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
    ) -> Result<Output, PasswordError> {
        self.0
            .resize(argon2.params().block_count(), Block::default());
        let length = argon2
            .params()
            .output_len()
            .unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let hashed = Output::init_with(length, |output| {
            Ok(argon2.hash_password_into_with_memory(password, salt, output, &mut self.0)?)
        });
        self.0.iter_mut().for_each(Zeroize::zeroize);
        hashed.map_err(|_| PasswordError::Hashing)
    }
}

impl Vault {
    /// Hashes a new password with a random salt.
    pub fn hash_password(&self, password: &Password) -> Result<PasswordHash, PasswordError> {
        let mut salt = [0; 16];
        fill_random(&mut salt)?;
        let salt = SaltString::encode_b64(&salt).map_err(|_| PasswordError::Hashing)?;
        let hash = argon2(self.pepper(), recommended()?)?
            .hash_password(password.0.as_bytes(), &salt)
            .map_err(|_| PasswordError::Hashing)?;
        Ok(PasswordHash(hash.to_string()))
    }

    /// Returns whether a password matches the hash. Without a hash it takes the same time and
    /// returns false.
    pub fn verify_password(
        &self,
        memory: &mut HashingMemory,
        typed: Option<&Password>,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, PasswordError> {
        let damaged = |_| PasswordError::Hashing;
        let hash = hash.map_or(DECOY_HASH, |hash| &hash.0);
        let kept = password_hash::PasswordHash::new(hash).map_err(damaged)?;
        let (Some(salt), Some(expected)) = (kept.salt, kept.hash) else {
            return Err(PasswordError::Hashing);
        };
        let mut salt_bytes = [0; Salt::MAX_LENGTH];
        let salt = salt.decode_b64(&mut salt_bytes).map_err(damaged)?;
        let bytes = typed.map_or(&b""[..], |password| password.0.as_bytes());
        let argon2 = argon2(self.pepper(), Params::try_from(&kept).map_err(damaged)?)?;
        // `Output` compares in constant time
        let equal = memory.hash(&argon2, bytes, salt)? == expected;
        Ok(equal && hash != DECOY_HASH && typed.is_some())
    }
}

/// Reason why a password cannot be set or verified.
#[derive(Debug)]
pub enum PasswordError {
    /// Fewer than [`SHORTEST`] characters.
    TooShort,
    /// More than [`LONGEST`] bytes.
    TooLong,
    /// One of the most common ones.
    Common,
    /// Made of the names of the account and the site.
    OfNames,
    /// A hash in the store is damaged.
    Hashing,
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
            PasswordError::Common => f.write_str(
                "the password is one of the most common ones, which are guessed first; choose another one",
            ),
            PasswordError::OfNames => f.write_str(
                "the password is made of the account's name or the site's, which are guessed first; choose another one",
            ),
            PasswordError::Hashing => f.write_str(
                "the hash of a password in the store is damaged; set the password again",
            ),
            PasswordError::Random(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PasswordError {}
