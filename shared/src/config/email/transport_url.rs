//! `email.smtp_url` and `email.webhook_url`: where mail is sent.
//! Refuses a URL that contains a password, and a connection without TLS to anything but loopback.

use crate::system::network::web_address::is_host;
use serde::{Deserialize, Serialize};

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
}
