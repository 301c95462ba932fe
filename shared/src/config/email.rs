//! `[email]`: by what posternd sends mail, and how long mailed codes live.

use super::AbsolutePath;
use super::conflict::Conflict;
use super::value::Duration;
use crate::account::email::EmailAddress;
use crate::network::web_address::is_host;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where systemd listens for letters that `command` is to take (`postern-mail.socket`).
pub const COMMAND_SOCKET: &str = "/run/postern/mail.sock";

/// `[email]`: one of `smtp_url`, `webhook_url` and `command`, or none: then no mail is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmailConfig {
    /// The mail server.
    pub smtp_url: Option<SmtpUrl>,
    /// The name to sign in to it with.
    pub smtp_user: Option<String>,
    /// Holds the password to that name.
    pub smtp_password_file: Option<AbsolutePath>,
    /// The systemd credential that holds it.
    pub smtp_password_credential: Option<SystemdCredential>,
    /// The authority of the server's certificate, PEM, instead of those of the host.
    pub smtp_ca_file: Option<AbsolutePath>,
    /// Where a letter is posted as JSON.
    pub webhook_url: Option<WebhookUrl>,
    /// Holds the secret that is sent along as a Bearer token.
    pub webhook_secret_file: Option<AbsolutePath>,
    /// The systemd credential that holds it.
    pub webhook_secret_credential: Option<SystemdCredential>,
    /// A program and its arguments, which reads a letter from stdin.
    pub command: Vec<String>,
    /// The sender.
    pub from: Option<EmailAddress>,
    /// How long sending one letter may take.
    pub timeout: Duration<1, 60>,
    /// How long a mailed code is good.
    pub code_ttl: Duration<60, 3600>,
    /// How soon after a mail another may be asked for.
    pub cooldown: Duration<10, 3600>,
}

impl Default for EmailConfig {
    fn default() -> EmailConfig {
        EmailConfig {
            smtp_url: None,
            smtp_user: None,
            smtp_password_file: None,
            smtp_password_credential: None,
            smtp_ca_file: None,
            webhook_url: None,
            webhook_secret_file: None,
            webhook_secret_credential: None,
            command: Vec::new(),
            from: None,
            timeout: Duration::new(10),
            code_ttl: Duration::new(900),
            cooldown: Duration::new(60),
        }
    }
}

impl EmailConfig {
    /// Whether there is anything to send mail by.
    pub fn is_enabled(&self) -> bool {
        self.smtp_url.is_some() || self.webhook_url.is_some() || self.uses_command()
    }

    /// Whether it is a program that sends mail.
    pub fn uses_command(&self) -> bool {
        !self.command.is_empty()
    }

    /// Checks what no single key can know.
    pub(super) fn check(&self) -> Result<(), Conflict> {
        let conflict = |key: &'static [&'static str], message: &str| {
            Err(Conflict {
                path: key,
                message: message.to_owned(),
            })
        };
        let ways = [
            self.smtp_url.is_some(),
            self.webhook_url.is_some(),
            !self.command.is_empty(),
        ];
        if ways.into_iter().filter(|given| *given).count() > 1 {
            return conflict(
                &["email"],
                "has more than one of smtp_url, webhook_url and command; keep one",
            );
        }
        if self
            .command
            .first()
            .is_some_and(|program| !program.starts_with('/'))
        {
            return conflict(
                &["email", "command"],
                "must begin with the absolute path of a program",
            );
        }
        if self.command.iter().any(|word| word.contains('\0')) {
            return conflict(&["email", "command"], "must not contain a NUL byte");
        }
        if self.from.is_none() && (self.smtp_url.is_some() || !self.command.is_empty()) {
            return conflict(&["email"], "needs from, the sender's address");
        }
        if self.smtp_password_file.is_some() && self.smtp_password_credential.is_some() {
            return conflict(
                &["email", "smtp_password_credential"],
                "is set together with smtp_password_file; keep one",
            );
        }
        if self.webhook_secret_file.is_some() && self.webhook_secret_credential.is_some() {
            return conflict(
                &["email", "webhook_secret_credential"],
                "is set together with webhook_secret_file; keep one",
            );
        }
        let has_password =
            self.smtp_password_file.is_some() || self.smtp_password_credential.is_some();
        if self.smtp_user.is_some() != has_password {
            return conflict(
                &["email"],
                "needs smtp_user together with smtp_password_file or smtp_password_credential",
            );
        }
        Ok(())
    }
}

/// How the way to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS, or nothing is sent.
    StartTls,
    /// None, on loopback.
    None,
}

/// `email.smtp_url`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SmtpUrl {
    /// The server, as its certificate names it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS.
    pub protection: Protection,
}

impl TryFrom<String> for SmtpUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<SmtpUrl, Self::Error> {
        const WHAT: &str = "must be smtps://HOST[:PORT] or smtp://HOST[:PORT], without name and password: \
                            those are smtp_user and smtp_password_file";
        let (is_tls, rest) = match url.split_once("://") {
            Some(("smtps", rest)) => (true, rest),
            Some(("smtp", rest)) => (false, rest),
            _ => return Err(WHAT),
        };
        let (host, port) = host_and_port(rest.strip_suffix('/').unwrap_or(rest)).ok_or(WHAT)?;
        let protection = match (is_tls, is_loopback(&host)) {
            (true, _) => Protection::Tls,
            (false, true) => Protection::None,
            (false, false) => Protection::StartTls,
        };
        let usual = match protection {
            Protection::Tls => 465,
            Protection::StartTls => 587,
            Protection::None => 25,
        };
        Ok(SmtpUrl {
            host,
            port: port.unwrap_or(usual),
            protection,
        })
    }
}

impl From<SmtpUrl> for String {
    fn from(
        SmtpUrl {
            host,
            port,
            protection,
        }: SmtpUrl,
    ) -> String {
        let scheme = if protection == Protection::Tls {
            "smtps"
        } else {
            "smtp"
        };
        format!("{scheme}://{host}:{port}")
    }
}

/// `email.webhook_url`, taken apart: https, or http on loopback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl {
    /// The server, as its certificate names it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Path and query, with the slash.
    pub path: String,
    /// Whether TLS protects it.
    pub tls: bool,
}

impl WebhookUrl {
    /// Host and port, as a request names them.
    pub fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<WebhookUrl, Self::Error> {
        const WHAT: &str =
            "must be https://HOST[:PORT]/PATH, or http:// on loopback, without name and password";
        let (tls, rest) = match url.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(WHAT),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = host_and_port(authority).ok_or(WHAT)?;
        if !path.bytes().all(|b| b.is_ascii_graphic() && b != b'#') || !(tls || is_loopback(&host))
        {
            return Err(WHAT);
        }
        let path = if path.is_empty() {
            "/".to_owned()
        } else {
            path.to_owned()
        };
        Ok(WebhookUrl {
            host,
            port: port.unwrap_or(if tls { 443 } else { 80 }),
            path,
            tls,
        })
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> String {
        let scheme = if url.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", url.authority(), url.path)
    }
}

/// `HOST` or `HOST:PORT`, and nothing else.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port > 0)?)),
        None => (text, None),
    };
    is_host(host).then(|| (host.to_ascii_lowercase(), port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The name of a systemd credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SystemdCredential(String);

impl SystemdCredential {
    /// Where systemd put it: below $CREDENTIALS_DIRECTORY of the service.
    pub fn path(&self) -> Option<PathBuf> {
        let folder = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?);
        folder.is_absolute().then(|| folder.join(&self.0))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SystemdCredential {
    type Error = &'static str;

    fn try_from(name: String) -> Result<SystemdCredential, Self::Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match (1..=128).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
            true => Ok(SystemdCredential(name)),
            false => {
                Err("must be the name of a systemd credential: letters, digits, '-', '_' and '.'")
            }
        }
    }
}

impl From<SystemdCredential> for String {
    fn from(name: SystemdCredential) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_reached_without_tls() {
        let smtp =
            |url: &str| SmtpUrl::try_from(url.to_owned()).map(|url| (url.port, url.protection));
        assert_eq!(smtp("smtps://mail.example.com"), Ok((465, Protection::Tls)));
        assert_eq!(
            smtp("smtp://mail.example.com/"),
            Ok((587, Protection::StartTls))
        );
        assert_eq!(
            smtp("smtp://mail.example.com:25"),
            Ok((25, Protection::StartTls))
        );
        assert_eq!(smtp("smtp://127.0.0.1"), Ok((25, Protection::None)));
        assert_eq!(smtp("smtp://localhost:2525"), Ok((2525, Protection::None)));
        assert_eq!(
            smtp("smtp://localhost.example.com"),
            Ok((587, Protection::StartTls))
        );
        let webhook =
            |url: &str| WebhookUrl::try_from(url.to_owned()).map(|url| (url.port, url.path));
        assert_eq!(
            webhook("https://hooks.example.com"),
            Ok((443, "/".to_owned()))
        );
        assert_eq!(
            webhook("http://127.0.0.1:8025/x?y=1"),
            Ok((8025, "/x?y=1".to_owned()))
        );
        assert!(webhook("http://hooks.example.com/").is_err());
    }

    #[test]
    fn a_url_that_holds_a_password_is_refused() {
        for url in [
            "smtp://a:b@mail.example.com",
            "smtps://a@mail.example.com:465",
            "smtp://a:b@localhost",
        ] {
            assert!(SmtpUrl::try_from(url.to_owned()).is_err(), "{url}");
        }
        for url in [
            "https://a:b@hooks.example.com/",
            "https://a@hooks.example.com/",
            "https:///x",
            "ftp://x/",
        ] {
            assert!(WebhookUrl::try_from(url.to_owned()).is_err(), "{url}");
        }
    }

    #[test]
    fn keys_that_contradict_each_other_are_refused() {
        let check = |text: &str| {
            toml::from_str::<EmailConfig>(text)
                .unwrap()
                .check()
                .map_err(|c| c.message)
        };
        assert_eq!(check(""), Ok(()));
        assert_eq!(
            check("smtp_url = \"smtp://localhost\"\nfrom = \"a@example.com\""),
            Ok(())
        );
        assert_eq!(check("webhook_url = \"https://example.com/\""), Ok(()));
        for (text, said) in [
            ("smtp_url = \"smtp://localhost\"", "needs from"),
            (
                "command = [\"sendmail\"]\nfrom = \"a@example.com\"",
                "absolute path",
            ),
            (
                "webhook_url = \"https://example.com/\"\ncommand = [\"/bin/true\"]",
                "more than one",
            ),
            ("smtp_user = \"a\"", "together with"),
            ("smtp_password_file = \"/a\"", "together with"),
            (
                "webhook_secret_file = \"/a\"\nwebhook_secret_credential = \"a\"",
                "keep one",
            ),
        ] {
            assert!(check(text).unwrap_err().contains(said), "{text}");
        }
    }
}
