//! Names of accounts, labels of authenticators and app passwords, and names of groups. A name is
//! text that identifies; it never becomes a path, a command or a format string.

mod characters;
mod service;
mod spelling;

pub use characters::is_invisible;
pub use service::{Service, is_plain_name};
pub(crate) use spelling::fold;
pub use spelling::{Distinct, NameKey, NewName, OtherSpelling};

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest account name, in bytes.
pub const LONGEST: usize = 256;

/// The name of an account: 1 to 256 bytes of UTF-8 without control characters, invisible
/// characters, `/`, `:`, or blanks at either end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct UserName(String);

impl UserName {
    /// Parses a name from PAM, a command line or a file.
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
        if text.chars().any(is_invisible) {
            return Err(NameError::Invisible);
        }
        Ok(UserName(text.to_owned()))
    }

    /// Parses a name from the store. It accepts invisible characters, as earlier versions did: one
    /// such account must not make the store unreadable for all others.
    pub(crate) fn from_store(text: &str) -> Result<UserName, NameError> {
        match UserName::parse(text.as_bytes()) {
            Err(NameError::Invisible) => Ok(UserName(text.to_owned())),
            parsed => parsed,
        }
    }

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

/// Longest label, in characters.
pub const LONGEST_LABEL: usize = 64;

/// The label of an authenticator or an app password: 1 to 64 visible characters, without blanks at
/// either end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Label(String);

impl Label {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses a label from the store; see [`UserName::from_store`].
    pub(crate) fn from_store(text: String) -> Result<Label, NameError> {
        match is_label(&text) {
            true => Ok(Label(text)),
            false => Err(NameError::Label),
        }
    }
}

fn is_label(text: &str) -> bool {
    let fits = (1..=LONGEST_LABEL).contains(&text.chars().count());
    fits && text.trim() == text && !text.chars().any(char::is_control)
}

impl TryFrom<String> for Label {
    type Error = NameError;

    fn try_from(text: String) -> Result<Label, NameError> {
        match is_label(&text) && !text.chars().any(is_invisible) {
            true => Ok(Label(text)),
            false => Err(NameError::Label),
        }
    }
}

impl std::str::FromStr for Label {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Label, NameError> {
        Label::try_from(text.to_owned())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a group that Postern keeps: a label without commas, because applications read lists
/// of groups. It does not begin with `%` or `!`, because these are prefixes in policies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Group(Label);

impl Group {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Parses a group from the store; see [`UserName::from_store`].
    pub(crate) fn from_store(text: String) -> Result<Group, NameError> {
        Group::from_label(Label::from_store(text))
    }

    fn from_label(label: Result<Label, NameError>) -> Result<Group, NameError> {
        match label {
            Ok(label)
                if !label.as_str().contains(',') && !label.as_str().starts_with(['%', '!']) =>
            {
                Ok(Group(label))
            }
            _ => Err(NameError::Group),
        }
    }
}

impl TryFrom<String> for Group {
    type Error = NameError;

    fn try_from(text: String) -> Result<Group, NameError> {
        Group::from_label(Label::try_from(text))
    }
}

impl std::str::FromStr for Group {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Group, NameError> {
        Group::try_from(text.to_owned())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    Empty,
    TooLong,
    NotUtf8,
    /// A control character, `/`, `:`, or a blank at either end.
    Forbidden,
    /// A format character or an invisible character.
    Invisible,
    Label,
    Group,
}

impl NameError {
    pub fn text(self) -> &'static str {
        match self {
            NameError::Empty => "the account name is empty",
            NameError::TooLong => "the account name is longer than 256 bytes",
            NameError::NotUtf8 => "the account name is not UTF-8",
            NameError::Forbidden => {
                "an account name must not contain control characters, '/' or ':', or a blank at either end"
            }
            NameError::Invisible => {
                "an account name must not contain format characters or invisible characters"
            }
            NameError::Label => {
                "a name has 1 to 64 characters, no control, format or invisible character, and no blank at either end"
            }
            NameError::Group => {
                "a group's name has 1 to 64 characters, no comma, no control, format or invisible character, no blank at either end, and begins neither with '%' nor with '!'"
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
    fn labels_and_groups_keep_to_one_line() {
        for label in ["app", "Alice's phone", "ü".repeat(64).as_str(), "a,b"] {
            assert!(label.parse::<Label>().is_ok(), "{label}");
        }
        for label in [
            "",
            " a",
            "a\n",
            "a\tb",
            "a\u{2066}b",
            "\u{3164}",
            "ü".repeat(65).as_str(),
        ] {
            assert_eq!(label.parse::<Label>(), Err(NameError::Label), "{label}");
        }
        assert!("ops team".parse::<Group>().is_ok());
        for group in ["", "a,b", "%ops", "!ops", "a\nb", "op\u{AD}s"] {
            assert_eq!(group.parse::<Group>(), Err(NameError::Group), "{group}");
        }
    }

    #[test]
    fn a_name_in_the_store_is_accepted_though_it_would_be_refused_today() {
        assert!(
            UserName::from_store("ali\u{200B}ce").is_ok() && UserName::from_store("a\nb").is_err()
        );
        assert!(
            Label::from_store("a\u{200D}b".to_owned()).is_ok()
                && Label::from_store("a\nb".to_owned()).is_err()
        );
        assert!(
            Group::from_store("a\u{200D}b".to_owned()).is_ok()
                && Group::from_store("%a".to_owned()).is_err()
        );
    }

    #[test]
    fn a_name_that_could_be_a_path_or_break_a_log_line_is_refused() {
        for (name, why) in [
            (&b"../x"[..], NameError::Forbidden),
            (b"a\nb", NameError::Forbidden),
            (b"a\0b", NameError::Forbidden),
            (b" a", NameError::Forbidden),
            (b"a:b", NameError::Forbidden),
            ("ali\u{200B}ce".as_bytes(), NameError::Invisible),
            ("\u{202E}ecila".as_bytes(), NameError::Invisible),
            (b"\xff", NameError::NotUtf8),
            (b"", NameError::Empty),
            (&[b'a'; 4096], NameError::TooLong),
        ] {
            assert_eq!(UserName::parse(name), Err(why));
        }
    }
}
