//! Parses an Authorization header: an app password, or a credential for the application.
//!
//! Compares nothing with the store. MUST NOT use the account's own password, which only the sign-in
//! page takes.

use data_encoding::BASE64;
use postern_shared::account::name::UserName;
use postern_shared::credential::app_password::{AppPassword, InvalidAppPassword};
use zeroize::Zeroizing;

/// Longest value that can hold an app password, in bytes: a name, and the password with its
/// separators, in Base64.
const MAX_VALUE: usize = 1024;

#[derive(Debug)]
pub(crate) enum Authorization {
    /// No credential, or one for the application, such as its own token.
    Other,
    /// Basic credentials without an app password.
    OtherBasic,
    /// An app password whose checksum is wrong.
    Mistyped,
    /// Text of the form of an app password, not verified yet.
    AppPassword(AppPasswordClaim),
}

/// An app password that is not verified yet, and the account that it is claimed for.
#[derive(Debug)]
pub(crate) struct AppPasswordClaim {
    /// Name of the Basic credentials. A Bearer token has none.
    pub(crate) name: Option<UserName>,
    pub(crate) password: AppPassword,
}

impl Authorization {
    /// Parses a header value (RFC 7617, RFC 6750). A value that is not UTF-8 is for the
    /// application.
    pub(crate) fn parse(value: &[u8]) -> Authorization {
        let value = match std::str::from_utf8(value) {
            Ok(value) if !value.is_empty() => value,
            _ => return Authorization::Other,
        };
        let Some((scheme, rest)) = value.split_once(' ') else {
            return Authorization::Other;
        };
        let rest = rest.trim_matches(' ');
        if scheme.eq_ignore_ascii_case("basic") {
            parse_basic(rest)
        } else if scheme.eq_ignore_ascii_case("bearer") && rest.len() <= MAX_VALUE {
            match AppPassword::parse(rest) {
                Ok(password) => Authorization::AppPassword(AppPasswordClaim {
                    name: None,
                    password,
                }),
                Err(InvalidAppPassword::Mistyped) => Authorization::Mistyped,
                Err(InvalidAppPassword::OtherShape) => Authorization::Other,
            }
        } else {
            Authorization::Other
        }
    }

    /// Whether the value is for the gate, so that the application must not receive it.
    pub(crate) fn is_app_password(&self) -> bool {
        matches!(
            self,
            Authorization::Mistyped | Authorization::AppPassword(_)
        )
    }
}

/// Returns the token of a Bearer value (RFC 6750), empty if it has none.
pub(crate) fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let end = value
        .iter()
        .position(|byte| *byte == b' ')
        .unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    scheme
        .eq_ignore_ascii_case(b"bearer")
        .then(|| rest.trim_ascii())
}

fn parse_basic(encoded: &str) -> Authorization {
    if encoded.len() > MAX_VALUE {
        return Authorization::OtherBasic;
    }
    let Ok(decoded) = BASE64.decode(encoded.as_bytes()).map(Zeroizing::new) else {
        return Authorization::OtherBasic;
    };
    let pair = std::str::from_utf8(&decoded)
        .ok()
        .and_then(|text| text.split_once(':'));
    let Some((name, password)) = pair else {
        return Authorization::OtherBasic;
    };
    match (
        AppPassword::parse(password),
        UserName::parse(name.as_bytes()),
    ) {
        (Ok(password), Ok(name)) => Authorization::AppPassword(AppPasswordClaim {
            name: Some(name),
            password,
        }),
        // The name is of no account, and the application must not receive the app password.
        (Ok(_), Err(_)) | (Err(InvalidAppPassword::Mistyped), _) => Authorization::Mistyped,
        (Err(InvalidAppPassword::OtherShape), _) => Authorization::OtherBasic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic_of(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text.as_bytes()))
    }

    #[test]
    fn a_bearer_token_comes_after_its_scheme_and_no_other_way() {
        assert_eq!(bearer_token(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer_token(b"bEARER  abc "), Some(&b"abc"[..]));
        assert_eq!(
            bearer_token(b"Bearer"),
            Some(&b""[..]),
            "one that is empty is no other scheme"
        );
        for value in [&b""[..], b"abc", b"Basic YTph", b"Bearerabc"] {
            assert_eq!(bearer_token(value), None, "{value:?}");
        }
    }

    #[test]
    fn an_app_password_comes_as_basic_or_bearer() {
        let password = AppPassword::random().unwrap();
        let (shown, plain) = (password.grouped(), password.grouped().replace('-', ""));
        for (value, name) in [
            (basic_of(&format!("alice:{}", *shown)), Some("alice")),
            (
                basic_of(&format!("ü@x.org:{}", plain.to_lowercase())),
                Some("ü@x.org"),
            ),
            (
                basic_of(&format!("alice:{}", *shown)).replace("Basic", "bAsIc"),
                Some("alice"),
            ),
            (format!("Bearer {}", *shown), None),
            (format!("bearer  {plain}"), None),
        ] {
            match Authorization::parse(value.as_bytes()) {
                Authorization::AppPassword(claim) => {
                    assert_eq!(claim.name.as_ref().map(UserName::as_str), name, "{value}");
                    assert_eq!(*claim.password.grouped(), *shown, "{value}");
                }
                other => panic!("{value}: {other:?}"),
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_for_the_application() {
        for value in [&b"Basic \xeb"[..], b"\xff", b"Bearer \xc0\xaf"] {
            assert!(
                matches!(Authorization::parse(value), Authorization::Other),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_mistyped_app_password_is_ours_and_other_basic_credentials_are_not() {
        let shown = AppPassword::random().unwrap().grouped();
        let mistyped = if shown.ends_with('2') { "3" } else { "2" };
        let mistyped = format!("{}{mistyped}", &shown[..shown.len() - 1]);
        let unknown = basic_of(&format!("a/b:{}", *shown));
        for value in [
            basic_of(&format!("alice:{mistyped}")),
            format!("Bearer {mistyped}"),
            unknown,
        ] {
            let parsed = Authorization::parse(value.as_bytes());
            assert!(
                matches!(parsed, Authorization::Mistyped) && parsed.is_app_password(),
                "{value}"
            );
        }
        let long = basic_of(&format!("{}:{}", "a".repeat(4096), *shown));
        for value in [
            basic_of("alice:correct horse"),
            basic_of("alice"),
            basic_of(""),
            "Basic %%".to_owned(),
            long,
        ] {
            let parsed = Authorization::parse(value.as_bytes());
            assert!(
                matches!(parsed, Authorization::OtherBasic) && !parsed.is_app_password(),
                "{value}"
            );
        }
        for value in [
            "",
            "Basic",
            "Bearer",
            "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x",
            "Digest username=\"a\"",
            "x y z",
        ] {
            assert!(
                matches!(Authorization::parse(value.as_bytes()), Authorization::Other),
                "{value}"
            );
        }
    }
}
