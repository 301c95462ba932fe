//! URLs of https, as much of them as the suite needs.

use std::fmt;

/// An absolute URL of https, without user and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// Host name, in lower case.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query; begins with a slash.
    pub(crate) target: String,
}

impl Url {
    /// Parses an absolute URL. `None` for another scheme, a user, or no host.
    pub(crate) fn parse(text: &str) -> Option<Url> {
        let rest = text.strip_prefix("https://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, 443),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if host.is_empty() || !host.chars().all(is_name) {
            return None;
        }
        let target = target.split('#').next().unwrap_or_default();
        let target = match target.starts_with('/') {
            true => target.to_owned(),
            false => format!("/{target}"),
        };
        Some(Url {
            host: host.to_ascii_lowercase(),
            port,
            target,
        })
    }

    /// Resolves a reference as a browser does: absolute, or a path of this host, or below this path.
    /// `None` where it leads to anything but https.
    pub(crate) fn join(&self, reference: &str) -> Option<Url> {
        if reference.starts_with("https://") {
            return Url::parse(reference);
        }
        if reference.contains("://") || reference.starts_with("//") || reference.contains('\\') {
            return None;
        }
        let target = match reference.strip_prefix('/') {
            Some(path) => format!("/{path}"),
            None => {
                let path = self.target.split('?').next().unwrap_or("/");
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{folder}/{reference}")
            }
        };
        let mut url = self.clone();
        url.target = target;
        Some(url)
    }

    /// Returns host and port, as they stand in a Host header.
    pub(crate) fn authority(&self) -> String {
        match self.port {
            443 => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// Whether both have the same host and port.
    pub(crate) fn is_same_site(&self, other: &Url) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority(), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_as_browsers_do() {
        let base = Url::parse("https://App.example.test:8443/a/b?c").expect("a URL");
        let joined = |reference: &str| base.join(reference).map(|url| url.to_string());
        let https = "https://app.example.test:8443";
        assert_eq!(joined("/x?y").as_deref(), Some(&*format!("{https}/x?y")));
        assert_eq!(joined("x").as_deref(), Some(&*format!("{https}/a/x")));
        assert_eq!(joined("https://o.test").as_deref(), Some("https://o.test/"));
        for foreign in ["//evil", "http://x/", "\\\\evil", "https://u@evil/"] {
            assert_eq!(joined(foreign), None, "{foreign}");
        }
    }
}
