//! What a prompt shows for its approval at the web: the characters at the end of an address, and a
//! number that is compared. The store keeps only keyed hashes of them, made by [`crate::crypto::vault`].

use super::recovery_code::{ALPHABET, random};
use crate::system::random::{RandomError, random_bytes};
use std::fmt;
use zeroize::Zeroizing;

/// Characters at the end of the address: 50 bits.
const LENGTH: usize = 10;
/// The smallest and the largest number, both of two digits.
const NUMBERS: std::ops::RangeInclusive<u8> = 10..=99;

/// The characters at the end of the address of one request.
#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalCode(Zeroizing<String>);

impl ApprovalCode {
    pub(crate) fn random() -> Result<ApprovalCode, RandomError> {
        Ok(ApprovalCode(random(LENGTH)?))
    }

    /// Parses the characters of an address, in upper or lower case.
    pub fn parse(text: &str) -> Option<ApprovalCode> {
        let text = Zeroizing::new(text.to_ascii_uppercase());
        let is_code = text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte));
        is_code.then_some(ApprovalCode(text))
    }

    pub fn plain(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApprovalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApprovalCode(…)")
    }
}

/// The number of two digits that a prompt shows, and that its user types at the web.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ApprovalNumber(u8);

impl ApprovalNumber {
    pub(crate) fn random() -> Result<ApprovalNumber, RandomError> {
        let count = NUMBERS.end() - NUMBERS.start() + 1;
        // the largest multiple of the count that fits, so that all numbers are equally likely
        let limit = u8::MAX - u8::MAX % count;
        loop {
            let [byte] = random_bytes::<1>()?;
            if byte < limit {
                return Ok(ApprovalNumber(NUMBERS.start() + byte % count));
            }
        }
    }

    /// Parses two digits, with blanks around them.
    pub fn parse(text: &str) -> Option<ApprovalNumber> {
        let text = text.trim();
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| text.parse().ok())??;
        NUMBERS.contains(&number).then_some(ApprovalNumber(number))
    }

    pub fn value(self) -> u8 {
        self.0
    }
}

impl fmt::Debug for ApprovalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApprovalNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_in_either_case_and_nothing_else_is_one() {
        let code = ApprovalCode::random().unwrap();
        let typed = code.plain().to_ascii_lowercase();
        assert_eq!(ApprovalCode::parse(&typed), Some(code));
        for text in [
            "",
            "ABCDEFGHJ",
            "ABCDEFGHJKL",
            "ABCDEFGHJ0",
            "ABCDEFGHJ/",
            "ABCDEFGHÄ",
        ] {
            assert_eq!(ApprovalCode::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_has_two_digits_and_every_one_occurs() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..10_000 {
            seen.insert(ApprovalNumber::random().unwrap().value());
        }
        assert_eq!(
            seen.into_iter().collect::<Vec<_>>(),
            (10..=99).collect::<Vec<_>>()
        );
        assert_eq!(
            ApprovalNumber::parse(" 42 ").map(ApprovalNumber::value),
            Some(42)
        );
        for text in ["", "7", "07", "100", "+7", "4 2", "4a", "٤٢"] {
            assert!(ApprovalNumber::parse(text).is_none(), "{text}");
        }
    }
}
