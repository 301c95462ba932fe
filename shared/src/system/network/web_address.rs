//! Hosts and paths of web requests in the form in which rules and scopes compare them: hosts in
//! lower case without port and trailing dot, paths decoded once and without query.
//! A target that two programs could read in different ways is no path; the caller MUST deny it.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A host name in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct WebHost(String);

impl WebHost {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WebHost {
    type Error = &'static str;

    fn try_from(text: String) -> Result<WebHost, Self::Error> {
        match is_host(&text) {
            true => Ok(WebHost(text.to_ascii_lowercase())),
            false => Err("must be a host such as app.example.com, without a port"),
        }
    }
}

impl fmt::Display for WebHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the host of an authority in lower case, without port and trailing dots: the form that
/// rules and scopes compare.
pub fn normalize_host(authority: &str) -> Cow<'_, str> {
    // The common authority, in one pass: every check has one.
    let is_normal = |b: u8| b != b':' && !b.is_ascii_uppercase();
    if authority.bytes().all(is_normal) && !authority.ends_with('.') {
        return Cow::Borrowed(authority);
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_end_matches('.');
    match host.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(host.to_ascii_lowercase()),
        false => Cow::Borrowed(host),
    }
}

/// Splits an https URL into its host, in the form of [`normalize_host`], and its target: path and
/// query. Returns `None` for any other scheme.
pub fn split_url(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("https://")?;
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if target.starts_with('/') { "" } else { "/" };
    Some((
        normalize_host(authority).into_owned(),
        format!("{slash}{target}"),
    ))
}

/// Checks that a text is a host name: letters, digits, dashes and dots (RFC 1123), and the
/// underscore, which DNS and browsers accept too.
pub fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}

/// Longest target that is parsed, in bytes.
const LONGEST: usize = 16 * 1024;

/// Characters that are percent-encoded when a path is printed.
const ESCAPED: AsciiSet = CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'?')
    .add(b'#')
    .add(b'"')
    .add(b'<')
    .add(b'>');

/// The decoded segments of a path that every program reads in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebPath {
    /// `/a/b`, without a trailing slash; empty for the root.
    decoded: String,
}

/// The error for a target that is malformed or has more than one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmbiguousPath;

impl WebPath {
    /// Parses the target of a request: a path with or without a query.
    ///
    /// A target is ambiguous if a segment is empty, is a dot segment, or ends in a dot or a blank,
    /// which Windows drops. It is also ambiguous if a segment contains, literally or encoded, a
    /// character that separates parts for a program that decodes earlier (`/`, `\`, `;`, `?`, `#`),
    /// an escape that is encoded twice, a control character, or bytes that are not UTF-8.
    pub fn parse(target: &str) -> Result<WebPath, AmbiguousPath> {
        if target.len() > LONGEST || target.contains('#') {
            return Err(AmbiguousPath);
        }
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let inner = path.strip_prefix('/').ok_or(AmbiguousPath)?;
        let mut decoded = String::with_capacity(path.len());
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        if inner.is_empty() {
            // "//" has an empty segment
            return if path == "/" {
                Ok(WebPath { decoded })
            } else {
                Err(AmbiguousPath)
            };
        }
        for segment in inner.split('/') {
            if !is_encoded_well(segment.as_bytes()) {
                return Err(AmbiguousPath);
            }
            let segment = percent_decode(segment.as_bytes())
                .decode_utf8()
                .map_err(|_| AmbiguousPath)?;
            if matches!(&*segment, "" | "." | "..")
                || segment.ends_with(['.', ' '])
                || segment.contains(['/', '\\', ';', '?', '#'])
                || segment.chars().any(char::is_control)
                || has_escape(segment.as_bytes())
            {
                return Err(AmbiguousPath);
            }
            decoded.push('/');
            decoded.push_str(&segment);
        }
        Ok(WebPath { decoded })
    }

    /// Checks whether this path is `top` or lies below it, by whole segments.
    pub fn is_below(&self, top: &WebPath) -> bool {
        let rest = self.decoded.strip_prefix(top.decoded.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Returns the decoded path; `/` for the root.
    pub fn as_str(&self) -> &str {
        if self.decoded.is_empty() {
            "/"
        } else {
            &self.decoded
        }
    }
}

impl TryFrom<String> for WebPath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<WebPath, Self::Error> {
        const EXPECTED: &str = "must be a path such as /dav, without a query and not ambiguous";
        match WebPath::parse(&text) {
            Ok(path) if !text.contains('?') => Ok(path),
            _ => Err(EXPECTED),
        }
    }
}

/// Formats the path in the form that [`WebPath::parse`] accepts.
impl From<WebPath> for String {
    fn from(path: WebPath) -> String {
        path.to_string()
    }
}

/// Percent-encodes only the characters of [`ESCAPED`].
impl fmt::Display for WebPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        utf8_percent_encode(self.as_str(), &ESCAPED).fmt(f)
    }
}

/// Checks that every `%` begins an escape.
fn is_encoded_well(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        if !is_escape(&rest[at..]) {
            return false;
        }
        rest = &rest[at + 3..];
    }
    true
}

fn has_escape(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| bytes[at] == b'%' && is_escape(&bytes[at..]))
}

fn is_escape(bytes: &[u8]) -> bool {
    bytes
        .get(1..3)
        .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_lose_query_and_last_slash() {
        for (target, path) in [
            ("/", "/"),
            ("/?a=//../;", "/"),
            ("/dav", "/dav"),
            ("/dav/", "/dav"),
            ("/d%61v/%C3%BC%20b?x", "/dav/ü b"),
            ("/a.b/..c/d..e", "/a.b/..c/d..e"),
            ("/100%25", "/100%"),
        ] {
            let parsed = WebPath::parse(target).unwrap();
            assert_eq!(parsed.as_str(), path, "{target}");
            assert_eq!(
                WebPath::try_from(parsed.to_string()),
                Ok(parsed),
                "{target}"
            );
        }
    }

    #[test]
    fn an_ambiguous_target_is_no_path() {
        for target in [
            "",
            "dav",
            "*",
            "https://app.example.com/dav",
            "//",
            "//dav",
            "/dav//x",
            "/dav//",
            "/.",
            "/..",
            "/dav/.",
            "/dav/..",
            "/dav/../x",
            "/dav/%2e%2e/x",
            "/dav/.%2E/x",
            "/dav/%2e/x",
            "/dav%2fx",
            "/dav%2F..%2Fx",
            "/dav\\..\\x",
            "/dav%5c..%5cx",
            "/dav;x/y",
            "/dav;/../x",
            "/dav%3bx",
            "/dav%00",
            "/dav/%00/x",
            "/dav%0a",
            "/dav%7f",
            "/dav/%",
            "/dav/%2",
            "/dav/%zz",
            "/dav/%ff",
            "/dav/%c0%af",
            "/dav/%ed%a0%80",
            "/dav/%252e%252e/x",
            "/dav%252fx",
            "/dav#/x",
            "/dav%3fx",
            "/dav/%3F/x",
            "/dav%23x",
            "/dav./x",
            "/dav/x..",
            "/dav%20",
            "/dav%20/x",
            "/dav%2e/x",
            "/dav%09/x",
            "/dav%0d%0ax",
            "/dav%u002fx",
            "/dav/%e0%80%af/x",
            "/dav/%f0%80%80%af",
            "/dav%C2%85x",
        ] {
            assert_eq!(WebPath::parse(target), Err(AmbiguousPath), "{target}");
        }
        assert_eq!(WebPath::parse(&"/a".repeat(LONGEST)), Err(AmbiguousPath));
    }

    #[test]
    fn hosts_are_compared_in_lower_case_without_port_and_trailing_dot() {
        for (authority, host) in [
            ("App.EXAMPLE.com", "app.example.com"),
            ("app.example.com:8443", "app.example.com"),
            ("app.example.com.", "app.example.com"),
            ("APP.example.com.:443", "app.example.com"),
            ("app.example.com:", "app.example.com"),
            ("app.example.com:80:90", "app.example.com:80"),
            ("[::1]:443", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(normalize_host(authority), host, "{authority}");
        }
    }

    #[test]
    fn a_url_is_split_into_host_and_target() {
        for (url, host, target) in [
            (
                "https://App.example.com:8443/a%2fb?q=/#f",
                "app.example.com",
                "/a%2fb?q=/",
            ),
            ("https://app.example.com", "app.example.com", "/"),
            ("https://app.example.com?q", "app.example.com", "/?q"),
            ("https://app.example.com#/x", "app.example.com", "/"),
            ("https://", "", "/"),
        ] {
            assert_eq!(
                split_url(url),
                Some((host.to_owned(), target.to_owned())),
                "{url}"
            );
        }
        for url in [
            "",
            "http://app.example.com/",
            "HTTPS://app.example.com/",
            "//app.example.com/",
            "/x",
        ] {
            assert_eq!(split_url(url), None, "{url}");
        }
    }

    #[test]
    fn paths_below_are_compared_by_whole_segments() {
        let path = |text: &str| WebPath::parse(text).unwrap();
        for below in ["/dav", "/dav/", "/dav/x", "/%64av/x/y"] {
            assert!(path(below).is_below(&path("/dav/")), "{below}");
            assert!(path(below).is_below(&path("/")), "{below}");
        }
        for beside in ["/", "/davx", "/da", "/DAV", "/x/dav"] {
            assert!(!path(beside).is_below(&path("/dav")), "{beside}");
        }
    }
}
