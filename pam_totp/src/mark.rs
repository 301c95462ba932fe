//! The mark that a passed `auth` line leaves for the guard: which user passed, and what is still to be done
//! once the first factor is known to have passed too.

use shared::door::Means;
use shared::name::UserName;

/// What the `auth` line leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) user: UserName,
    /// An answer accepted before the first factor: its success is still to be booked.
    pub(crate) unbooked: Option<Means>,
}

impl Mark {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let means = match self.unbooked {
            None => b'-',
            Some(Means::Code) => b'c',
            Some(Means::RecoveryCode) => b'r',
            Some(Means::MailedCode) => b'm',
            Some(Means::OneTimeCode) => b'o',
            Some(Means::TrustedBrowser) => b'b',
            Some(Means::Password) => b'p',
        };
        [&[means], self.user.as_str().as_bytes()].concat()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Mark> {
        let (means, user) = bytes.split_first()?;
        let unbooked = match means {
            b'-' => None,
            b'c' => Some(Means::Code),
            b'r' => Some(Means::RecoveryCode),
            b'o' => Some(Means::OneTimeCode),
            b'm' => Some(Means::MailedCode),
            _ => return None,
        };
        Some(Mark { user: UserName::parse(user).ok()?, unbooked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_the_transaction() {
        let means = [Means::Code, Means::MailedCode, Means::RecoveryCode, Means::OneTimeCode].map(Some);
        for unbooked in means.into_iter().chain([None]) {
            let mark = Mark { user: "alice".parse().unwrap(), unbooked };
            assert_eq!(Mark::from_bytes(&mark.to_bytes()), Some(mark));
        }
    }

    #[test]
    fn foreign_bytes_are_no_mark() {
        for bytes in [&b""[..], b"-", b"xalice", b"-\xff"] {
            assert_eq!(Mark::from_bytes(bytes), None);
        }
    }
}
