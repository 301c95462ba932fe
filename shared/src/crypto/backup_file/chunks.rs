//! The sealed chunks of a backup: each has its number, and whether it is the last, in its nonce. They
//! cannot be left out, exchanged, repeated, or cut off at the end (as in the STREAM construction of
//! Hoang, Reyhanitabar, Rogaway and Vizár).

use super::{BackupFileError, NONCE, TAG};
use crate::crypto::master_key::MasterKey;
use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use std::io::{Read, Write};
use zeroize::Zeroizing;

/// Bytes that one chunk holds, unsealed. Only the last one is shorter.
pub(super) const CHUNK: usize = 64 * 1024;

/// Returns the nonce of a chunk. The key is that of one file, so that no nonce repeats.
fn nonce(number: u64, is_last: bool) -> XNonce {
    let mut nonce = [0; NONCE];
    nonce[15..23].copy_from_slice(&number.to_be_bytes());
    nonce[23] = u8::from(is_last);
    nonce.into()
}

pub(super) fn seal(
    key: &MasterKey,
    input: &mut impl Read,
    output: &mut impl Write,
) -> Result<(), BackupFileError> {
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let (mut chunk, mut next) = (Zeroizing::new(Vec::new()), Zeroizing::new(Vec::new()));
    read_chunk(input, CHUNK, &mut chunk)?;
    for number in 0.. {
        read_chunk(input, CHUNK, &mut next)?;
        let is_last = next.is_empty();
        let tag = cipher
            .encrypt_in_place_detached(&nonce(number, is_last), b"", &mut chunk)
            .map_err(|_| BackupFileError::Damaged)?;
        output.write_all(&chunk)?;
        output.write_all(&tag)?;
        if is_last {
            break;
        }
        std::mem::swap(&mut chunk, &mut next);
    }
    Ok(output.flush()?)
}

pub(super) fn open(
    key: &MasterKey,
    input: &mut impl Read,
    output: &mut impl Write,
) -> Result<(), BackupFileError> {
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let (mut chunk, mut next) = (Zeroizing::new(Vec::new()), Zeroizing::new(Vec::new()));
    read_chunk(input, CHUNK + TAG, &mut chunk)?;
    for number in 0.. {
        read_chunk(input, CHUNK + TAG, &mut next)?;
        let is_last = next.is_empty();
        let length = chunk
            .len()
            .checked_sub(TAG)
            .ok_or(BackupFileError::Damaged)?;
        let (sealed, tag) = chunk.split_at_mut(length);
        cipher
            .decrypt_in_place_detached(&nonce(number, is_last), b"", sealed, Tag::from_slice(tag))
            .map_err(|_| BackupFileError::Damaged)?;
        output.write_all(sealed)?;
        if is_last {
            break;
        }
        std::mem::swap(&mut chunk, &mut next);
    }
    Ok(output.flush()?)
}

/// Reads a whole chunk, or what remains of the input.
fn read_chunk(
    input: &mut impl Read,
    length: usize,
    chunk: &mut Vec<u8>,
) -> Result<(), BackupFileError> {
    chunk.clear();
    chunk.reserve_exact(length);
    input.take(length as u64).read_to_end(chunk)?;
    Ok(())
}
