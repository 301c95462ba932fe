//! Secrets of authenticators: wiped when dropped, never printed.

use super::error::OtpError;
use crate::system::random::{RandomError, fill_random};
use data_encoding::{BASE32_NOPAD, Encoding, HEXLOWER_PERMISSIVE};
use std::fmt;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Shortest secret of an authenticator, in bytes (RFC 4226, section 4, R6: 128 bits).
pub const SHORTEST: usize = 16;
/// Shortest secret that is imported, in bytes: other systems made secrets of 80 bits.
pub const SHORTEST_IMPORTED: usize = 10;
/// Longest secret of an authenticator, in bytes.
pub const LONGEST: usize = 128;
/// Length of a new secret in bytes: 160 bits, as RFC 4226, section 4, R6 recommends.
pub const NEW: usize = 20;

/// Base32 whose last character may have bits that belong to no byte. They are ignored, as oathtool
/// ignores them.
static BASE32_WITH_SPARE_BITS: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = BASE32_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification
        .encoding()
        .expect("Base32 without that check is an encoding")
});

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Makes a random secret of 160 bits.
    pub fn random() -> Result<Secret, RandomError> {
        let mut bytes = Zeroizing::new(vec![0; NEW]);
        fill_random(&mut bytes)?;
        Ok(Secret(bytes))
    }

    /// Checks the length of bytes that were decoded.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Secret, OtpError> {
        Secret::from_imported_bytes(bytes)?.check_recommended()
    }

    /// Checks the length of bytes that were unsealed, or that another system stored.
    pub fn from_imported_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Secret, OtpError> {
        match bytes.len() {
            SHORTEST_IMPORTED..=LONGEST => Ok(Secret(bytes)),
            _ => Err(OtpError::Length),
        }
    }

    /// Refuses an imported secret that is shorter than RFC 4226 requires.
    pub fn check_recommended(self) -> Result<Secret, OtpError> {
        if self.is_short() {
            return Err(OtpError::Length);
        }
        Ok(self)
    }

    /// Returns whether it has fewer than the 128 bits that RFC 4226 requires.
    pub fn is_short(&self) -> bool {
        self.0.len() < SHORTEST
    }

    /// Parses Base32 (RFC 4648, section 6) in any case, with blanks, dashes or padding.
    pub fn from_base32(text: &str) -> Result<Secret, OtpError> {
        Secret::from_imported_base32(text)?.check_recommended()
    }

    /// Parses Base32 as [`Secret::from_base32`], of an imported secret.
    pub fn from_imported_base32(text: &str) -> Result<Secret, OtpError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
        plain.extend(
            text.bytes()
                .filter(|b| !b.is_ascii_whitespace() && !matches!(b, b'-' | b'='))
                .map(|b| b.to_ascii_uppercase()),
        );
        let bytes = BASE32_WITH_SPARE_BITS
            .decode(&plain)
            .map_err(|_| OtpError::NotBase32)?;
        Secret::from_imported_bytes(Zeroizing::new(bytes))
    }

    /// Parses the seed of a hardware token: hex (an even number of digits and nothing else) or
    /// Base32. The prefix `hex:` or `base32:` decides where it could be both.
    pub fn from_seed(text: &str) -> Result<Secret, OtpError> {
        let text = text.trim();
        if let Some(base32) = text.strip_prefix("base32:") {
            return Secret::from_base32(base32);
        }
        let (hex, is_marked) = text
            .strip_prefix("hex:")
            .map_or((text, false), |hex| (hex, true));
        let mut plain = Zeroizing::new(Vec::with_capacity(hex.len()));
        plain.extend(
            hex.bytes()
                .filter(|b| !b.is_ascii_whitespace() && !matches!(b, b'-' | b':')),
        );
        match HEXLOWER_PERMISSIVE.decode(&plain) {
            Ok(bytes) => Secret::from_bytes(Zeroizing::new(bytes)),
            Err(_) if is_marked => Err(OtpError::NotHex),
            Err(_) => Secret::from_base32(text),
        }
    }

    /// Returns the secret as Base32 without padding, to be shown once.
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(&self.0))
    }

    /// Returns the bytes, for the HMAC and for sealing.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Returns a secret in Base32 in groups of four letters, as people copy it by hand. Authenticator
/// apps ignore the spaces.
pub fn group_by_four(base32: &str) -> Zeroizing<String> {
    let mut grouped = Zeroizing::new(String::with_capacity(base32.len() * 2));
    for (at, letter) in base32.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(letter);
    }
    grouped
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_hex_or_base32() {
        let digits = b"12345678901234567890";
        for seed in [
            "3132333435363738393031323334353637383930",
            "31 32 33 34 35 36 37 38 39 30-31:32:33:34:35:36:37:38:39:30\n",
            "hex:3132333435363738393031323334353637383930",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "base32:gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
        ] {
            assert_eq!(Secret::from_seed(seed).unwrap().expose(), digits, "{seed}");
        }
        let marked = Secret::from_seed("base32:ABCDEFABCDEFABCDEFABCDEFABCDEFAB");
        assert_eq!(marked.unwrap().expose().len(), 20);
        for (seed, why) in [
            ("hex:GEZD", OtpError::NotHex),
            ("0123456789abcde", OtpError::NotBase32),
            ("31323334", OtpError::Length),
            ("", OtpError::Length),
        ] {
            assert_eq!(Secret::from_seed(seed), Err(why), "{seed}");
        }
    }

    #[test]
    fn base32_is_parsed_in_any_notation() {
        let secret = Secret::from_base32("gezd gnbv-GY3TQOJQ GEZDGNBVGY3TQOJQ====").unwrap();
        assert_eq!(secret.expose(), b"12345678901234567890");
        assert_eq!(
            secret.to_base32().as_str(),
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        );
    }

    #[test]
    fn short_long_and_broken_secrets_are_refused() {
        assert_eq!(Secret::from_base32("GEZDGNBV"), Err(OtpError::Length));
        assert_eq!(
            Secret::from_base32(&"GEZDGNBV".repeat(40)),
            Err(OtpError::Length)
        );
        assert_eq!(Secret::from_base32("0189!"), Err(OtpError::NotBase32));
    }

    #[test]
    fn spare_bits_of_the_last_character_are_ignored() {
        let exact = Secret::from_base32("WPYVHDTMXW2OUSRHQOXG4N74EY").unwrap();
        let spare = Secret::from_base32("WPYVHDTMXW2OUSRHQOXG4N74EZ").unwrap();
        assert!(exact == spare && exact.to_base32() == spare.to_base32());
    }

    #[test]
    fn a_short_secret_is_only_imported() {
        let imported = Secret::from_imported_base32("GEZDGNBVGY3TQOJQ").unwrap();
        assert!(imported.is_short());
        assert_eq!(
            Secret::from_base32("GEZDGNBVGY3TQOJQ"),
            Err(OtpError::Length)
        );
    }

    #[test]
    fn a_secret_cannot_be_printed() {
        assert_eq!(format!("{:?}", Secret::random().unwrap()), "Secret(…)");
    }
}
