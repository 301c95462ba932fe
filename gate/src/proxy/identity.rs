//! Who a request says is there, where a trusted proxy establishes that. Taken from the one header that postern.toml names,
//! of a proxy that has proven itself; from anyone else it is not even looked at.

use hyper::HeaderMap;
use shared::account::name::UserName;

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// This one.
    Of(UserName),
    /// The proxy says nothing.
    Missing,
    /// More than one, or what could be more than one: what lies between may join two lines with a comma (RFC 9110, 5.3).
    Doubled,
    /// What can be no account's name.
    Malformed,
    /// Nobody is asked: the request comes through no proxy that brings identities.
    NotBrought,
}

impl Identity {
    /// Reads it.
    pub(crate) fn read(headers: &HeaderMap, name: &str) -> Identity {
        let mut values = headers.get_all(name).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Identity::Missing,
            (Some(_), Some(_)) => return Identity::Doubled,
            (Some(value), None) => value.as_bytes(),
        };
        match UserName::parse(value) {
            _ if value.is_empty() => Identity::Missing,
            Ok(_) if value.contains(&b',') => Identity::Doubled,
            Ok(name) => Identity::Of(name),
            Err(_) => Identity::Malformed,
        }
    }

    /// Whether it is this person for certain.
    pub(crate) fn is(&self, name: &UserName) -> bool {
        matches!(self, Identity::Of(who) if who == name)
    }

    /// Whether it speaks against this person: what was signed in before is not theirs who are there now.
    pub(crate) fn contradicts(&self, name: &UserName) -> bool {
        match self {
            Identity::Of(who) => who != name,
            Identity::Doubled | Identity::Malformed => true,
            Identity::Missing | Identity::NotBrought => false,
        }
    }

    /// Why it names nobody, as logs say it, and what to look at.
    pub(crate) fn nobody(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Identity::Of(_) => return None,
            Identity::Missing => (
                "identity-missing",
                "the proxy sends no user name; see identity_header in postern.toml(5)",
            ),
            Identity::Doubled => (
                "identity-duplicate",
                "the proxy sends more than one user name; it must remove identity_header from the client's request",
            ),
            Identity::Malformed => (
                "identity-malformed",
                "the value of identity_header is not a valid account name",
            ),
            Identity::NotBrought => (
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
        let read = |pairs: &[(&'static str, &str)]| Identity::read(&headers(pairs), NAME);
        let alice: UserName = "alice".parse().unwrap();
        assert_eq!(
            read(&[("Remote-User", "alice")]),
            Identity::Of(alice.clone())
        );
        assert_eq!(read(&[]), Identity::Missing);
        assert_eq!(read(&[(NAME, "")]), Identity::Missing);
        assert_eq!(read(&[("x-remote-user", "alice")]), Identity::Missing);
        for doubled in [
            &[(NAME, "alice"), (NAME, "alice")][..],
            &[(NAME, "alice, bob")],
            &[(NAME, "alice,")],
        ] {
            assert_eq!(read(doubled), Identity::Doubled, "{doubled:?}");
        }
        for text in ["a:b", "../x", &"a".repeat(257)] {
            assert_eq!(read(&[(NAME, text)]), Identity::Malformed, "{text}");
        }
        let mut latin = HeaderMap::new();
        latin.insert(
            NAME,
            hyper::header::HeaderValue::from_bytes(b"\xfc").unwrap(),
        );
        assert_eq!(Identity::read(&latin, NAME), Identity::Malformed);
    }

    #[test]
    fn whoever_is_named_otherwise_speaks_against_a_session_and_whoever_is_not_named_does_not() {
        let (alice, bob): (UserName, UserName) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let of_alice = Identity::Of(alice.clone());
        assert!(of_alice.is(&alice) && !of_alice.is(&bob));
        assert!(of_alice.contradicts(&bob) && !of_alice.contradicts(&alice));
        for nobody in [Identity::Missing, Identity::NotBrought] {
            assert!(!nobody.is(&alice) && !nobody.contradicts(&alice));
        }
        assert!(Identity::Doubled.contradicts(&alice) && Identity::Malformed.contradicts(&alice));
    }
}
