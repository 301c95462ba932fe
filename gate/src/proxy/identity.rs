//! The user that a trusted proxy names, where the proxy authenticates users itself.
//!
//! MUST read only the one header that postern.toml names, and only from an authenticated proxy.

use crate::http::header_fields::{RepeatedField, single_value};
use hyper::HeaderMap;
use postern_shared::account::name::UserName;

/// User that a proxy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Named(UserName),
    /// The proxy sends no name.
    Missing,
    /// Several names, or one with a comma: an intermediary may join two header lines with one (RFC
    /// 9110, section 5.3).
    Duplicate,
    /// The value is not a valid account name.
    Malformed,
    /// The request came through no proxy with an `identity_header`.
    NotProvided,
}

impl Identity {
    pub(crate) fn parse(headers: &HeaderMap, name: &str) -> Identity {
        let value = match single_value(headers, name) {
            Ok(None) => return Identity::Missing,
            Err(RepeatedField) => return Identity::Duplicate,
            Ok(Some(value)) => value.as_bytes(),
        };
        match UserName::parse(value) {
            _ if value.is_empty() => Identity::Missing,
            Ok(_) if value.contains(&b',') => Identity::Duplicate,
            Ok(name) => Identity::Named(name),
            Err(_) => Identity::Malformed,
        }
    }

    /// Whether the proxy names exactly this user.
    pub(crate) fn matches(&self, name: &UserName) -> bool {
        matches!(self, Identity::Named(named) if named == name)
    }

    /// Whether a session of this user must end, because the proxy names another user or no valid
    /// one.
    pub(crate) fn contradicts(&self, name: &UserName) -> bool {
        match self {
            Identity::Named(named) => named != name,
            Identity::Duplicate | Identity::Malformed => true,
            Identity::Missing | Identity::NotProvided => false,
        }
    }

    /// Why no user is named, as logs name the cause, and what to do.
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
    use crate::proxy::original_request::headers;

    const NAME: &str = "remote-user";

    #[test]
    fn only_one_valid_name_is_accepted() {
        let read = |pairs: &[(&'static str, &str)]| Identity::parse(&headers(pairs), NAME);
        let alice: UserName = "alice".parse().unwrap();
        assert_eq!(
            read(&[("Remote-User", "alice")]),
            Identity::Named(alice.clone())
        );
        assert_eq!(read(&[]), Identity::Missing);
        assert_eq!(read(&[(NAME, "")]), Identity::Missing);
        assert_eq!(read(&[("x-remote-user", "alice")]), Identity::Missing);
        for duplicate in [
            &[(NAME, "alice"), (NAME, "alice")][..],
            &[(NAME, "alice, bob")],
            &[(NAME, "alice,")],
        ] {
            assert_eq!(read(duplicate), Identity::Duplicate, "{duplicate:?}");
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
    fn another_name_contradicts_a_session_and_a_missing_name_does_not() {
        let (alice, bob): (UserName, UserName) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let of_alice = Identity::Named(alice.clone());
        assert!(of_alice.matches(&alice) && !of_alice.matches(&bob));
        assert!(of_alice.contradicts(&bob) && !of_alice.contradicts(&alice));
        for absent in [Identity::Missing, Identity::NotProvided] {
            assert!(!absent.matches(&alice) && !absent.contradicts(&alice));
        }
        assert!(Identity::Duplicate.contradicts(&alice) && Identity::Malformed.contradicts(&alice));
    }
}
