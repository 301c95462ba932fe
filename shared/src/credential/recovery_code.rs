//! Recovery codes and the one-time codes of administrators, which have the same alphabet: how they
//! are made and shown. The store keeps only keyed hashes of them, made by [`crate::crypto::vault`].

use crate::system::random::{RandomError, fill_random};
use std::fmt;
use zeroize::Zeroizing;

/// 32 characters of 5 bits each. None is easily confused with another: there is no 0 and no O, no 1
/// and no I.
pub(crate) const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Shortest recovery code that may be configured, in characters.
pub const SHORTEST: usize = 10;
/// Longest recovery code that may be configured, in characters.
pub const LONGEST: usize = 32;
/// Least entropy in bits that protects a set of codes from one guess.
pub const LEAST_BITS: f64 = 47.0;

/// Characters of a one-time code after its `P-`: 60 bits.
const ONE_TIME: usize = 12;

/// Returns the entropy in bits that protects a set of `count` codes of `length` characters from one
/// guess.
pub fn bits_per_guess(count: u32, length: u32) -> f64 {
    f64::from(length) * 5.0 - f64::from(count).log2()
}

/// A recovery code, which is shown once.
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// Makes a random code of `length` characters, at least one of them a letter.
    pub fn random(length: usize) -> Result<RecoveryCode, RandomError> {
        loop {
            let code = random(length)?;
            if looks_like_recovery_code(&code) {
                return Ok(RecoveryCode(code));
            }
        }
    }

    /// Makes a set of `count` random codes.
    pub fn random_set(count: u32, length: usize) -> Result<Vec<RecoveryCode>, RandomError> {
        (0..count).map(|_| RecoveryCode::random(length)).collect()
    }

    /// Restores a code that was made earlier and sealed.
    pub(crate) fn from_plain(plain: Zeroizing<String>) -> RecoveryCode {
        RecoveryCode(plain)
    }

    /// Returns the characters without dashes, as [`super::input::Input`] normalises an input.
    pub fn plain(&self) -> &str {
        &self.0
    }

    /// Returns the code in groups of five characters.
    pub fn grouped(&self) -> Zeroizing<String> {
        grouped(&self.0, 5)
    }
}

/// An administrator's one-time code, which is shown once.
pub struct OneTimeCode(Zeroizing<String>);

impl OneTimeCode {
    pub fn random() -> Result<OneTimeCode, RandomError> {
        Ok(OneTimeCode(random(ONE_TIME)?))
    }

    /// Returns the characters without `P-` and dashes, as [`super::input::Input`] normalises an
    /// input.
    pub fn plain(&self) -> &str {
        &self.0
    }

    /// Returns the code with its `P-`, in groups of four characters.
    pub fn grouped(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("P-{}", grouped(&self.0, 4).as_str()))
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode(…)")
    }
}

pub(super) fn random(length: usize) -> Result<Zeroizing<String>, RandomError> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    fill_random(&mut bytes)?;
    Ok(Zeroizing::new(
        bytes
            .iter()
            .map(|b| char::from(ALPHABET[usize::from(b & 31)]))
            .collect(),
    ))
}

fn grouped(plain: &str, size: usize) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(plain.len() * 2));
    for (i, c) in plain.chars().enumerate() {
        if i > 0 && i % size == 0 {
            text.push('-');
        }
        text.push(c);
    }
    text
}

/// Returns the text after the `P-` of a one-time code, if it begins with one.
pub fn strip_one_time_prefix(text: &str) -> Option<&str> {
    text.trim_start()
        .strip_prefix(['P', 'p'])?
        .trim_start()
        .strip_prefix('-')
}

/// Returns whether a normalised text after `P-` has the shape of a one-time code.
pub fn looks_like_one_time_code(plain: &str) -> bool {
    plain.len() == ONE_TIME && plain.bytes().all(|b| ALPHABET.contains(&b))
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// Returns whether a normalised text has the shape of a recovery code of any configurable length.
pub fn looks_like_recovery_code(plain: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&plain.len())
        && plain.bytes().all(|b| ALPHABET.contains(&b))
        && plain.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_differ_and_hold_a_letter() {
        let codes: Vec<_> = (0..200)
            .map(|_| RecoveryCode::random(10).unwrap())
            .collect();
        assert!(
            codes
                .iter()
                .all(|c| c.plain().len() == 10 && looks_like_recovery_code(c.plain()))
        );
        let distinct: std::collections::HashSet<_> =
            codes.iter().map(RecoveryCode::plain).collect();
        assert_eq!(distinct.len(), codes.len());
    }

    #[test]
    fn codes_are_shown_in_groups() {
        let code = RecoveryCode::random(12).unwrap();
        let grouped = code.grouped();
        assert_eq!(
            grouped.split('-').map(str::len).collect::<Vec<_>>(),
            [5, 5, 2]
        );
        assert_eq!(grouped.replace('-', ""), code.plain());
    }

    #[test]
    fn a_one_time_code_is_shown_with_its_prefix() {
        let code = OneTimeCode::random().unwrap();
        let grouped = code.grouped();
        assert_eq!(
            grouped.split('-').map(str::len).collect::<Vec<_>>(),
            [1, 4, 4, 4]
        );
        assert!(looks_like_one_time_code(code.plain()));
    }

    #[test]
    fn the_defaults_leave_47_bits() {
        assert!(bits_per_guess(6, 10) >= LEAST_BITS);
        assert!(bits_per_guess(8, 10) >= LEAST_BITS);
        assert!(bits_per_guess(9, 10) < LEAST_BITS);
    }
}
