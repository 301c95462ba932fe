//! `gate.first_factor`: how the first factor is verified, and the names that PAM and trusted
//! proxies need for it.

use crate::credential::completed_methods::CompletedMethods;
use serde::{Deserialize, Serialize};

/// The value of the key `gate.first_factor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstFactorSource {
    /// The password in the store.
    #[default]
    Password,
    /// The password of this host, verified by PAM through `postern-password`.
    Pam,
    /// The identity that a trusted proxy has authenticated.
    Header,
}

impl FirstFactorSource {
    /// Returns the authentication methods that are completed after the first factor. How a proxy
    /// authenticated the user is not known.
    pub fn completed_methods(self) -> &'static CompletedMethods {
        static PASSWORD: CompletedMethods = CompletedMethods::PASSWORD;
        static NOTHING: CompletedMethods = CompletedMethods::EMPTY;
        match self {
            FirstFactorSource::Password | FirstFactorSource::Pam => &PASSWORD,
            FirstFactorSource::Header => &NOTHING,
        }
    }

    /// Whether the first sign-in of a user creates the account: with these sources, users are
    /// defined outside Postern.
    pub fn creates_accounts(self) -> bool {
        match self {
            FirstFactorSource::Password => false,
            FirstFactorSource::Pam | FirstFactorSource::Header => true,
        }
    }
}

/// `gate.pam_service`: the name of a file in /etc/pam.d. It is in lower case, because libpam
/// converts service names to lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct PamServiceFile(String);

impl PamServiceFile {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PamServiceFile {
    fn default() -> PamServiceFile {
        PamServiceFile(HOST_PASSWORD_SERVICE.to_owned())
    }
}

impl TryFrom<String> for PamServiceFile {
    type Error = &'static str;

    fn try_from(name: String) -> Result<PamServiceFile, Self::Error> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        match (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
            true => Ok(PamServiceFile(name)),
            false => {
                Err("must be the name of a file in /etc/pam.d: lower case, digits, '-', '_', '.'")
            }
        }
    }
}

/// `identity_header` of a trusted proxy: the header with the user name, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct IdentityHeader(String);

/// Headers with another meaning, or that clients send in ordinary requests.
const RESERVED: [&str; 22] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "from",
    "host",
    "origin",
    "referer",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-proto",
    "x-forwarded-uri",
    "x-postern-proxy",
    "x-real-ip",
    "x-requested-with",
];

impl IdentityHeader {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdentityHeader {
    type Error = &'static str;

    fn try_from(text: String) -> Result<IdentityHeader, Self::Error> {
        let name = text.to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_free = !RESERVED.contains(&name.as_str())
            && !name.starts_with("sec-")
            && !name.starts_with("x-original-");
        match (1..=64).contains(&name.len()) && name.chars().all(plain) && is_free {
            true => Ok(IdentityHeader(name)),
            false => Err(
                "must be a header such as Remote-User that proxies and browsers do not use otherwise",
            ),
        }
    }
}

/// The service file of `postern-password` in /etc/pam.d.
pub const HOST_PASSWORD_SERVICE: &str = "postern-gate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_name_that_libpam_uses_unchanged() {
        for name in ["postern-gate", "a", "ldap_2.x"] {
            assert!(PamServiceFile::try_from(name.to_owned()).is_ok(), "{name}");
        }
        for name in [
            "",
            "../passwd",
            "/etc/pam.d/sshd",
            "SSHD",
            ".hidden",
            "a b",
            "a\n",
            &"a".repeat(65),
        ] {
            assert!(PamServiceFile::try_from(name.to_owned()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_header_with_another_meaning_is_no_identity_header() {
        for name in ["Remote-User", "X-Forwarded-User", "X-Client-CN"] {
            assert_eq!(
                IdentityHeader::try_from(name.to_owned()).unwrap().as_str(),
                name.to_ascii_lowercase()
            );
        }
        for name in [
            "",
            "Cookie",
            "X-Real-IP",
            "X-Postern-Proxy",
            "Sec-Fetch-Mode",
            "Remote_User",
            "a b",
        ] {
            assert!(IdentityHeader::try_from(name.to_owned()).is_err(), "{name}");
        }
    }
}
