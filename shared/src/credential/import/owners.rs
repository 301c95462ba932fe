//! Accounts of authenticators whose file names none: one for all, or a list of serial numbers. The
//! list is the administrator's own, so an error in it refuses it as a whole.

use super::{ImportError, LARGEST, MOST, content_lines};
use crate::account::name::UserName;
use std::collections::BTreeMap;

/// Accounts that the administrator gives.
#[derive(Clone, Copy, Default)]
pub struct ImportOwners<'a> {
    /// Account of each authenticator without another one.
    pub user: Option<&'a UserName>,
    /// Accounts by serial number. They take precedence over the file's.
    pub serials: Option<&'a SerialList>,
}

impl ImportOwners<'_> {
    /// Returns whether the administrator's list has the serial number.
    pub(super) fn is_listed(&self, serial: Option<&str>) -> bool {
        serial.is_some_and(|serial| self.serials.is_some_and(|list| list.find(serial).is_some()))
    }

    /// Returns the account of a device: that of its serial number, or else the one that the file
    /// names, or else the one for all.
    pub(super) fn account_of(&self, serial: Option<&str>, named: Option<&str>) -> Option<String> {
        let listed = serial.and_then(|serial| self.serials?.find(serial));
        let listed = listed.map(UserName::as_str);
        let account = listed.or(named).or(self.user.map(UserName::as_str));
        account.map(str::to_owned)
    }
}

/// A list with lines of `serial,user`.
#[derive(Debug)]
pub struct SerialList(BTreeMap<String, UserName>);

impl SerialList {
    /// Parses a list of at most 1 MiB and 10000 lines. Blank lines, lines that begin with `#` and
    /// the header `serial,user` are skipped.
    pub fn parse(bytes: &[u8]) -> Result<SerialList, ImportError> {
        if bytes.len() > LARGEST {
            return Err(ImportError::File("it is larger than 1 MiB"));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| ImportError::File("it is not UTF-8 text"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut serials = BTreeMap::new();
        for numbered in content_lines(text) {
            let (line, text) = numbered?;
            if text.eq_ignore_ascii_case("serial,user") {
                continue;
            }
            let fields: Vec<&str> = text.split(',').map(str::trim).collect();
            let [serial, user] = fields[..] else {
                return Err(ImportError::Line(line, "a line must have serial,user"));
            };
            if serial.is_empty() {
                return Err(ImportError::Line(line, "a line must have serial,user"));
            }
            let user = UserName::parse(user.as_bytes())
                .map_err(|error| ImportError::Line(line, error.text()))?;
            if serials.len() == MOST {
                return Err(ImportError::Line(line, "more than 10000 serial numbers"));
            }
            if serials.insert(serial.to_owned(), user).is_some() {
                return Err(ImportError::Line(
                    line,
                    "a serial number that is there before",
                ));
            }
        }
        Ok(SerialList(serials))
    }

    fn find(&self, serial: &str) -> Option<&UserName> {
        self.0.get(serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_serial_number_takes_precedence_over_the_file() {
        let list = SerialList::parse(b"serial,user\n# new tokens\n 1 , alice \n2,bob\n").unwrap();
        let carol = &"carol".parse().unwrap();
        let owners = ImportOwners {
            user: Some(carol),
            serials: Some(&list),
        };
        for (serial, named, account) in [
            (Some("1"), Some("dave"), "alice"),
            (Some("3"), Some("dave"), "dave"),
            (None, None, "carol"),
        ] {
            let found = owners.account_of(serial, named);
            assert_eq!(found.as_deref(), Some(account));
        }
        assert_eq!(ImportOwners::default().account_of(Some("1"), None), None);
    }

    #[test]
    fn a_list_with_an_error_is_refused() {
        for (text, expected) in [
            ("1,alice\n2\n", "line 2: a line must have serial,user"),
            (",alice\n", "line 1: a line must have serial,user"),
            ("1,alice\n1,bob\n", "line 2: a serial number"),
        ] {
            let message = SerialList::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
        assert!(SerialList::parse(b"1,\xff\n").is_err());
        assert!(SerialList::parse(b"1,a b\x1b\n").is_err());
        assert!(SerialList::parse(&vec![b'#'; LARGEST + 1]).is_err());
    }
}
