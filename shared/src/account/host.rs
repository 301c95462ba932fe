//! A host of a fleet: its name, and the number under which the store counts what it causes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest name of a host, in bytes: that of a name in DNS.
const LONGEST: usize = 253;

/// Name of a host: letters, digits, dots and dashes, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<HostName, Self::Error> {
        const EXPECTED: &str =
            "must be the name of a host: 1 to 253 letters, digits, dots and dashes, such as db1";
        let text = text.to_ascii_lowercase();
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        match text.len() <= LONGEST && text.split('.').all(is_label) {
            true => Ok(HostName(text)),
            false => Err(EXPECTED),
        }
    }
}

impl std::str::FromStr for HostName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<HostName, Self::Err> {
        HostName::try_from(text.to_owned())
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> String {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host that has joined. A host that joins again has a new number, so that nothing of the earlier
/// one counts for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JoinedHost {
    /// Number of the host in the store.
    pub number: i64,
    pub name: HostName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_host_is_one_of_dns() {
        let db1: HostName = "DB1.example.org".parse().unwrap();
        assert_eq!(db1.as_str(), "db1.example.org");
        for text in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a\nb",
            "a_b",
            "ä",
            &"a".repeat(64),
        ] {
            assert!(text.parse::<HostName>().is_err(), "{text:?}");
        }
    }
}
