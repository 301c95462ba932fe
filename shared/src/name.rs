//! Account names. A name is text that identifies an account; it never becomes a path, a command or a format.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest account name, in bytes.
pub const LONGEST: usize = 256;

/// An account's name: 1 to 256 bytes of UTF-8 without control characters, `/`, `:` or blanks at either end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl UserName {
    /// Checks what PAM, a command line or a file gave.
    pub fn parse(bytes: &[u8]) -> Result<UserName, NameError> {
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > LONGEST {
            return Err(NameError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NameError::NotUtf8)?;
        if text.chars().any(|c| c.is_control() || c == '/' || c == ':') || text.trim() != text {
            return Err(NameError::Forbidden);
        }
        Ok(UserName(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for UserName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<UserName, NameError> {
        UserName::parse(text.as_bytes())
    }
}

impl TryFrom<String> for UserName {
    type Error = NameError;

    fn try_from(text: String) -> Result<UserName, NameError> {
        UserName::parse(text.as_bytes())
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> String {
        name.0
    }
}

/// Why something is no account name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing was given.
    Empty,
    /// More than [`LONGEST`] bytes.
    TooLong,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// A control character, `/`, `:`, or a blank at an end.
    Forbidden,
}

impl NameError {
    /// What is wrong, in words.
    pub fn text(self) -> &'static str {
        match self {
            NameError::Empty => "the account name is empty",
            NameError::TooLong => "the account name is longer than 256 bytes",
            NameError::NotUtf8 => "the account name is not UTF-8",
            NameError::Forbidden => {
                "an account name holds no control character, no '/' or ':', and no blank at either end"
            }
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_pass() {
        for name in ["alice", "ü@x.org", "DOMAIN\\alice", "a b", "svc-1$"] {
            assert_eq!(UserName::parse(name.as_bytes()).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_could_be_a_path_or_break_a_log_line_is_refused() {
        for (name, why) in [
            (&b"../x"[..], NameError::Forbidden),
            (b"a\nb", NameError::Forbidden),
            (b"a\0b", NameError::Forbidden),
            (b" a", NameError::Forbidden),
            (b"a:b", NameError::Forbidden),
            (b"\xff", NameError::NotUtf8),
            (b"", NameError::Empty),
            (&[b'a'; 4096], NameError::TooLong),
        ] {
            assert_eq!(UserName::parse(name), Err(why));
        }
    }
}
