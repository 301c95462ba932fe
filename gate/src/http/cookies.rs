//! Cookies. A request's Cookie line is scanned by hand, since a check is on the path of every request; what is
//! set is built by the cookie crate.
//!
//! MUST NOT depend on what foreign cookies hold, and MUST pass them on byte for byte. MUST NOT pass on one of ours.

mod session;

pub(crate) use session::{ConflictingCookies, SessionCookies};

use cookie::{Cookie, SameSite};
use memchr::{memchr, memchr_iter, memmem};
use shared::config::gate::GateConfig;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::{Range, RangeInclusive};

/// The part that the names of all our cookies have.
const OURS: &str = "postern";

/// The names of our cookies, as the gate's place allows them.
pub(crate) struct CookieNames {
    pub(crate) session: &'static str,
    pub(crate) trusted_browser: &'static str,
    pub(crate) login: &'static str,
    pub(crate) enrollment: &'static str,
    pub(crate) step_up: &'static str,
}

/// On a host of its own: the session is for the parent domain, all else for the gate's host alone.
const OWN_HOST: CookieNames = CookieNames {
    session: "__Secure-postern",
    trusted_browser: "__Host-postern-browser",
    login: "__Host-postern-login",
    enrollment: "__Host-postern-enrollment",
    step_up: "__Host-postern-step-up",
};

/// On a path of the protected host: the session is for that host, all else for the gate's path alone.
const OWN_PATH: CookieNames = CookieNames {
    session: "__Host-postern",
    trusted_browser: "__Secure-postern-browser",
    login: "__Secure-postern-login",
    enrollment: "__Secure-postern-enrollment",
    step_up: "__Secure-postern-step-up",
};

/// The most distinct values under one name that a request may have verified.
pub(crate) const MAX_SESSION_COOKIES: usize = 8;
/// The lengths of values of ours, in bytes; what is shorter or longer is none.
const LENGTHS: RangeInclusive<usize> = 16..=4096;

/// One Cookie line, taken apart.
#[derive(Debug)]
pub(crate) struct ScannedCookies<'a> {
    line: &'a [u8],
    name: &'a str,
    /// The distinct values under the name that was looked for, as far as they could be ours by their form.
    pub(crate) values: Vec<&'a str>,
    /// The cookies that are not ours, as they came.
    foreign: Vec<&'a [u8]>,
    /// Whether any is ours, or may be.
    has_ours: bool,
}

/// Looks for one of our cookies in a Cookie line, which is opaque bytes: a cookie ends at a semicolon, and nothing in
/// its value means anything (RFC 6265, section 4.2.1).
///
/// Some proxies join two Cookie lines with a comma instead. No value of ours holds one, so that one of ours ends there
/// and what follows is another cookie. A comma before our name begins a cookie of ours if its value is valid, which
/// [`Scanned::others`] is told; if not, both belong to the foreign cookie.
pub(crate) fn scan_cookies<'a>(line: &'a [u8], name: &'a str) -> ScannedCookies<'a> {
    let mut scanned = ScannedCookies {
        line,
        name,
        values: Vec::new(),
        foreign: Vec::new(),
        has_ours: false,
    };
    // the usual line has foreign cookies alone
    if memmem::find(line, OURS.as_bytes()).is_none() {
        return scanned;
    }
    let mut seen = HashSet::new();
    for part in line.split(|byte| *byte == b';') {
        let mut rest = Some(part);
        while let Some(cookie) = rest.take() {
            let (first, after) = until_comma(cookie);
            let (key, value) = key_and_value(first);
            if !is_ours(trimmed(key)) {
                let values = joined(cookie, name).map(|(_, value)| value);
                scanned
                    .values
                    .extend(values.filter(|value| seen.insert(*value)));
                scanned.has_ours |= !scanned.values.is_empty();
                scanned.foreign.push(cookie);
                continue;
            }
            scanned.has_ours = true;
            // no browser puts a blank behind a name: such a cookie is taken out, and counts for nothing
            if key == name.as_bytes() {
                scanned
                    .values
                    .extend(as_ours(value).filter(|value| seen.insert(*value)));
            }
            rest = after;
        }
    }
    scanned
}

impl<'a> ScannedCookies<'a> {
    /// The line without any of ours, byte for byte; told which values are valid.
    pub(crate) fn foreign_cookies(&self, is_valid: impl Fn(&str) -> bool) -> Cow<'a, [u8]> {
        if !self.has_ours {
            return Cow::Borrowed(self.line);
        }
        let mut others = Vec::with_capacity(self.line.len());
        for (cookie, position) in self.foreign.iter().zip(0..) {
            if position > 0 {
                others.push(b';');
            }
            let mut kept = 0;
            for (range, _) in joined(cookie, self.name).filter(|(_, value)| is_valid(value)) {
                others.extend_from_slice(&cookie[kept..range.start]);
                kept = range.end;
            }
            others.extend_from_slice(&cookie[kept..]);
        }
        // of a cookie that comes first only now they are the separator
        if self
            .foreign
            .first()
            .is_some_and(|first| !std::ptr::eq(first.as_ptr(), self.line.as_ptr()))
        {
            let blanks = others.iter().take_while(|byte| is_blank(**byte)).count();
            others.drain(..blanks);
        }
        Cow::Owned(others)
    }
}

/// The blanks after a semicolon are no part of a name.
fn key_and_value(cookie: &[u8]) -> (&[u8], &[u8]) {
    let equals = memchr(b'=', cookie).unwrap_or(cookie.len());
    let blanks = cookie[..equals]
        .iter()
        .take_while(|byte| is_blank(**byte))
        .count();
    (
        &cookie[blanks..equals],
        cookie.get(equals + 1..).unwrap_or_default(),
    )
}

fn until_comma(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b',', value) {
        Some(comma) => (&value[..comma], Some(&value[comma + 1..])),
        None => (value, None),
    }
}

/// Where our name comes after a comma within a foreign cookie, with a value that could be ours: both, the comma included.
fn joined<'a>(cookie: &'a [u8], name: &'a str) -> impl Iterator<Item = (Range<usize>, &'a str)> {
    memchr_iter(b',', cookie).filter_map(move |comma| {
        let (one, _) = until_comma(&cookie[comma + 1..]);
        let (key, value) = key_and_value(one);
        let value = as_ours(value).filter(|_| key == name.as_bytes())?;
        Some((comma..comma + 1 + one.len(), value))
    })
}

/// A value that could be one of ours: Base64 as URLs have it, and no other byte.
fn as_ours(value: &[u8]) -> Option<&str> {
    let value = trimmed(value);
    let is_of_form = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let fits = LENGTHS.contains(&value.len()) && value.iter().all(is_of_form);
    std::str::from_utf8(value).ok().filter(|_| fits)
}

fn trimmed(text: &[u8]) -> &[u8] {
    let begin = text
        .iter()
        .position(|byte| !is_blank(*byte))
        .unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !is_blank(*byte))
        .map_or(begin, |last| last + 1);
    &text[begin..end]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_ours(key: &[u8]) -> bool {
    let rest = key
        .strip_prefix(b"__Secure-")
        .or_else(|| key.strip_prefix(b"__Host-"));
    let ours = OURS.as_bytes();
    rest.is_some_and(|rest| {
        rest == ours || rest.strip_prefix(ours).is_some_and(|r| r.starts_with(b"-"))
    })
}

/// Builds our cookies for the gate's place.
#[derive(Clone)]
pub(crate) struct CookieBuilder {
    pub(crate) names: &'static CookieNames,
    path: String,
    domain: Option<String>,
}

impl CookieBuilder {
    pub(crate) fn new(gate: &GateConfig, path: &str) -> CookieBuilder {
        let own_host = path == "/";
        CookieBuilder {
            names: if own_host { &OWN_HOST } else { &OWN_PATH },
            path: path.to_owned(),
            domain: gate
                .cookie_domain
                .as_ref()
                .filter(|_| own_host)
                .map(|d| d.as_str().to_owned()),
        }
    }

    /// A session, for the protected applications.
    pub(crate) fn session_cookie(&self, value: &str, seconds: u64) -> String {
        let mut cookie = plain(self.names.session, value, seconds);
        cookie.set_path("/");
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        cookie.to_string()
    }

    /// What takes every cookie of the gate's away, wherever it may have been set: at the domain and at the host, for all
    /// paths and for the gate's.
    pub(crate) fn expired_cookies(&self) -> Vec<String> {
        let names = self.names;
        let mut expired = Vec::new();
        for name in [
            names.session,
            names.trusted_browser,
            names.login,
            names.enrollment,
            names.step_up,
        ] {
            let is_for_domains = !name.starts_with("__Host-");
            for path in ["/", &self.path] {
                for domain in [None, self.domain.as_ref().filter(|_| is_for_domains)] {
                    let mut cookie = plain(name, "", 0);
                    cookie.set_path(path.to_owned());
                    domain
                        .into_iter()
                        .for_each(|domain| cookie.set_domain(domain.clone()));
                    expired.push(cookie.to_string());
                }
            }
        }
        expired.sort();
        expired.dedup();
        expired
    }

    /// A cookie that only the gate's own pages are sent.
    pub(crate) fn own_cookie(&self, name: &'static str, value: &str, seconds: u64) -> String {
        let mut cookie = plain(name, value, seconds);
        cookie.set_path(self.path.clone());
        cookie.to_string()
    }

    /// A cookie that no page of another site may have the browser send.
    pub(crate) fn strict_cookie(&self, name: &'static str, value: &str, seconds: u64) -> String {
        let mut cookie = plain(name, value, seconds);
        cookie.set_path(self.path.clone());
        cookie.set_same_site(SameSite::Strict);
        cookie.to_string()
    }
}

fn plain(name: &'static str, value: &str, seconds: u64) -> Cookie<'static> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Cookie::build((name, value.to_owned()))
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(cookie::time::Duration::seconds(seconds))
        .build()
}

#[cfg(test)]
mod tests;
