//! The file of a backup: a header, then the store, sealed in chunks. The key of the chunks is derived
//! from a master key and the whole header, so that an altered header opens nothing. The file may
//! contain the key file, sealed with a passphrase.
//!
//! MUST NOT keep more than two chunks in memory, whatever a file declares. MUST NOT report success
//! before the last chunk was opened as the last one: a truncated file is refused.

mod chunks;
mod error;

pub use error::BackupFileError;

use super::master_key::{LARGEST, MasterKey, MasterKeyId, MasterKeys};
use crate::system::clock::Timestamp;
use crate::system::random::fill_random;
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::io::{Read, Write};
use zeroize::Zeroizing;

const MAGIC: &[u8; 15] = b"postern backup\n";
/// Version of this format.
const FORMAT: u8 = 1;
const SALT: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;
/// Length of the header without the sealed key file.
const FIXED: usize = MAGIC.len() + 1 + 8 + 4 + 8 + SALT + 2;
/// Shortest passphrase for the key file, in characters.
const SHORTEST_PASSPHRASE: usize = 12;
/// Longest passphrase that is hashed, in bytes.
const LONGEST_PASSPHRASE: usize = 1024;

/// The part of a backup that is not sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupHeader {
    pub created: Timestamp,
    /// Version of the store in the backup.
    pub store_version: u32,
    /// The master key that opens the backup.
    pub master: MasterKeyId,
    salt: [u8; SALT],
    /// The key file, sealed with a passphrase; empty in a backup without it.
    sealed_key_file: Vec<u8>,
}

impl BackupHeader {
    /// Makes the header of a new backup that the newest master key opens.
    pub fn new(
        masters: &MasterKeys,
        created: Timestamp,
        store_version: u32,
        passphrase: Option<&str>,
    ) -> Result<BackupHeader, BackupFileError> {
        let mut header = BackupHeader {
            created,
            store_version,
            master: masters.newest().0,
            salt: [0; SALT],
            sealed_key_file: Vec::new(),
        };
        fill_random(&mut header.salt)?;
        if let Some(passphrase) = passphrase {
            check_passphrase(passphrase)?;
            let mut sealed = vec![0; NONCE];
            fill_random(&mut sealed)?;
            let bound = header.fixed_bytes(0);
            let text = masters.to_text();
            let payload = Payload {
                msg: text.as_bytes(),
                aad: &bound,
            };
            let cipher = header.passphrase_cipher(passphrase)?;
            let ciphertext = cipher
                .encrypt(XNonce::from_slice(&sealed), payload)
                .map_err(|_| BackupFileError::Passphrase)?;
            sealed.extend(ciphertext);
            header.sealed_key_file = sealed;
        }
        Ok(header)
    }

    /// Reads the header of a backup.
    ///
    /// # Errors
    /// The file is no backup, or one of a newer format.
    pub fn read(input: &mut impl Read) -> Result<BackupHeader, BackupFileError> {
        let mut begin = [0; MAGIC.len() + 1];
        read_exact(input, &mut begin)?;
        let (magic, format) = begin.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(BackupFileError::NotABackup);
        }
        if format != [FORMAT] {
            return Err(BackupFileError::Format(format[0]));
        }
        let created = u64::from_be_bytes(read_array(input)?);
        let store_version = u32::from_be_bytes(read_array(input)?);
        let master = read_array(input)?;
        let salt = read_array(input)?;
        let length = usize::from(u16::from_be_bytes(read_array(input)?));
        if length > longest_key_section() || (length > 0 && length < NONCE + TAG) {
            return Err(BackupFileError::Damaged);
        }
        let mut sealed_key_file = vec![0; length];
        read_exact(input, &mut sealed_key_file)?;
        Ok(BackupHeader {
            created: Timestamp(created),
            store_version,
            master,
            salt,
            sealed_key_file,
        })
    }

    /// Whether the backup contains the key file.
    pub fn contains_key_file(&self) -> bool {
        !self.sealed_key_file.is_empty()
    }

    /// Returns the content of the key file.
    ///
    /// # Errors
    /// The backup does not contain it, or the passphrase is another one.
    pub fn open_key_file(&self, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, BackupFileError> {
        let (nonce, ciphertext) = self
            .sealed_key_file
            .split_at_checked(NONCE)
            .ok_or(BackupFileError::NoKeyFile)?;
        if passphrase.len() > LONGEST_PASSPHRASE {
            return Err(BackupFileError::Passphrase);
        }
        let payload = Payload {
            msg: ciphertext,
            aad: &self.fixed_bytes(0),
        };
        self.passphrase_cipher(passphrase)?
            .decrypt(XNonce::from_slice(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| BackupFileError::Passphrase)
    }

    /// Writes the header and everything that `input` gives, sealed.
    pub fn seal(
        &self,
        masters: &MasterKeys,
        input: &mut impl Read,
        output: &mut impl Write,
    ) -> Result<(), BackupFileError> {
        let key = self.chunk_key(masters)?;
        output.write_all(&self.bytes())?;
        chunks::seal(&key, input, output)
    }

    /// Opens what follows the header in `input`. What was written to `output` MUST NOT be used
    /// before this has returned.
    ///
    /// # Errors
    /// The file was altered or truncated, or `masters` lacks its key.
    pub fn open(
        &self,
        masters: &MasterKeys,
        input: &mut impl Read,
        output: &mut impl Write,
    ) -> Result<(), BackupFileError> {
        chunks::open(&self.chunk_key(masters)?, input, output)
    }

    /// Returns the key of the chunks of this one file.
    fn chunk_key(&self, masters: &MasterKeys) -> Result<MasterKey, BackupFileError> {
        let Some(master) = masters.find(&self.master) else {
            return Err(BackupFileError::OtherKey {
                needed: key_fingerprint(&self.master),
                found: masters.ids().iter().map(key_fingerprint).collect(),
            });
        };
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&**master)
            .expect("HMAC takes keys of any length");
        mac.update(b"postern backup chunks\0");
        mac.update(&self.bytes());
        let mut key = MasterKey::default();
        key.copy_from_slice(&mac.finalize().into_bytes());
        Ok(key)
    }

    /// Hashes a passphrase with argon2id, with the parameters that RFC 9106, section 4, recommends
    /// where memory is limited; in one lane.
    fn passphrase_cipher(&self, passphrase: &str) -> Result<XChaCha20Poly1305, BackupFileError> {
        let mut key = MasterKey::default();
        let hashed = Params::new(64 * 1024, 3, 1, Some(key.len())).and_then(|parameters| {
            Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters).hash_password_into(
                passphrase.as_bytes(),
                &self.salt,
                &mut *key,
            )
        });
        hashed.map_err(|_| BackupFileError::Passphrase)?;
        Ok(XChaCha20Poly1305::new((&*key).into()))
    }

    fn fixed_bytes(&self, key_section: u16) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED + self.sealed_key_file.len());
        bytes.extend_from_slice(MAGIC);
        bytes.push(FORMAT);
        bytes.extend(self.created.0.to_be_bytes());
        bytes.extend(self.store_version.to_be_bytes());
        bytes.extend(self.master);
        bytes.extend(self.salt);
        bytes.extend(key_section.to_be_bytes());
        bytes
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u16::try_from(self.sealed_key_file.len())
            .expect("a key file has at most LARGEST bytes");
        let mut bytes = self.fixed_bytes(length);
        bytes.extend(&self.sealed_key_file);
        bytes
    }
}

/// Refuses a passphrase that protects too little: a thief of the file can try as many as they like.
///
/// # Errors
/// It has fewer than 12 characters, or more than 1024 bytes.
pub fn check_passphrase(passphrase: &str) -> Result<(), BackupFileError> {
    match passphrase.chars().count() >= SHORTEST_PASSPHRASE {
        true if passphrase.len() <= LONGEST_PASSPHRASE => Ok(()),
        _ => Err(BackupFileError::WeakPassphrase {
            shortest: SHORTEST_PASSPHRASE,
        }),
    }
}

/// Returns the identifier of a master key as people compare it.
pub fn key_fingerprint(id: &MasterKeyId) -> String {
    HEXLOWER.encode(id)
}

fn longest_key_section() -> usize {
    NONCE + TAG + LARGEST as usize
}

/// Reads exactly as many bytes. The end of the file means that it was truncated.
fn read_exact(input: &mut impl Read, bytes: &mut [u8]) -> Result<(), BackupFileError> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => BackupFileError::Damaged,
        _ => BackupFileError::Io(error),
    })
}

fn read_array<const N: usize>(input: &mut impl Read) -> Result<[u8; N], BackupFileError> {
    let mut bytes = [0; N];
    read_exact(input, &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
