//! Passwords that an attacker tries first: the most common ones, and those that are made of the
//! account's name and the site's names.

use super::{Password, PasswordError};
use crate::account::name::fold;

/// The 10,000 most common passwords of at least 8 characters, folded, one a line: `COMMON.md`.
const COMMON: &str = include_str!("common.txt");

impl Password {
    /// Refuses a new password that can be guessed. `names` are those of the account and the site.
    /// Differences in case, width and compatibility forms do not count, and neither do digits and
    /// signs around and between names.
    ///
    /// # Errors
    /// [`PasswordError::Common`], or [`PasswordError::OfNames`].
    pub fn refuse_guessable(&self, names: &[&str]) -> Result<(), PasswordError> {
        let folded = zeroize::Zeroizing::new(fold(&self.0));
        // the time does not matter: a new password is hashed next, for much longer
        if COMMON.lines().any(|common| common == folded.as_str()) {
            return Err(PasswordError::Common);
        }
        let folded_names: Vec<String> = names.iter().map(|name| fold(name)).collect();
        if folded_names.contains(&folded) {
            return Err(PasswordError::OfNames);
        }
        let parts = folded_names
            .iter()
            .flat_map(|name| name.split(|c: char| !c.is_alphabetic()));
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        let letters: zeroize::Zeroizing<String> =
            zeroize::Zeroizing::new(folded.chars().filter(|c| c.is_alphabetic()).collect());
        match !letters.is_empty() && is_made_of(&letters, &parts) {
            true => Err(PasswordError::OfNames),
            false => Ok(()),
        }
    }
}

/// Returns whether a text is one of the parts after the other, each as often as it likes.
fn is_made_of(text: &str, parts: &[&str]) -> bool {
    // ends[n]: whether the first n bytes are made of parts
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    for begin in 0..text.len() {
        if !ends[begin] {
            continue;
        }
        for part in parts {
            if text.as_bytes()[begin..].starts_with(part.as_bytes()) {
                ends[begin + part.len()] = true;
            }
        }
    }
    ends[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn checked(text: &str) -> Result<(), PasswordError> {
        let names = ["alice", "Example Ltd", "auth.example.com", "müller-ß"];
        Password::from_input(Zeroizing::new(text.to_owned()))
            .unwrap()
            .refuse_guessable(&names)
    }

    #[test]
    fn the_list_is_sorted_folded_and_of_the_length_that_it_names() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert_eq!(lines.len(), 10_000);
        assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
        for line in lines {
            assert!(line.chars().count() >= super::super::SHORTEST, "{line}");
            assert_eq!(fold(line), line);
        }
    }

    #[test]
    fn common_passwords_are_refused_in_every_spelling() {
        for text in [
            "password",
            "PassWord",
            "12345678",
            "iloveyou",
            "ＰＡＳＳＷＯＲＤ",
            "qwertyuiop",
            "1qaz2wsx",
        ] {
            assert!(
                matches!(checked(text), Err(PasswordError::Common)),
                "{text}"
            );
        }
    }

    #[test]
    fn names_with_simple_additions_are_refused() {
        for text in [
            "alice1234",
            "ALICE!!!!",
            "2026-Alice-2026",
            "alicealice",
            "alice.example",
            "Example2026",
            "auth.example.com",
            "exampleltd1",
            "Müller99!",
            "a.l.i.c.e.1",
        ] {
            assert!(
                matches!(checked(text), Err(PasswordError::OfNames)),
                "{text}"
            );
        }
    }

    #[test]
    fn other_passwords_are_accepted() {
        for text in [
            "correct horse",
            "48201957",
            "alice likes tea",
            "examples of tea",
            "!!!!????!!",
        ] {
            assert!(checked(text).is_ok(), "{text}");
        }
    }
}
