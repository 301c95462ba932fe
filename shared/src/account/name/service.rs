//! The name of a PAM service, in a form that is safe for logs, the policy and the wire.

use super::is_invisible;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest service name, in bytes.
const LONGEST: usize = 64;

/// The name of a PAM service: 1 to 64 bytes, without blanks and without control, format or
/// invisible characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Service(String);

impl Service {
    /// Converts the service name that libpam returned; `-` if it is not valid.
    pub fn from_pam(bytes: &[u8]) -> Service {
        let text = std::str::from_utf8(bytes).unwrap_or_default().to_owned();
        Service::try_from(text).unwrap_or_else(|_| Service("-".to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks that a text can be the name of a service, or of a user whom a PAM host names.
pub fn is_plain_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST
        && !text.chars().any(|c| is_invisible(c) || c.is_whitespace())
}

impl TryFrom<String> for Service {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Service, Self::Error> {
        match is_plain_name(&text) {
            true => Ok(Service(text)),
            false => Err("must be the name of a PAM service"),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_break_a_log_line_is_not_repeated() {
        assert_eq!(Service::from_pam(b"sshd").as_str(), "sshd");
        for bytes in [
            &b""[..],
            b"a b",
            b"a\n",
            "a\u{202E}b".as_bytes(),
            b"\xff",
            &[b'a'; LONGEST + 1],
        ] {
            assert_eq!(Service::from_pam(bytes).as_str(), "-");
        }
        assert!(Service::try_from("a b".to_owned()).is_err());
    }
}
