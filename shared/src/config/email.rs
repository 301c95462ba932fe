//! `[email]`: how posternd sends mail, and the lifetime of mailed codes.
//! Refuses a URL that contains a password, and a connection without TLS to anything but loopback.

use super::AbsolutePath;
use super::check::Conflict;
use super::value::Duration;
use crate::account::email::EmailAddress;
use crate::network::web_address::is_host;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Socket of `postern-mail.socket`, through which `email.command` receives mail.
pub const COMMAND_SOCKET: &str = "/run/postern/mail.sock";

/// `[email]`: one of `smtp_url`, `webhook_url` and `command`; without any of them no mail is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmailConfig {
    pub smtp_url: Option<SmtpUrl>,
    /// User name at the mail server.
    pub smtp_user: Option<String>,
    /// File with the password at the mail server.
    pub smtp_password_file: Option<AbsolutePath>,
    /// Name of the systemd credential that replaces the file.
    pub smtp_password_credential: Option<SystemdCredential>,
    /// CA certificates (PEM) that replace those of the host.
    pub smtp_ca_file: Option<AbsolutePath>,
    /// URL to which each mail is posted as JSON.
    pub webhook_url: Option<WebhookUrl>,
    /// File with the secret that is sent as a Bearer token.
    pub webhook_secret_file: Option<AbsolutePath>,
    /// Name of the systemd credential that replaces the file.
    pub webhook_secret_credential: Option<SystemdCredential>,
    /// Program and arguments; the program reads the mail from standard input.
    pub command: Vec<String>,
    /// Address of the sender.
    pub from: Option<EmailAddress>,
    /// Time limit for sending one mail.
    pub timeout: Duration<1, 60, 10>,
    /// Lifetime of a mailed code.
    pub code_ttl: Duration<60, 3600, 900>,
    /// Minimum time between two requests for a mailed code.
    pub cooldown: Duration<10, 3600, 60>,
}

impl EmailConfig {
    /// Whether a way to send mail is configured.
    pub fn is_enabled(&self) -> bool {
        self.smtp_url.is_some() || self.webhook_url.is_some() || self.uses_command()
    }

    /// Whether a program sends mail.
    pub fn uses_command(&self) -> bool {
        !self.command.is_empty()
    }

    /// Checks everything that involves more than one key.
    pub(super) fn check(&self) -> Result<(), Conflict> {
        let conflict =
            |key: &'static [&'static str], message: &str| Err(Conflict::new(key, message));
        let transports = [
            self.smtp_url.is_some(),
            self.webhook_url.is_some(),
            !self.command.is_empty(),
        ];
        if transports.into_iter().filter(|given| *given).count() > 1 {
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

/// Protection of the connection to the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    Tls,
    /// STARTTLS; nothing is sent if the server does not offer it.
    StartTls,
    /// No TLS, on loopback only.
    None,
}

/// `email.smtp_url`, parsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SmtpUrl {
    /// Host name, as the server's certificate names it.
    pub host: String,
    pub port: u16,
    pub protection: Protection,
}

impl TryFrom<String> for SmtpUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<SmtpUrl, Self::Error> {
        const EXPECTED: &str = "must be smtps://HOST[:PORT] or smtp://HOST[:PORT], without name and password: \
                            those are smtp_user and smtp_password_file";
        let (is_tls, rest) = match url.split_once("://") {
            Some(("smtps", rest)) => (true, rest),
            Some(("smtp", rest)) => (false, rest),
            _ => return Err(EXPECTED),
        };
        let (host, port) =
            parse_host_and_port(rest.strip_suffix('/').unwrap_or(rest)).ok_or(EXPECTED)?;
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

/// `email.webhook_url`, parsed: https, or http on loopback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl {
    /// Host name, as the server's certificate names it.
    pub host: String,
    pub port: u16,
    /// Path and query, beginning with a slash.
    pub path: String,
    pub tls: bool,
}

impl WebhookUrl {
    /// Returns the value of the Host header: the port only if it is not the default.
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
        const EXPECTED: &str =
            "must be https://HOST[:PORT]/PATH, or http:// on loopback, without name and password";
        let (tls, rest) = match url.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(EXPECTED),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = parse_host_and_port(authority).ok_or(EXPECTED)?;
        if !path.bytes().all(|b| b.is_ascii_graphic() && b != b'#') || !(tls || is_loopback(&host))
        {
            return Err(EXPECTED);
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

/// Parses `HOST` or `HOST:PORT`, and nothing else.
fn parse_host_and_port(text: &str) -> Option<(String, Option<u16>)> {
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
#[serde(try_from = "String")]
pub struct SystemdCredential(String);

impl SystemdCredential {
    /// Returns the path of the credential below `$CREDENTIALS_DIRECTORY`; `None` if systemd passes
    /// no credentials.
    pub fn path(&self) -> Option<PathBuf> {
        let folder = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?);
        folder.is_absolute().then(|| folder.join(&self.0))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_reached_without_tls() {
        let smtp =
            |url: &str| SmtpUrl::try_from(url.to_owned()).map(|url| (url.port, url.protection));
        for (url, port, protection) in [
            ("smtps://mail.example.com", 465, Protection::Tls),
            ("smtp://mail.example.com/", 587, Protection::StartTls),
            ("smtp://mail.example.com:25", 25, Protection::StartTls),
            ("smtp://127.0.0.1", 25, Protection::None),
            ("smtp://localhost:2525", 2525, Protection::None),
            ("smtp://localhost.example.com", 587, Protection::StartTls),
        ] {
            assert_eq!(smtp(url), Ok((port, protection)), "{url}");
        }
        let webhook =
            |url: &str| WebhookUrl::try_from(url.to_owned()).map(|url| (url.port, url.path));
        for (url, port, path) in [
            ("https://hooks.example.com", 443, "/"),
            ("http://127.0.0.1:8025/x?y=1", 8025, "/x?y=1"),
        ] {
            assert_eq!(webhook(url), Ok((port, path.to_owned())), "{url}");
        }
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
            let config: EmailConfig = toml::from_str(text).unwrap();
            config.check().map_err(|conflict| conflict.message)
        };
        let smtp = "smtp_url = \"smtp://localhost\"\n";
        let webhook = "webhook_url = \"https://example.com/\"\n";
        let from = "from = \"a@example.com\"\n";
        let secrets = "webhook_secret_file = \"/a\"\nwebhook_secret_credential = \"a\"";
        for text in ["", &format!("{smtp}{from}"), webhook] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, words) in [
            (smtp, "needs from"),
            (
                &format!("command = [\"sendmail\"]\n{from}"),
                "absolute path",
            ),
            (
                &format!("{webhook}command = [\"/bin/true\"]"),
                "more than one",
            ),
            ("smtp_user = \"a\"", "together with"),
            ("smtp_password_file = \"/a\"", "together with"),
            (secrets, "keep one"),
        ] {
            assert!(check(text).unwrap_err().contains(words), "{text}");
        }
    }
}
