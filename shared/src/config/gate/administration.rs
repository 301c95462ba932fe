//! `[gate.administration]`: whether administrators on the gate's pages, and programs with a secret,
//! can administer accounts. Both are off by default.

use super::GateUrl;
use crate::config::AbsolutePath;
use crate::config::check::Conflict;
use crate::config::secret_file::SystemdCredential;
use crate::system::network::address::{Address, Network};
use serde::{Deserialize, Serialize};

/// The table `[gate.administration]` of postern.toml.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdministrationConfig {
    /// Whether the accounts of `policy.administrators` have administration pages.
    pub pages: bool,
    /// File with the secret of programs.
    pub secret_file: Option<AbsolutePath>,
    /// Name of the systemd credential with the secret.
    pub secret_credential: Option<SystemdCredential>,
    /// Networks from which administration is allowed; all if empty.
    pub networks: Vec<Network>,
}

impl AdministrationConfig {
    /// Whether any kind of administration is enabled.
    pub fn is_enabled(&self) -> bool {
        self.pages || self.accepts_secret()
    }

    /// Whether a secret for programs is configured.
    pub fn accepts_secret(&self) -> bool {
        self.secret_file.is_some() || self.secret_credential.is_some()
    }

    /// Whether administration is allowed from an address.
    pub fn allows_address(&self, address: Address) -> bool {
        let mut networks = self.networks.iter();
        self.networks.is_empty() || networks.any(|network| network.contains(address))
    }

    /// Checks everything that involves more than one key.
    pub(in crate::config) fn check(
        &self,
        gate_url: Option<&GateUrl>,
        administrators: usize,
    ) -> Result<(), Conflict> {
        let conflict =
            |key: &'static [&'static str], message: &str| Err(Conflict::new(key, message));
        if self.secret_file.is_some() && self.secret_credential.is_some() {
            return conflict(
                &["gate", "administration", "secret_credential"],
                "is set together with secret_file; keep one",
            );
        }
        if self.is_enabled() && !gate_url.is_none_or(GateUrl::has_own_host) {
            return conflict(
                &["gate", "administration"],
                "needs a gate with a host of its own: on a path of the protected host, in gate.url, the \
                 application's scripts could act as an administrator who is signed in",
            );
        }
        if self.pages && administrators == 0 {
            return conflict(
                &["gate", "administration", "pages"],
                "needs policy.administrators, which names no one",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_contradict_each_other_are_refused() {
        let own_host = "https://auth.example.com/";
        let on_path = "https://app.example.com/_postern/";
        let check = |text: &str, url: &str, administrators| {
            let url = GateUrl::try_from(url.to_owned()).unwrap();
            toml::from_str::<AdministrationConfig>(text)
                .unwrap()
                .check(Some(&url), administrators)
                .map_err(|c| c.message)
        };
        let pages_and_secret = "pages = true\nsecret_file = \"/a\"";
        let two_secrets = "secret_file = \"/a\"\nsecret_credential = \"a\"";
        assert_eq!(check("", on_path, 0), Ok(()));
        assert_eq!(check(pages_and_secret, own_host, 1), Ok(()));
        assert_eq!(check("secret_credential = \"a\"", own_host, 0), Ok(()));
        for (text, url, administrators, words) in [
            ("pages = true", on_path, 1, "host of its own"),
            ("secret_file = \"/a\"", on_path, 1, "host of its own"),
            ("pages = true", own_host, 0, "names no one"),
            (two_secrets, own_host, 1, "keep one"),
        ] {
            let message = check(text, url, administrators).unwrap_err();
            assert!(message.contains(words), "{text}");
        }
    }

    #[test]
    fn networks_narrow_where_it_is_reached_from() {
        let narrow = "networks = [\"192.0.2.0/24\", \"2001:db8::/32\"]";
        for (text, address, expected) in [
            ("", "192.0.2.7", true),
            (narrow, "192.0.2.7", true),
            (narrow, "2001:db8::1", true),
            (narrow, "198.51.100.1", false),
            (narrow, "::1", false),
        ] {
            let config: AdministrationConfig = toml::from_str(text).unwrap();
            let allowed = config.allows_address(Address::parse(address).unwrap());
            assert_eq!(allowed, expected, "{text} {address}");
        }
    }
}
