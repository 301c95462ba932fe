//! Break-glass codes: one-time codes that one host of a fleet verifies itself, while no server answers.
//!
//! A code has 100 random bits. That is why a fast keyed hash protects it: no one can try so many codes,
//! and a memory-hard function would make the host no safer, but would need time and memory in an
//! emergency, also for each wrong input of an unauthenticated client.

use super::recovery_code::{ALPHABET, RecoveryCode};
use crate::system::random::RandomError;
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const PREFIX: &str = "BG";
/// Characters after the prefix: 100 bits.
const LENGTH: usize = 20;
/// Most codes of a host.
pub const MOST: u32 = 20;
/// Codes of a host, unless the administrator says how many.
pub const DEFAULT_COUNT: u32 = 5;

/// A break-glass code, which is shown once.
pub struct BreakGlassCode(Zeroizing<String>);

impl BreakGlassCode {
    /// Longest text that is searched for a code at its end, in bytes.
    pub const LONGEST: usize = 128;

    /// Makes a random code.
    ///
    /// # Errors
    /// Those of the kernel's random number generator.
    pub fn random() -> Result<BreakGlassCode, RandomError> {
        let code = RecoveryCode::random(LENGTH)?;
        Ok(BreakGlassCode(Zeroizing::new(code.plain().to_owned())))
    }

    /// Parses an input. Blanks and dashes between the characters, and the case, do not count.
    pub fn parse(input: &[u8]) -> Option<BreakGlassCode> {
        let text = std::str::from_utf8(input).ok()?;
        let mut plain = Zeroizing::new(String::with_capacity(PREFIX.len() + LENGTH));
        for character in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            if plain.len() >= PREFIX.len() + LENGTH || !character.is_ascii() {
                return None;
            }
            plain.push(character.to_ascii_uppercase());
        }
        let code = plain.strip_prefix(PREFIX)?;
        let is_code = code.len() == LENGTH && code.bytes().all(|byte| ALPHABET.contains(&byte));
        is_code.then(|| BreakGlassCode(Zeroizing::new(code.to_owned())))
    }

    /// Returns the code with its prefix, in groups of five characters.
    pub fn grouped(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 * LENGTH));
        text.push_str(PREFIX);
        for (position, character) in self.0.chars().enumerate() {
            if position % 5 == 0 {
                text.push('-');
            }
            text.push(character);
        }
        text
    }

    /// Returns what the host with the key of this fingerprint verifies the code with. At another host,
    /// and for another key of the host, the same code has another hash.
    pub fn hash(&self, host: &[u8; 32]) -> BreakGlassHash {
        let mut mac = Hmac::<Sha256>::new_from_slice(host).expect("HMAC takes any key");
        mac.update(b"postern break-glass code\0");
        mac.update(self.0.as_bytes());
        BreakGlassHash(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for BreakGlassCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BreakGlassCode(…)")
    }
}

/// Keyed hash of a break-glass code, compared in constant time.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BreakGlassHash(pub [u8; 32]);

impl PartialEq for BreakGlassHash {
    fn eq(&self, other: &BreakGlassHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for BreakGlassHash {}

impl fmt::Debug for BreakGlassHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BreakGlassHash(…)")
    }
}

impl TryFrom<String> for BreakGlassHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<BreakGlassHash, Self::Error> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        hash.map(BreakGlassHash)
            .ok_or("must be 64 hexadecimal digits")
    }
}

impl From<BreakGlassHash> for String {
    fn from(hash: BreakGlassHash) -> String {
        HEXLOWER.encode(&hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_parsed_as_it_is_shown_and_as_it_is_typed() {
        let code = BreakGlassCode::random().unwrap();
        let shown = code.grouped();
        let lower = shown.to_ascii_lowercase();
        let blanks = format!(" {} ", shown.replace('-', " "));
        for typed in [shown.as_str(), &lower, &blanks, &shown.replace('-', "")] {
            let parsed = BreakGlassCode::parse(typed.as_bytes()).unwrap();
            assert!(parsed.hash(&[7; 32]) == code.hash(&[7; 32]), "{typed}");
        }
    }

    #[test]
    fn what_is_no_code_is_not_parsed() {
        let shown = BreakGlassCode::random().unwrap().grouped();
        let long = format!("{}A", shown.as_str());
        for typed in [
            "",
            "BG-",
            "123456",
            &shown[3..],
            &shown[..shown.len() - 1],
            long.as_str(),
            "BG-AAAAA-AAAAA-AAAAA-AAAA0",
            "BG-ÄAAAA-AAAAA-AAAAA-AAAAA",
            &"BG".repeat(100_000),
        ] {
            assert!(BreakGlassCode::parse(typed.as_bytes()).is_none(), "{typed}");
        }
        assert!(BreakGlassCode::parse(&[0xff; 22]).is_none());
    }

    #[test]
    fn a_code_has_another_hash_for_another_host() {
        let code = BreakGlassCode::random().unwrap();
        assert!(code.hash(&[1; 32]) != code.hash(&[2; 32]));
        let other = BreakGlassCode::random().unwrap();
        assert!(code.hash(&[1; 32]) != other.hash(&[1; 32]));
        let text = serde_json::to_string(&code.hash(&[1; 32])).unwrap();
        let parsed: BreakGlassHash = serde_json::from_str(&text).unwrap();
        assert!(parsed == code.hash(&[1; 32]));
        for text in ["\"\"", "\"00\"", "7", &text[1..]] {
            assert!(serde_json::from_str::<BreakGlassHash>(text).is_err());
        }
    }
}
