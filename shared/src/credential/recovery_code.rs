//! Recovery codes, and the one-time codes of administrators, which are made of the same characters: their alphabet,
//! their making, the groups in which people read them. What the store keeps of them is made by [`crate::crypto::vault`].

use super::secret::{RandomError, fill_random};
use std::fmt;
use zeroize::Zeroizing;

/// 32 characters, 5 bits each, without look-alikes: neither 0 nor O, neither 1 nor I.
pub(crate) const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// The shortest code that may be configured, in characters.
pub const SHORTEST: usize = 10;
/// The longest code that may be configured, in characters.
pub const LONGEST: usize = 32;
/// The least entropy, in bits, that one guess at a set of codes must meet.
pub const LEAST_BITS: f64 = 47.0;

/// Characters of a one-time code after its mark: 60 bits.
const ONE_TIME: usize = 12;

/// What one guess at a set of `count` codes of `length` characters is up against, in bits.
pub fn bits_per_guess(count: u32, length: u32) -> f64 {
    f64::from(length) * 5.0 - f64::from(count).log2()
}

/// A recovery code as it is shown once.
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// A new random code of `length` characters, at least one of them a letter.
    pub fn random(length: usize) -> Result<RecoveryCode, RandomError> {
        loop {
            let code = random(length)?;
            if looks_like_recovery_code(&code) {
                return Ok(RecoveryCode(code));
            }
        }
    }

    /// A new set of `count` codes.
    pub fn random_set(count: u32, length: usize) -> Result<Vec<RecoveryCode>, RandomError> {
        (0..count).map(|_| RecoveryCode::random(length)).collect()
    }

    /// One that was made earlier, and sealed.
    pub(crate) fn from_plain(plain: Zeroizing<String>) -> RecoveryCode {
        RecoveryCode(plain)
    }

    /// The characters without dashes, as [`super::input::Answer`] normalises what is typed.
    pub fn plain(&self) -> &str {
        &self.0
    }

    /// The code in groups of five, as people read it.
    pub fn grouped(&self) -> Zeroizing<String> {
        grouped(&self.0, 5)
    }
}

/// An administrator's one-time code as it is shown once.
pub struct OneTimeCode(Zeroizing<String>);

impl OneTimeCode {
    /// A new random one.
    pub fn random() -> Result<OneTimeCode, RandomError> {
        Ok(OneTimeCode(random(ONE_TIME)?))
    }

    /// The characters without mark and dashes, as [`super::input::Answer`] normalises what is typed.
    pub fn plain(&self) -> &str {
        &self.0
    }

    /// The code with its mark, in groups of four, as people read it.
    pub fn grouped(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("P-{}", grouped(&self.0, 4).as_str()))
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeCode(…)")
    }
}

fn random(length: usize) -> Result<Zeroizing<String>, RandomError> {
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

/// What stands behind the mark of a one-time code, if text begins with one.
pub fn strip_mark(text: &str) -> Option<&str> {
    text.trim_start()
        .strip_prefix(['P', 'p'])?
        .trim_start()
        .strip_prefix('-')
}

/// Whether normalised text behind a mark could be a one-time code.
pub fn looks_like_one_time_code(plain: &str) -> bool {
    plain.len() == ONE_TIME && plain.bytes().all(|b| ALPHABET.contains(&b))
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// Whether normalised text could be a recovery code of any configured length.
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
    fn a_one_time_code_is_shown_with_its_mark() {
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
