//! App passwords: the text that a user copies into a client that cannot show a page. It is a prefix
//! character, 26 random characters (130 bits) and a check character, which tells a typing error
//! from a wrong app password without the store. The store keeps a keyed hash, made by
//! [`crate::crypto::vault`].

use super::recovery_code::ALPHABET;
use crate::system::random::{RandomError, fill_random};
use std::fmt;
use zeroize::Zeroizing;

/// Prefix character. Codes of other kinds never contain it, so the shape alone identifies an app
/// password. The digit 0, which is easily confused with it, is accepted in its position.
const PREFIX: char = 'O';
const RANDOM: usize = 26;
/// Characters in a group: with prefix and check character there are seven groups.
const GROUP: usize = 4;
/// Longest input that is parsed, in bytes, blanks and dashes included.
const LONGEST: usize = 128;

/// An app password without its prefix, in upper case.
pub struct AppPassword(Zeroizing<String>);

/// Reason why a text is no app password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidAppPassword {
    /// The shape differs: a password, a code, a token of another program.
    OtherShape,
    /// The check character is wrong: a character is wrong, or two were exchanged.
    Mistyped,
}

impl AppPassword {
    pub fn random() -> Result<AppPassword, RandomError> {
        let mut bytes = Zeroizing::new([0; RANDOM]);
        fill_random(&mut *bytes)?;
        let mut plain = Zeroizing::new(String::with_capacity(RANDOM + 1));
        let values = bytes.iter().map(|byte| byte & 31);
        plain.extend(values.clone().map(character));
        plain.push(character(times_two(weighted_sum(values))));
        Ok(AppPassword(plain))
    }

    /// Parses an input. Blanks, dashes and case do not matter.
    pub fn parse(typed: &str) -> Result<AppPassword, InvalidAppPassword> {
        if typed.len() > LONGEST {
            return Err(InvalidAppPassword::OtherShape);
        }
        let mut characters = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
        if !matches!(characters.next(), Some(PREFIX | 'o' | '0')) {
            return Err(InvalidAppPassword::OtherShape);
        }
        let mut plain = Zeroizing::new(String::with_capacity(LONGEST));
        plain.extend(characters.map(|c| c.to_ascii_uppercase()));
        let mut values = Zeroizing::new([0; RANDOM + 1]);
        if plain.len() != values.len() {
            return Err(InvalidAppPassword::OtherShape);
        }
        for (value, byte) in values.iter_mut().zip(plain.bytes()) {
            let position = ALPHABET
                .iter()
                .position(|known| *known == byte)
                .ok_or(InvalidAppPassword::OtherShape)?;
            *value = u8::try_from(position).map_err(|_| InvalidAppPassword::OtherShape)?;
        }
        match weighted_sum(values.iter().copied()) {
            0 => Ok(AppPassword(plain)),
            _ => Err(InvalidAppPassword::Mistyped),
        }
    }

    /// Returns the characters that are hashed.
    pub(crate) fn plain(&self) -> &str {
        &self.0
    }

    /// Returns the text with its prefix, in groups of four.
    pub fn grouped(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(2 * (RANDOM + 2)));
        for (i, c) in std::iter::once(PREFIX).chain(self.0.chars()).enumerate() {
            if i > 0 && i % GROUP == 0 {
                text.push('-');
            }
            text.push(c);
        }
        text
    }
}

impl fmt::Debug for AppPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppPassword(…)")
    }
}

fn character(value: u8) -> char {
    char::from(ALPHABET[usize::from(value & 31)])
}

/// Returns a weighted sum in the field of 32 elements; it is 0 for a valid app password. The
/// weights are powers of an element of order 31. None is 0, so a wrong character changes the sum;
/// no two of the 27 are equal, so two exchanged characters do.
fn weighted_sum(values: impl Iterator<Item = u8>) -> u8 {
    values.fold(0, |weighted_sum, value| times_two(weighted_sum) ^ value)
}

/// Multiplies by the root of x⁵ + x² + 1, whose order is 31.
fn times_two(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 32 == 0 {
        doubled
    } else {
        doubled ^ 0b10_0101
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::input::Input;
    use crate::credential::recovery_code::{OneTimeCode, RecoveryCode};

    fn parse(text: &str) -> Result<String, InvalidAppPassword> {
        AppPassword::parse(text).map(|parse| parse.plain().to_owned())
    }

    #[test]
    fn an_app_password_is_shown_in_groups_and_parsed_in_any_notation() {
        let password = AppPassword::random().unwrap();
        let shown = password.grouped();
        assert_eq!(shown.split('-').map(str::len).collect::<Vec<_>>(), [4; 7]);
        let plain = Ok(password.plain().to_owned());
        let typed = [
            shown.to_string(),
            shown.replace('-', ""),
            shown.replace('-', " "),
            shown.to_lowercase(),
        ];
        for typed in typed {
            assert_eq!(parse(&typed), plain, "{typed}");
        }
        assert_eq!(parse(&format!(" 0{}\n", &shown[1..])), plain);
    }

    #[test]
    fn random_app_passwords_differ() {
        let all: std::collections::HashSet<_> = (0..1000)
            .map(|_| AppPassword::random().unwrap().plain().to_owned())
            .collect();
        assert_eq!(all.len(), 1000);
    }

    #[test]
    fn every_single_wrong_character_is_noticed() {
        for _ in 0..20 {
            let right = AppPassword::random().unwrap().grouped().replace('-', "");
            for position in 1..right.len() {
                for other in ALPHABET.iter().map(|byte| char::from(*byte)) {
                    let mut wrong: Vec<char> = right.chars().collect();
                    if std::mem::replace(&mut wrong[position], other) != other {
                        let wrong: String = wrong.into_iter().collect();
                        assert_eq!(
                            parse(&wrong),
                            Err(InvalidAppPassword::Mistyped),
                            "{right} {wrong}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn two_exchanged_characters_are_noticed() {
        for _ in 0..20 {
            let right: Vec<char> = AppPassword::random().unwrap().plain().chars().collect();
            for one in 0..right.len() {
                for other in (one + 1..right.len()).filter(|other| right[one] != right[*other]) {
                    let mut wrong = right.clone();
                    wrong.swap(one, other);
                    let wrong: String = std::iter::once(PREFIX).chain(wrong).collect();
                    assert_eq!(parse(&wrong), Err(InvalidAppPassword::Mistyped));
                }
            }
        }
    }

    #[test]
    fn other_credentials_have_another_shape() {
        let whole = AppPassword::random().unwrap();
        let (shown, plain) = (whole.grouped(), whole.plain().to_owned());
        let others = [
            "",
            "O",
            "O-",
            "000042",
            "correct horse battery",
            "OOOO-OOOO-OOOO-OOOO-OOOO-OOOO-OOOO",
            &plain,
            &shown[..33],
            &format!("{}2", shown.as_str()),
            &"O".repeat(4096),
            "Oü2345678923456789234567892",
        ];
        for other in others {
            assert_eq!(parse(other), Err(InvalidAppPassword::OtherShape), "{other}");
        }
        assert!(matches!(Input::parse(shown.as_bytes()), Input::Malformed));
        for length in [10, 27, 28, 32] {
            let code = RecoveryCode::random(length).unwrap();
            assert_eq!(parse(&code.grouped()), Err(InvalidAppPassword::OtherShape));
        }
        assert_eq!(
            parse(&OneTimeCode::random().unwrap().grouped()),
            Err(InvalidAppPassword::OtherShape)
        );
    }
}
