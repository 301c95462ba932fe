//! Origins (RFC 6454) and the URLs below them: the application that is checked, and the pages of
//! the gate before it.

use postern_shared::system::network::web_address::is_host;
use std::fmt;

/// Longest URL that is accepted, in bytes. A redirect holds the requested URL, encoded.
const LONGEST: usize = 64 * 1024;

/// Scheme, host and port. The host is in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(super) is_tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Origin {
    /// Returns host and port as the Host header has them, without the port of the scheme.
    pub(super) fn authority(&self) -> String {
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// Returns the same host at another scheme and port.
    pub(super) fn plain(&self, port: u16) -> Origin {
        Origin {
            is_tls: false,
            host: self.host.clone(),
            port,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// An http or https URL with a host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckedUrl {
    pub(super) origin: Origin,
    /// Path and query; begins with a slash.
    pub(super) target: String,
}

impl CheckedUrl {
    /// Parses a URL without user, fragment or characters that a URL cannot hold.
    pub(crate) fn parse(text: &str) -> Result<CheckedUrl, &'static str> {
        const WRONG: &str = "must be a URL such as https://app.example.com/";
        if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(WRONG);
        }
        let (is_tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(WRONG),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)),
            None => (authority, Some(if is_tls { 443 } else { 80 })),
        };
        let port = port.ok_or(WRONG)?;
        if !is_host(host) {
            return Err(WRONG);
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(CheckedUrl {
            origin: Origin {
                is_tls,
                host: host.to_ascii_lowercase(),
                port,
            },
            target: format!("{slash}{target}"),
        })
    }

    /// Returns the path, without the query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the decoded value of a field of the query.
    pub(super) fn query_value(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let value = query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        Some(decoded.into_owned())
    }

    /// Resolves the value of a Location header that was received at this URL.
    pub(super) fn join(&self, location: &str) -> Option<CheckedUrl> {
        if location.starts_with("//") {
            let scheme = if self.origin.is_tls { "https" } else { "http" };
            return CheckedUrl::parse(&format!("{scheme}:{location}")).ok();
        }
        if location.starts_with('/') {
            let absolute = format!("{}{location}", self.origin);
            return CheckedUrl::parse(&absolute).ok();
        }
        if !location.contains("://") {
            let folder = self
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            let absolute = format!("{}{folder}/{location}", self.origin);
            return CheckedUrl::parse(&absolute).ok();
        }
        CheckedUrl::parse(location).ok()
    }
}

impl fmt::Display for CheckedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_a_target() {
        for (text, printed) in [
            ("https://App.example.com", "https://app.example.com/"),
            (
                "https://app.example.com:443/a?b",
                "https://app.example.com/a?b",
            ),
            (
                "http://app.example.com:8080?x",
                "http://app.example.com:8080/?x",
            ),
        ] {
            let url = CheckedUrl::parse(text).map(|url| url.to_string());
            assert_eq!(url.as_deref(), Ok(printed));
        }
        let long = format!("https://app.example.com/{}", "a".repeat(LONGEST));
        for text in [
            "",
            "app.example.com",
            "ftp://app.example.com/",
            "https:///x",
            "https://u@app.example.com/",
            "https://app.example.com:0/",
            "https://app.example.com:70000/",
            "https://app.example.com/\u{1b}",
            "https://app.example.com/a b",
            &long,
        ] {
            assert!(CheckedUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_location_is_resolved_at_the_url_where_it_was_received() {
        let url = CheckedUrl::parse("https://app.example.com/a/b?c").unwrap();
        for (location, joined) in [
            ("/x", Some("https://app.example.com/x")),
            ("x?y", Some("https://app.example.com/a/x?y")),
            (
                "https://auth.example.com/",
                Some("https://auth.example.com/"),
            ),
            ("//evil.example.com/", Some("https://evil.example.com/")),
            ("javascript://x", None),
        ] {
            let found = url.join(location).map(|url| url.to_string());
            assert_eq!(found.as_deref(), joined, "{location}");
        }
    }

    #[test]
    fn a_field_of_the_query_is_decoded() {
        let url = CheckedUrl::parse("https://a.example/s?cut=yes&rd=https%3A%2F%2Fb%2F").unwrap();
        assert_eq!(url.query_value("rd").as_deref(), Some("https://b/"));
        assert_eq!(url.query_value("r"), None);
    }
}
