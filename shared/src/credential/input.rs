//! The input of a prompt. Its shape alone identifies the credential. Digits are a code. Letters and
//! digits of the recovery alphabet with at least one letter are a recovery code. `P-` and twelve of
//! these characters are an administrator's one-time code. Any other text is malformed.

mod ending;

pub use ending::InputReading;
pub(crate) use ending::{LENGTHS, code_length_at_end};

use super::app_password::AppPassword;
use super::recovery_code;
use zeroize::{Zeroize, Zeroizing};

/// Longest input that is parsed, in bytes.
pub const LONGEST: usize = 512;

/// One input, normalised: without blanks and dashes, recovery codes in upper case.
pub enum Input {
    /// Digits, compared with every active authenticator as one try.
    Digits(Zeroizing<String>),
    RecoveryCode(Zeroizing<String>),
    /// An administrator's one-time code without its `P-`.
    OneTimeCode(Zeroizing<String>),
    /// No credential has this shape, so the input has no cost: an empty input, the filler that sshd
    /// sends for an unknown user, a password.
    Malformed,
}

impl Input {
    /// Returns whether the input has the shape of a recovery code or a one-time code.
    pub fn is_recovery(&self) -> bool {
        matches!(self, Input::RecoveryCode(_) | Input::OneTimeCode(_))
    }

    /// Parses the bytes of the input.
    pub fn parse(typed: &[u8]) -> Input {
        if typed.len() > LONGEST {
            return Input::Malformed;
        }
        let Ok(text) = std::str::from_utf8(typed) else {
            return Input::Malformed;
        };
        let after_prefix = recovery_code::strip_one_time_prefix(text);
        let mut plain = Zeroizing::new(String::with_capacity(text.len()));
        plain.extend(
            after_prefix
                .unwrap_or(text)
                .chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .map(|c| digit_value(c).map_or(c, |digit| char::from(b'0' + digit))),
        );
        if after_prefix.is_some() {
            plain.make_ascii_uppercase();
            return if recovery_code::looks_like_one_time_code(&plain) {
                Input::OneTimeCode(plain)
            } else {
                Input::Malformed
            };
        }
        if !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit()) {
            return Input::Digits(plain);
        }
        plain.make_ascii_uppercase();
        if recovery_code::looks_like_recovery_code(&plain) {
            return Input::RecoveryCode(plain);
        }
        plain.zeroize();
        Input::Malformed
    }
}

/// Returns the number of bytes at the end of an input that can be a code or an app password, whatever
/// the account; 0 if none can. A host of a fleet sends no others to a server.
pub fn possible_code_length(typed: &[u8], reading: InputReading) -> usize {
    if typed.len() > LONGEST {
        return 0;
    }
    let text = Zeroizing::new(String::from_utf8_lossy(typed).into_owned());
    if AppPassword::parse(&text).is_ok() {
        return typed.len();
    }
    match reading {
        // its bytes are those of `typed`: what cannot be decoded is no digit and no letter
        InputReading::CodeAtEnd => code_length_at_end(&text, &LENGTHS),
        InputReading::Whole => match Input::parse(typed) {
            // one code, or two that follow one another, of a counter
            Input::Digits(digits) => match matches!(digits.len(), 6 | 8 | 12 | 16) {
                true => typed.len(),
                false => 0,
            },
            Input::RecoveryCode(_) | Input::OneTimeCode(_) => typed.len(),
            Input::Malformed => 0,
        },
    }
}

/// Returns the value of a decimal digit: ASCII, or Arabic, Persian and full-width, which keyboards
/// of these scripts type.
fn digit_value(c: char) -> Option<u8> {
    let zero = match c {
        '0'..='9' => '0',
        '\u{660}'..='\u{669}' => '\u{660}',
        '\u{6f0}'..='\u{6f9}' => '\u{6f0}',
        '\u{ff10}'..='\u{ff19}' => '\u{ff10}',
        _ => return None,
    };
    u8::try_from(u32::from(c) - u32::from(zero)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn digits(typed: &str, expected: &str) {
        match Input::parse(typed.as_bytes()) {
            Input::Digits(code) => assert_eq!(code.as_str(), expected),
            _ => panic!("{typed:?} is not read as digits"),
        }
    }

    #[test]
    fn blanks_and_dashes_in_a_code_do_not_count() {
        for typed in [
            "000042",
            "000 042",
            "000-042",
            " 000042 ",
            "00 00 42",
            "000\u{a0}042",
        ] {
            digits(typed, "000042");
        }
    }

    #[test]
    fn a_password_is_no_possible_code() {
        let whole = |typed: &str| possible_code_length(typed.as_bytes(), InputReading::Whole);
        let at_end = |typed: &str| possible_code_length(typed.as_bytes(), InputReading::CodeAtEnd);
        for code in [
            "123456",
            "123 456",
            "12345678",
            "abcde-fghjk",
            "P-ABCD-2345-FHJK",
        ] {
            assert_eq!(whole(code), code.len(), "{code}");
        }
        for password in [
            "",
            "hunter2",
            "1234567",
            "1234567890",
            "correct horse",
            "m\u{fffd}",
        ] {
            assert_eq!(whole(password), 0, "{password}");
        }
        assert_eq!(at_end("hunter2 123456"), 6);
        assert_eq!(at_end("hunter2123456"), 6);
        assert_eq!(at_end("hunter2"), 0);
        assert_eq!(
            possible_code_length(b"\xff\xfe123456", InputReading::CodeAtEnd),
            6
        );
        assert_eq!(
            possible_code_length(&[b'1'; LONGEST + 1], InputReading::CodeAtEnd),
            0
        );
    }

    #[test]
    fn leading_zeros_stay() {
        digits("000000", "000000");
    }

    #[test]
    fn a_recovery_code_is_parsed_in_any_case() {
        match Input::parse(b"abcd-2345-fh") {
            Input::RecoveryCode(code) => assert_eq!(code.as_str(), "ABCD2345FH"),
            _ => panic!("not read as a recovery code"),
        }
    }

    #[test]
    fn a_one_time_code_is_recognised_by_its_prefix() {
        for typed in [
            "P-ABCD-2345-FHJK",
            "p-abcd2345fhjk",
            " P - ABCD 2345 FHJK ",
            "P-222222222222",
        ] {
            assert!(
                matches!(Input::parse(typed.as_bytes()), Input::OneTimeCode(_)),
                "{typed}"
            );
        }
        for typed in ["P-ABCD", "P-", "P-ABCD-2345-FHJK-2", "P-ABCD-2345-FHJ0"] {
            assert!(
                matches!(Input::parse(typed.as_bytes()), Input::Malformed),
                "{typed}"
            );
        }
        assert!(matches!(
            Input::parse(b"PABCD-2345F"),
            Input::RecoveryCode(_)
        ));
    }

    #[test]
    fn other_shapes_are_malformed() {
        let long = vec![b'1'; 64 * 1024];
        let malformed: [&[u8]; 7] = [
            b"",
            b"  ",
            b"\x08\n\r\x7fINCORRECT",
            b"pass word!",
            b"\xff\xfe",
            b"abc",
            &long,
        ];
        for typed in malformed {
            assert!(matches!(Input::parse(typed), Input::Malformed), "{typed:?}");
        }
    }

    #[test]
    fn digits_of_other_scripts_are_digits() {
        digits("٠٠٠٠٤٢", "000042");
        digits("۱۲۳ ۴۵۶", "123456");
        digits("０００－０４２".replace('－', "-").as_str(), "000042");
        digits("００００４２", "000042");
        assert!(matches!(
            Input::parse("১২৩৪৫৬".as_bytes()),
            Input::Malformed
        ));
    }
}
