//! Which spellings are the same name: those that differ only in case, in width or other
//! compatibility forms, in composition, or in invisible characters.
//! Root can declare that two spellings are two accounts, because Unix treats `bob` and `Bob` as two
//! users. A sign-in never creates the second of them.

use super::{UserName, is_invisible};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// Most rounds of folding; the tests show that 4 rounds reach the fixed point for every character.
const MOST_FOLDS: usize = 8;

/// The key that all spellings of a name share. It is compared and indexed, never shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameKey(String);

impl NameKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserName {
    /// Returns the key that this name shares with its other spellings.
    pub fn key(&self) -> NameKey {
        NameKey(fold(self.as_str()))
    }

    /// Checks whether the two names differ and share a key.
    pub fn is_other_spelling_of(&self, other: &UserName) -> bool {
        self != other && self.key() == other.key()
    }
}

/// Folds by compatibility caseless matching (The Unicode Standard, 3.13, D146), with one
/// difference: letters that share an uppercase letter are equal, so that a dotless i equals an i.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = text.to_owned();
    for _ in 0..MOST_FOLDS {
        let next: String = folded
            .nfkc()
            .filter(|c| !is_invisible(*c))
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .nfkc()
            .collect();
        if next == folded {
            break;
        }
        folded = next;
    }
    folded
}

/// A name that a new account may have: no other account has another spelling of it, or root
/// declared it distinct. Only this file creates a value.
#[derive(Debug)]
pub struct NewName {
    name: UserName,
    key: NameKey,
}

impl NewName {
    /// Accepts a name unless one of `accounts` has another spelling of it.
    pub fn check_spelling<'a>(
        name: &UserName,
        accounts: impl IntoIterator<Item = &'a UserName>,
    ) -> Result<NewName, OtherSpelling> {
        let key = name.key();
        let is_other = |other: &&UserName| *other != name && other.key() == key;
        match accounts.into_iter().find(is_other) {
            Some(existing) => Err(OtherSpelling {
                name: name.clone(),
                existing: existing.clone(),
            }),
            None => Ok(NewName {
                name: name.clone(),
                key,
            }),
        }
    }

    /// Accepts a name that root declared distinct: by a command with `--distinct-name`, or by a
    /// declaration in the configuration.
    pub fn accept_distinct(name: &UserName) -> NewName {
        NewName {
            name: name.clone(),
            key: name.key(),
        }
    }

    pub fn name(&self) -> &UserName {
        &self.name
    }

    pub fn key(&self) -> &NameKey {
        &self.key
    }
}

/// Whether root declared a name distinct from other spellings of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distinct {
    Yes,
    No,
}

/// The error for a name that is another spelling of an existing account's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherSpelling {
    pub name: UserName,
    pub existing: UserName,
}

impl fmt::Display for OtherSpelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OtherSpelling { name, existing } = self;
        write!(
            f,
            "{:?} is another spelling of the account {:?}; if they are two persons, root makes the second account with postern account add --distinct-name",
            name.as_str(),
            existing.as_str()
        )
    }
}

impl std::error::Error for OtherSpelling {}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[test]
    fn spellings_that_look_alike_are_one_name() {
        for (one, others) in [
            (
                "alice",
                &[
                    "ALICE",
                    "Alice",
                    "\u{FF41}\u{FF4C}\u{FF49}\u{FF43}\u{FF45}",
                    "\u{1D41A}lice",
                    "al\u{131}ce",
                ][..],
            ),
            ("zo\u{EB}", &["zoe\u{308}", "ZO\u{CB}", "Zoe\u{308}"]),
            ("stra\u{DF}e", &["STRASSE", "stra\u{1E9E}e", "strasse"]),
            (
                "\u{3C3}\u{3BF}\u{3C6}\u{3CC}\u{3C2}",
                &["\u{3A3}\u{39F}\u{3A6}\u{38C}\u{3A3}"],
            ),
            ("a b", &["a\u{A0}b", "A\u{3000}b"]),
            ("fi", &["\u{FB01}"]),
        ] {
            for other in others {
                assert!(
                    name(one).is_other_spelling_of(&name(other)),
                    "{one} {other}"
                );
            }
        }
        // a store of an earlier version may contain such a name
        assert_eq!(fold("ali\u{200B}ce\u{FE0F}"), "alice");
    }

    #[test]
    fn different_names_have_different_keys() {
        for (one, other) in [
            ("alice", "alise"),
            ("alice", "alice@example.com"),
            ("zoe", "zo\u{EB}"),
            ("a b", "ab"),
        ] {
            assert!(
                !name(one).is_other_spelling_of(&name(other)),
                "{one} {other}"
            );
        }
        assert!(!name("alice").is_other_spelling_of(&name("alice")));
    }

    /// Without this property, two spellings of a name could have two keys. Beyond these planes
    /// there are only letters without other forms, and compatibility ideographs.
    #[test]
    fn folding_ends_and_capitals_small_letters_and_compositions_have_one_key() {
        let all = ('\0'..='\u{1FFFF}').chain('\u{2F800}'..='\u{2FA1F}');
        for character in all.filter(|c| !is_invisible(*c)) {
            let text = character.to_string();
            let forms = [
                character.to_uppercase().collect(),
                character.to_lowercase().collect(),
                text.nfc().collect(),
                text.nfd().collect(),
                text.nfkc().collect(),
                text.nfkd().collect::<String>(),
            ];
            for other in forms.into_iter().filter(|other| *other != text) {
                let key = fold(&text);
                assert_eq!(fold(&other), key, "{character:?} {other:?}");
                assert_eq!(fold(&key), key, "{character:?}");
            }
        }
    }

    #[test]
    fn another_spelling_of_an_existing_name_is_no_new_name() {
        let (alice, bob) = (name("alice"), name("bob"));
        assert!(NewName::check_spelling(&name("carol"), [&alice, &bob]).is_ok());
        assert!(NewName::check_spelling(&alice, [&alice, &bob]).is_ok());
        let refused = NewName::check_spelling(&name("ALICE"), [&bob, &alice]).unwrap_err();
        assert_eq!(
            refused,
            OtherSpelling {
                name: name("ALICE"),
                existing: alice
            }
        );
        assert!(
            refused
                .to_string()
                .starts_with("\"ALICE\" is another spelling of the account \"alice\"")
        );
    }
}
