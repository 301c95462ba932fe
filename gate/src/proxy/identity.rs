//! Who a request says is there, where a trusted proxy establishes that. Taken from the one header that postern.toml names,
//! of a proxy that has proven itself; from anyone else it is not even looked at.

use hyper::HeaderMap;
use shared::account::name::UserName;

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// This one.
    Named(UserName),
    /// The proxy says nothing.
    Missing,
    /// More than one, or what could be more than one: what lies between may join two lines with a comma (RFC 9110, 5.3).
    Duplicate,
    /// What can be no account's name.
    Malformed,
    /// Nobody is asked: the request comes through no proxy that brings identities.
    NotProvided,
}

impl Identity {
    /// Reads it.
    pub(crate) fn parse(headers: &HeaderMap, name: &str) -> Identity {
        let mut values = headers.get_all(name).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Identity::Missing,
            (Some(_), Some(_)) => return Identity::Duplicate,
            (Some(value), None) => value.as_bytes(),
        };
        match UserName::parse(value) {
            _ if value.is_empty() => Identity::Missing,
            Ok(_) if value.contains(&b',') => Identity::Duplicate,
            Ok(name) => Identity::Named(name),
            Err(_) => Identity::Malformed,
        }
    }

    /// Whether it is this person for certain.
    pub(crate) fn matches(&self, name: &UserName) -> bool {
        matches!(self, Identity::Named(who) if who == name)
    }

    /// Whether it speaks against this person: what was signed in before is not theirs who are there now.
    pub(crate) fn contradicts(&self, name: &UserName) -> bool {
        match self {
            Identity::Named(who) => who != name,
            Identity::Duplicate | Identity::Malformed => true,
            Identity::Missing | Identity::NotProvided => false,
        }
    }

    /// Why it names nobody, as logs say it, and what to look at.
    pub(crate) fn missing_reason(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Identity::Named(_) => return None,
            Identity::Missing => (
                "identity-missing",
                "the proxy sends no user name; see identity_header in postern.toml(5)",
            ),
            Identity::Duplicate => (
                "identity-duplicate",
                "the proxy sends more than one user name; it must remove identity_header from the client's request",
            ),
            Identity::Malformed => (
                "identity-malformed",
                "the value of identity_header is not a valid account name",
            ),
            Identity::NotProvided => (
                "identity-not-provided",
                "the request did not come through a trusted proxy that has identity_header in postern.toml",
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::contract::headers;

    const NAME: &str = "remote-user";

    #[test]
    fn one_name_is_read_and_nothing_else() {
        let read = |pairs: &[(&'static str, &str)]| Identity::parse(&headers(pairs), NAME);
        let alice: UserName = "alice".parse().unwrap();
        assert_eq!(
            read(&[("Remote-User", "alice")]),
            Identity::Named(alice.clone())
        );
        assert_eq!(read(&[]), Identity::Missing);
        assert_eq!(read(&[(NAME, "")]), Identity::Missing);
        assert_eq!(read(&[("x-remote-user", "alice")]), Identity::Missing);
        for doubled in [
            &[(NAME, "alice"), (NAME, "alice")][..],
            &[(NAME, "alice, bob")],
            &[(NAME, "alice,")],
        ] {
            assert_eq!(read(doubled), Identity::Duplicate, "{doubled:?}");
        }
        for text in ["a:b", "../x", &"a".repeat(257)] {
            assert_eq!(read(&[(NAME, text)]), Identity::Malformed, "{text}");
        }
        let mut latin = HeaderMap::new();
        latin.insert(
            NAME,
            hyper::header::HeaderValue::from_bytes(b"\xfc").unwrap(),
        );
        assert_eq!(Identity::parse(&latin, NAME), Identity::Malformed);
    }

    #[test]
    fn whoever_is_named_otherwise_speaks_against_a_session_and_whoever_is_not_named_does_not() {
        let (alice, bob): (UserName, UserName) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let of_alice = Identity::Named(alice.clone());
        assert!(of_alice.matches(&alice) && !of_alice.matches(&bob));
        assert!(of_alice.contradicts(&bob) && !of_alice.contradicts(&alice));
        for nobody in [Identity::Missing, Identity::NotProvided] {
            assert!(!nobody.matches(&alice) && !nobody.contradicts(&alice));
        }
        assert!(Identity::Duplicate.contradicts(&alice) && Identity::Malformed.contradicts(&alice));
    }
}
