//! A code that follows a password in one field, as clients without a second field send it: where
//! the code begins.

use super::{Input, digit_value};

/// Possible numbers of digits of a code.
pub(crate) const LENGTHS: [u32; 2] = [6, 8];
const SHORTEST: usize = LENGTHS[0] as usize;

/// The part of the input that is the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputReading {
    Whole,
    /// The end of the input, after a password.
    CodeAtEnd,
}

/// Returns the number of bytes at the end of `typed` that are the code, for an account whose codes
/// have one of these `lengths`; 0 if there is none.
///
/// With a blank before it the code is unambiguous. Without a blank, the longest length that fits
/// counts. A password may end like a recovery code, so a recovery code needs the blank. An end with
/// as many digits as any code can have is taken as digits, whatever the lengths of this account.
pub(crate) fn code_length_at_end(typed: &str, lengths: &[u32]) -> usize {
    let word = typed.rsplit_once(' ').map(|(_, word)| word);
    let last = word.map(|word| Input::parse(word.as_bytes()));
    let has_length = |digits: &str| {
        lengths
            .iter()
            .any(|length| *length as usize == digits.len())
    };
    match (word, &last) {
        (Some(word), Some(Input::Digits(digits))) if has_length(digits) => return word.len(),
        (Some(word), Some(Input::OneTimeCode(_))) => return word.len(),
        _ => {}
    }
    let at_end = || {
        typed
            .chars()
            .rev()
            .take_while(|c| digit_value(*c).is_some())
    };
    let digits = at_end().count();
    let fits = lengths
        .iter()
        .map(|length| *length as usize)
        .filter(|length| *length <= digits);
    match (fits.max(), word, last) {
        (Some(length), _, _) => at_end().take(length).map(char::len_utf8).sum(),
        (None, Some(word), Some(Input::RecoveryCode(_))) if digits < SHORTEST => word.len(),
        (None, _, _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn splits(typed: &str, lengths: &[u32], password: &str, code: &str) {
        let at = typed.len() - code_length_at_end(typed, lengths);
        assert_eq!((&typed[..at], &typed[at..]), (password, code), "{typed:?}");
    }

    #[test]
    fn the_digits_at_the_end_are_the_code() {
        splits("hunter2123456", &[6], "hunter2", "123456");
        splits("hunter2000042", &[6], "hunter2", "000042");
        splits("pässwörd123456", &[6], "pässwörd", "123456");
        splits("123456", &[6], "", "123456");
        splits("hunter2۱۲۳۴۵۶", &[6], "hunter2", "۱۲۳۴۵۶");
    }

    #[test]
    fn of_several_lengths_the_longest_that_fits_counts() {
        splits("hunter12345678", &[6, 8], "hunter", "12345678");
        splits("hunter_123456", &[6, 8], "hunter_", "123456");
    }

    #[test]
    fn a_blank_tells_where_the_code_begins() {
        splits("hunter42 123456", &[6, 8], "hunter42 ", "123456");
        splits("correct horse 123-456", &[6], "correct horse ", "123-456");
        splits(
            "hunter2 P-2345-6789-ABCD",
            &[6],
            "hunter2 ",
            "P-2345-6789-ABCD",
        );
        splits("hunter2 abcde-fghjk", &[6], "hunter2 ", "abcde-fghjk");
    }

    /// No code is better than a part of the password.
    #[test]
    fn a_password_alone_holds_no_code() {
        for typed in [
            "hunter2",
            "",
            " ",
            "hunter12345",
            "correct horse battery",
            "kubernetes",
            "123456x",
        ] {
            splits(typed, &[6], typed, "");
        }
        splits(
            "correct kubernetes423456",
            &[6],
            "correct kubernetes",
            "423456",
        );
    }
}
