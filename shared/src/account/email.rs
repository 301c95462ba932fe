//! E-mail addresses of accounts: plain ASCII addresses that every mail server accepts.
//! Refuses every text that could be read as a header, an option or a second address.

use crate::system::network::web_address::is_host;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest address in bytes (RFC 5321, section 4.5.3.1.3, without the angle brackets).
pub const LONGEST: usize = 254;
/// Longest local part in bytes (RFC 5321, section 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;
/// Characters besides letters and digits in a dot-atom (RFC 5322, section 3.2.3).
const ATEXT_MARKS: &str = "!#$%&'*+-/=?^_`{|}~.";

/// An address of the form `local@domain`, without quotes, comments or blanks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct EmailAddress(String);

impl EmailAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first letter and the domain, by which the owner recognizes the address:
    /// `a•••@example.com`.
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.split_once('@').unwrap_or((&self.0, ""));
        format!("{}•••@{domain}", local.chars().next().unwrap_or_default())
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = EmailError;

    fn try_from(text: String) -> Result<EmailAddress, EmailError> {
        let Some((local, domain)) = text.split_once('@') else {
            return Err(EmailError);
        };
        let is_atom = |atom: &str| {
            !atom.is_empty()
                && atom
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ATEXT_MARKS.contains(c))
        };
        // a program that receives the address as an argument could read a leading dash as an option
        let is_local_part = local.len() <= LONGEST_LOCAL
            && !local.starts_with('-')
            && local.split('.').all(is_atom);
        let labels = domain
            .split('.')
            .all(|label| label.len() <= 63 && !label.starts_with('-'));
        match text.len() <= LONGEST
            && is_local_part
            && labels
            && is_host(domain)
            && !domain.contains('_')
        {
            true => Ok(EmailAddress(text)),
            false => Err(EmailError),
        }
    }
}

impl std::str::FromStr for EmailAddress {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<EmailAddress, EmailError> {
        EmailAddress::try_from(text.to_owned())
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The error for a text that is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailError;

impl fmt::Display for EmailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "must be an address such as alice@example.com: plain ASCII, up to 254 characters",
        )
    }
}

impl std::error::Error for EmailError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_addresses_pass() {
        for text in [
            "alice@example.com",
            "a.b+c@mail.example.org",
            "root@localhost",
            "x_y-1@192.example",
        ] {
            assert_eq!(
                text.parse::<EmailAddress>().map(|address| address.0),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn a_header_an_option_or_two_addresses_are_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}com", "abc.".repeat(70));
        for text in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "a@b@c",
            "a b@example.com",
            "a@example.com\nBcc: b@example.com",
            "a@example.com,b@example.com",
            "\"a b\"@example.com",
            "Alice <a@example.com>",
            "-oQ/tmp@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a@-example.com",
            "a@[192.0.2.7]",
            "ü@example.com",
            long.as_str(),
            longer.as_str(),
        ] {
            assert_eq!(text.parse::<EmailAddress>(), Err(EmailError), "{text}");
        }
    }

    #[test]
    fn a_masked_address_shows_the_first_letter_and_the_domain() {
        assert_eq!(
            "alice@example.com"
                .parse::<EmailAddress>()
                .unwrap()
                .masked(),
            "a•••@example.com"
        );
    }
}
