//! Checks of `[gate]` beyond its syntax: the domain of its cookies, and the secrets of its proxies,
//! which are in files. `postern check`, `postern edit`, and the gate at start and reload all use
//! these checks.
//! They are not part of reading the file: an error in `[gate]` must not affect sshd or sudo.

use super::{GateConfig, GateUrl};
use crate::config::Config;
use crate::config::file::{ConfigError, locate};
use crate::system::trusted_file::{self, Follow, Privacy};
use std::path::Path;
use zeroize::Zeroizing;

/// Minimum length of a proxy's secret, in bytes.
const LEAST: usize = 16;
/// Size limit of a secret file, in bytes.
const LARGEST: u64 = 4096;

/// The secrets by which trusted proxies authenticate: none is shorter than [`LEAST`] or readable by
/// everyone.
pub struct ProxySecrets(Vec<Option<Zeroizing<Vec<u8>>>>);

impl ProxySecrets {
    /// Returns the secret of each entry of `gate.trusted_proxies` in order; `None` for an entry
    /// without `secret_file`.
    pub fn in_order(self) -> impl Iterator<Item = Option<Zeroizing<Vec<u8>>>> {
        self.0.into_iter()
    }
}

/// Checks the domain of cookies, and reads the secrets of proxies.
///
/// # Errors
/// Fails with file, line and key of what is refused. `text` is the content of the file, if it can
/// differ from the file on disk.
pub fn check_gate(
    path: &Path,
    text: Option<&str>,
    config: &Config,
) -> Result<ProxySecrets, ConfigError> {
    check_cookie_domain(path, text, config)?;
    let mut secrets = Vec::new();
    if config.gate.url.is_none() {
        return Ok(ProxySecrets(secrets));
    }
    for (proxy, position) in config.gate.trusted_proxies.iter().zip(0..) {
        let file = proxy.secret_file.as_ref();
        let secret = file.map(|file| read_secret(file.path())).transpose();
        let secret = secret.map_err(|message| {
            let index = usize::to_string(&position);
            let keys = ["gate", "trusted_proxies", &index, "secret_file"];
            refuse_key(path, text, &keys, message)
        })?;
        secrets.push(secret);
    }
    Ok(ProxySecrets(secrets))
}

/// Checks the domain of cookies only, for a caller that may not read secrets.
///
/// # Errors
/// The same as those of [`check_gate`].
pub fn check_cookie_domain(
    path: &Path,
    text: Option<&str>,
    config: &Config,
) -> Result<(), ConfigError> {
    validate_cookie_domain(&config.gate)
        .map_err(|message| refuse_key(path, text, &["gate", "cookie_domain"], message))
}

fn validate_cookie_domain(gate: &GateConfig) -> Result<(), String> {
    let url = gate.url.as_ref().filter(|url| url.has_own_host());
    let own_host = url.map(GateUrl::host);
    let Some(cookie_domain) = &gate.cookie_domain else {
        return match own_host {
            Some(host) => Err(format!(
                "is missing: a gate on a host of its own needs the parent domain of its host {host}"
            )),
            None => Ok(()),
        };
    };
    let domain = cookie_domain.as_str();
    if is_address(domain) {
        return Err(format!(
            "{domain} is an IP address, for which cookies cannot have a domain; use a host name"
        ));
    }
    if is_public_suffix(domain) {
        return Err(format!(
            "{domain} is a public suffix, below which anyone can have a host, so browsers refuse cookies for it; set \
             your own domain, such as example.{domain}"
        ));
    }
    match own_host {
        Some(host) if host == domain => Err(format!(
            "{domain} is the gate's own host, and no application is below it; set the parent domain of both"
        )),
        Some(host) if !cookie_domain.covers(host) => Err(format!(
            "{domain} does not cover {host}, the gate's host in gate.url; set the parent domain of both"
        )),
        _ => Ok(()),
    }
}

/// Whether browsers parse a host as an IPv4 address: its last label is a number (WHATWG URL, "ends
/// in a number").
fn is_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x")
}

/// Whether a domain is a public suffix by the list of publicsuffix.org, private section included. A
/// single label that the list lacks is one too.
fn is_public_suffix(domain: &str) -> bool {
    psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == domain.as_bytes())
}

/// Returns the registrable domain of a host, such as example.co.uk: every host below it can set
/// cookies for it.
pub fn registrable_domain(host: &str) -> Option<&str> {
    psl::domain_str(host)
}

fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = trusted_file::read_trusted(path, Privacy::Secret, Follow::Yes, LARGEST)
        .map_err(|error| error.to_string())?;
    let secret = Zeroizing::new(bytes.trim_ascii().to_vec());
    match secret.len() >= LEAST {
        true => Ok(secret),
        false => Err(format!(
            "{}: contains a secret of less than {LEAST} bytes; create one with openssl rand -hex 32",
            path.display()
        )),
    }
}

fn refuse_key(path: &Path, text: Option<&str>, keys: &[&str], message: String) -> ConfigError {
    let on_disk = || std::fs::read_to_string(path).unwrap_or_default();
    let text = text.map_or_else(on_disk, str::to_owned);
    let position = locate::position_of(&text, keys);
    let line = position.map_or(1, |position| locate::line_number(&text, position));
    let names = keys.iter().filter(|key| key.parse::<usize>().is_err());
    let key = names.copied().collect::<Vec<_>>().join(".");
    ConfigError::content(path, line, Some(key), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refusal_message(gate: &str) -> Option<String> {
        let text = format!("[gate]\n{gate}\n");
        let config: Config = toml::from_str(&text).unwrap();
        let checked = check_gate(Path::new("/p.toml"), Some(&text), &config);
        checked.err().map(|error| error.to_string())
    }

    /// Regression: these were accepted, and the browser kept no session, or sent it to hosts of
    /// other owners.
    #[test]
    fn a_cookie_domain_that_browsers_refuse_or_that_reaches_no_application_is_refused() {
        let auth = "url = \"https://auth.example.com/\"";
        for (domain, words) in [
            ("com", "is a public suffix"),
            ("CO.UK", "is a public suffix"),
            ("github.io", "is a public suffix"),
            ("localhost", "is a public suffix"),
            ("lan", "is a public suffix"),
            ("192.0.2.1", "is an IP address"),
            ("10.1", "is an IP address"),
            ("auth.example.com", "is the gate's own host"),
            ("example.org", "does not cover auth.example.com"),
            ("app.example.com", "does not cover auth.example.com"),
        ] {
            let message =
                refusal_message(&format!("{auth}\ncookie_domain = \"{domain}\"")).unwrap();
            let domain = domain.to_ascii_lowercase();
            let expected = format!("/p.toml:3: gate.cookie_domain: {domain} {words}");
            assert!(message.starts_with(&expected), "{message}");
        }
        let own = |host: &str, domain: &str| {
            format!("url = \"https://{host}/\"\ncookie_domain = \"{domain}\"")
        };
        for gate in [
            &own("auth.example.com", "example.com"),
            &own("auth.x.github.io", "x.github.io"),
            &own("auth.example.test", "example.test"),
            "url = \"https://app.example.com/_postern/\"",
            "cookie_domain = \"example.com\"",
        ] {
            assert_eq!(refusal_message(gate), None, "{gate}");
        }
        let message = refusal_message(auth).unwrap();
        assert!(
            message.contains("gate.cookie_domain: is missing"),
            "{message}"
        );
    }

    #[test]
    fn hosts_share_cookies_below_their_registrable_domain() {
        for (host, domain) in [
            ("auth.example.com", Some("example.com")),
            ("a.b.example.co.uk", Some("example.co.uk")),
            ("x.github.io", Some("x.github.io")),
            ("com", None),
        ] {
            assert_eq!(registrable_domain(host), domain, "{host}");
        }
    }

    /// Regression: with an empty secret and a certificate, a missing header was accepted as the
    /// secret.
    #[test]
    fn a_secret_that_is_short_empty_missing_or_open_to_everyone_is_refused_with_its_line() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, secret: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, secret).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            path.display().to_string()
        };
        let good = file("good", "0123456789abcdef\n", 0o600);
        let with = |path: &str, more: &str| {
            let proxy = |file: &str| {
                format!(
                    "[[gate.trusted_proxies]]\nproxy = \"nginx\"\nfrom = [\"unix\"]\nsecret_file = \"{file}\"\n"
                )
            };
            let url = "url = \"https://app.example.com/_postern/\"\n";
            refusal_message(&format!("{url}{}{}{more}", proxy(&good), proxy(path)))
        };
        assert_eq!(with(&good, ""), None);
        let short = file("short", "0123456789abcde\n", 0o600);
        let missing = folder.path().join("missing").display().to_string();
        for (path, words) in [
            (short, "less than 16 bytes"),
            (file("empty", " \n", 0o600), "less than 16 bytes"),
            (file("open", "0123456789abcdef\n", 0o644), "open"),
            (missing, "missing"),
        ] {
            for more in ["", "certificate = true"] {
                let message = with(&path, more).unwrap();
                let position = "/p.toml:10: gate.trusted_proxies.secret_file: ";
                assert!(
                    message.starts_with(position) && message.contains(words),
                    "{message}"
                );
            }
        }
    }
}
