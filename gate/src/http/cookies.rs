//! Cookies. A Cookie line is scanned by hand, since a check precedes every request; cookies to set
//! are built by the cookie crate.
//!
//! MUST NOT depend on what foreign cookies hold, and MUST pass them on byte for byte.
//!
//! MUST NOT pass on a cookie of Postern's.

mod session;

#[cfg(any(test, feature = "fuzz"))]
pub(crate) use session::sample_session;
pub(crate) use session::{ConflictingCookies, SessionCookies};

use cookie::{Cookie, SameSite};
use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};
use postern_shared::config::gate::GateConfig;
use postern_shared::token::PageMessage;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::{Range, RangeInclusive};
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Part that the names of all cookies of Postern's have.
const OURS: &str = "postern";
static OUR_PART: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(OURS));

/// One value for each cookie of the gate, such as its name or the header that replaces it.
#[derive(Clone, Copy, Default)]
pub(crate) struct PerCookie<T> {
    pub(crate) session: T,
    pub(crate) trusted_browser: T,
    pub(crate) login: T,
    pub(crate) enrollment: T,
    pub(crate) step_up: T,
}

impl<T> PerCookie<T> {
    pub(crate) fn into_array(self) -> [T; 5] {
        [
            self.session,
            self.trusted_browser,
            self.login,
            self.enrollment,
            self.step_up,
        ]
    }
}

/// A token that a reply gives to the client, or takes from it.
pub(crate) enum TokenChange {
    /// The value, and its lifetime in seconds.
    Issued(Zeroizing<String>, u64),
    Cleared,
}

/// Tokens that a reply issues or clears, each once. A browser receives them as cookies, and a
/// program without a cookie store as values of header tokens.
pub(crate) type TokenChanges = PerCookie<Option<TokenChange>>;

impl TokenChanges {
    /// Clears the session and what belongs to it. The browser stays trusted.
    pub(crate) fn signed_out() -> TokenChanges {
        TokenChanges {
            session: Some(TokenChange::Cleared),
            trusted_browser: None,
            login: Some(TokenChange::Cleared),
            enrollment: Some(TokenChange::Cleared),
            step_up: Some(TokenChange::Cleared),
        }
    }
}

/// Cookie names; their prefix depends on whether the gate has a host of its own.
pub(crate) type CookieNames = PerCookie<&'static str>;

/// Names on a host of its own: the session is valid for the parent domain, every other cookie for
/// the gate's host alone.
const OWN_HOST: CookieNames = CookieNames {
    session: "__Secure-postern",
    trusted_browser: "__Host-postern-browser",
    login: "__Host-postern-login",
    enrollment: "__Host-postern-enrollment",
    step_up: "__Host-postern-step-up",
};

/// Names on a path of the protected host: the session is valid for that host, every other cookie
/// for the gate's path alone.
const OWN_PATH: CookieNames = CookieNames {
    session: "__Host-postern",
    trusted_browser: "__Secure-postern-browser",
    login: "__Secure-postern-login",
    enrollment: "__Secure-postern-enrollment",
    step_up: "__Secure-postern-step-up",
};

/// Names of the cookie with the language that the user chose, on a host of its own and on a path.
const LANGUAGE: [&str; 2] = ["__Host-postern-language", "__Secure-postern-language"];
/// Lifetime of that cookie, in seconds: one year.
const LANGUAGE_LIFETIME: u64 = 365 * 24 * 3600;

/// Limit on distinct values under one name that are verified in one request.
pub(crate) const MAX_SESSION_COOKIES: usize = 8;
/// Length of a valid value, in bytes. Shorter and longer values are ignored.
const VALUE_LENGTHS: RangeInclusive<usize> = 16..=4096;

/// A Cookie line, split into cookies of Postern's and foreign ones.
#[derive(Debug)]
pub(crate) struct ScannedCookies<'a> {
    line: &'a [u8],
    name: &'a str,
    /// Distinct values under the requested name whose form is valid.
    pub(crate) values: SmallVec<[&'a str; 1]>,
    /// Foreign cookies, byte for byte.
    foreign: SmallVec<[&'a [u8]; 8]>,
    /// Whether the line holds, or may hold, a cookie of Postern's.
    has_ours: bool,
}

/// Scans a Cookie line for one cookie of Postern's. The line is opaque bytes: a cookie ends at a
/// semicolon, and nothing in its value has a meaning (RFC 6265, section 4.2.1).
///
/// Some proxies join two Cookie lines with a comma instead. No value of Postern's holds a comma, so
/// that its cookie ends there and another cookie follows. A comma before our name begins a cookie
/// of ours if its value is valid, as the caller of [`ScannedCookies::foreign_cookies`] decides; if
/// not, both belong to the foreign cookie.
pub(crate) fn scan_cookies<'a>(line: &'a [u8], name: &'a str) -> ScannedCookies<'a> {
    let mut scanned = ScannedCookies {
        line,
        name,
        values: SmallVec::new(),
        foreign: SmallVec::new(),
        has_ours: false,
    };
    // The common line holds foreign cookies alone.
    if OUR_PART.find(line).is_none() {
        return scanned;
    }
    let mut values = DistinctValues::default();
    for part in split_line(line) {
        let mut rest = Some(part);
        while let Some(cookie) = rest.take() {
            let (first, after) = split_at_comma(cookie);
            let (key, value) = split_cookie(first);
            if !is_ours(trim_blanks(key)) {
                find_after_comma(cookie, name).for_each(|(_, value)| values.insert(value));
                scanned.has_ours |= !values.all.is_empty();
                scanned.foreign.push(cookie);
                continue;
            }
            scanned.has_ours = true;
            // No browser puts a blank after a name: such a cookie is removed and not verified.
            if key == name.as_bytes() {
                valid_value(value)
                    .into_iter()
                    .for_each(|value| values.insert(value));
            }
            rest = after;
        }
    }
    scanned.values = values.all;
    scanned
}

/// Values in their order, each once. The common line has one, for which nothing is hashed.
#[derive(Default)]
struct DistinctValues<'a> {
    all: SmallVec<[&'a str; 1]>,
    seen: HashSet<&'a str>,
}

impl<'a> DistinctValues<'a> {
    fn insert(&mut self, value: &'a str) {
        if let [first] = self.all[..] {
            self.seen.insert(first);
        }
        if self.all.is_empty() || self.seen.insert(value) {
            self.all.push(value);
        }
    }
}

impl<'a> ScannedCookies<'a> {
    /// Returns the line without cookies of Postern's. `is_valid` says which values behind a comma
    /// are ours.
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
            for (range, _) in
                find_after_comma(cookie, self.name).filter(|(_, value)| is_valid(value))
            {
                others.extend_from_slice(&cookie[kept..range.start]);
                kept = range.end;
            }
            others.extend_from_slice(&cookie[kept..]);
        }
        // Blanks before the cookie that is now the first one were a separator.
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

/// Returns the first value under a name that holds no token, whatever the value is.
pub(crate) fn find_plain_cookie<'a>(line: &'a [u8], name: &str) -> Option<&'a str> {
    let mut cookies = split_line(line).map(split_cookie);
    let found = cookies.find(|(key, _)| *key == name.as_bytes());
    std::str::from_utf8(trim_blanks(found?.1)).ok()
}

/// Splits a Cookie line at its semicolons.
fn split_line(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr_iter(b';', line).chain([line.len()]);
    ends.scan(0, |begin, end| {
        let cookie = &line[*begin..end];
        *begin = end + 1;
        Some(cookie)
    })
}

/// Splits a cookie at its first equals sign. Blanks after a semicolon are not part of the name.
fn split_cookie(cookie: &[u8]) -> (&[u8], &[u8]) {
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

fn split_at_comma(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b',', value) {
        Some(comma) => (&value[..comma], Some(&value[comma + 1..])),
        None => (value, None),
    }
}

/// Finds our name after a comma within a foreign cookie, with a value of valid form. The range
/// includes the comma.
fn find_after_comma<'a>(
    cookie: &'a [u8],
    name: &'a str,
) -> impl Iterator<Item = (Range<usize>, &'a str)> {
    memchr_iter(b',', cookie).filter_map(move |comma| {
        let (one, _) = split_at_comma(&cookie[comma + 1..]);
        let (key, value) = split_cookie(one);
        let value = valid_value(value).filter(|_| key == name.as_bytes())?;
        Some((comma..comma + 1 + one.len(), value))
    })
}

/// Returns a value of valid form: Base64 for URLs (RFC 4648, section 5) and no other byte.
fn valid_value(value: &[u8]) -> Option<&str> {
    let value = trim_blanks(value);
    let fits = VALUE_LENGTHS.contains(&value.len()) && are_of_form(value);
    std::str::from_utf8(value).ok().filter(|_| fits)
}

/// Whether each byte may be in a valid value. Every check reads a whole value: without a branch for
/// each byte, the compiler compares many at once.
fn are_of_form(value: &[u8]) -> bool {
    value.iter().fold(true, |are_of_form, byte| {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let is_digit = byte.wrapping_sub(b'0') < 10;
        are_of_form & (is_letter | is_digit | (*byte == b'-') | (*byte == b'_'))
    })
}

fn trim_blanks(text: &[u8]) -> &[u8] {
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

/// Builds cookies for one URL of the gate.
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

    /// Returns the name of the cookie of a page message. The browser alone receives one, so it is
    /// not among the tokens.
    pub(crate) fn message_name(&self) -> &'static str {
        match self.path.as_str() {
            "/" => "__Host-postern-message",
            _ => "__Secure-postern-message",
        }
    }

    /// Returns a cookie for a page message, or one that clears it.
    pub(crate) fn message(&self, value: Option<&str>) -> String {
        let seconds = value.map_or(0, |_| PageMessage::LIFETIME);
        let value = value.unwrap_or_default();
        let mut cookie = build_cookie(self.message_name(), value, seconds, &self.path);
        cookie.set_same_site(SameSite::Strict);
        cookie.to_string()
    }

    /// Renders changes as values of Set-Cookie. The protected applications' hosts receive the
    /// session; only the gate's own pages receive the other cookies, of which a browser does not
    /// send those of enrollment and step-up on a request from another site.
    pub(crate) fn render(&self, changes: &TokenChanges) -> Vec<String> {
        let (names, own) = (self.names, self.path.as_str());
        let all = [
            (names.session, "/", SameSite::Lax, &changes.session),
            (names.login, own, SameSite::Lax, &changes.login),
            (
                names.trusted_browser,
                own,
                SameSite::Lax,
                &changes.trusted_browser,
            ),
            (names.step_up, own, SameSite::Strict, &changes.step_up),
            (names.enrollment, own, SameSite::Strict, &changes.enrollment),
        ];
        let rendered = all
            .into_iter()
            .filter_map(|(name, path, same_site, change)| {
                let (value, seconds) = match change.as_ref()? {
                    TokenChange::Issued(value, seconds) => (value.as_str(), *seconds),
                    TokenChange::Cleared => ("", 0),
                };
                let mut cookie = build_cookie(name, value, seconds, path);
                cookie.set_same_site(same_site);
                if let Some(domain) = self.domain.as_ref().filter(|_| name == names.session) {
                    cookie.set_domain(domain.clone());
                }
                Some(cookie.to_string())
            });
        rendered.collect()
    }

    /// Returns the name of the cookie with the language that the user chose.
    pub(crate) fn language_name(&self) -> &'static str {
        LANGUAGE[usize::from(self.path != "/")]
    }

    /// Renders the language that the user chose as a value of Set-Cookie.
    pub(crate) fn language_cookie(&self, tag: &str) -> String {
        build_cookie(self.language_name(), tag, LANGUAGE_LIFETIME, &self.path).to_string()
    }

    /// Returns expired cookies for every name, at the domain and at the host, for all paths and for
    /// the gate's: a browser may keep one at each.
    pub(crate) fn expired_cookies(&self) -> Vec<String> {
        let mut expired = Vec::new();
        let names = self.names.into_array().into_iter();
        for name in names.chain([self.message_name()]) {
            let is_for_domains = !name.starts_with("__Host-");
            for path in ["/", &self.path] {
                for domain in [None, self.domain.as_ref().filter(|_| is_for_domains)] {
                    let mut cookie = build_cookie(name, "", 0, path);
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
}

fn build_cookie(name: &'static str, value: &str, seconds: u64, path: &str) -> Cookie<'static> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Cookie::build((name, value.to_owned()))
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .path(path.to_owned())
        .max_age(cookie::time::Duration::seconds(seconds))
        .build()
}

#[cfg(test)]
mod tests;
