//! The original request, and the values of the headers in which a proxy describes it.
//!
//! Refuses a header that is missing, empty, repeated or too long, and separates what a client chose
//! from what the proxy sets.

use crate::http::header_fields;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Uri};
use postern_shared::system::network::address::Address;
use postern_shared::system::network::web_address::normalize_host;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Longest header value that is read, in bytes.
const MAX_VALUE: usize = 16 * 1024;

/// A check, as the proxy sent it.
#[derive(Clone, Copy)]
pub(crate) struct CheckRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> CheckRequest<'a> {
    /// A check of a contract that reads headers alone.
    pub(crate) fn of_headers(headers: &'a HeaderMap) -> CheckRequest<'a> {
        static ROOT: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("/"));
        CheckRequest {
            method: &Method::GET,
            uri: &ROOT,
            headers,
        }
    }
}

/// The client's request to the application, as the proxy describes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OriginalRequest<'a> {
    pub(crate) method: &'a str,
    /// Host and port, as the browser sent them.
    pub(crate) authority: &'a str,
    /// Path and query, as the browser sent them.
    pub(crate) target: &'a str,
    pub(crate) address: Address,
}

/// A part of the original request, and the header that holds it.
pub(super) type NamedPart<'a> = (&'static str, &'a str);

impl<'a> OriginalRequest<'a> {
    /// Refuses a method, authority or target that no browser sends.
    pub(super) fn validated(
        address: Address,
        method: NamedPart<'a>,
        authority: NamedPart<'a>,
        target: NamedPart<'a>,
    ) -> Result<OriginalRequest<'a>, ContractError> {
        for (is_valid, name) in [
            (is_method(method.1), method.0),
            (is_authority(authority.1), authority.0),
            (is_target(target.1), target.0),
        ] {
            if !is_valid {
                return Err(ContractError::Client(name, address));
            }
        }
        Ok(OriginalRequest {
            method: method.1,
            authority: authority.1,
            target: target.1,
            address,
        })
    }

    /// The host in lower case, without port and trailing dot.
    pub(crate) fn host(&self) -> Cow<'a, str> {
        normalize_host(self.authority)
    }

    /// The URL, to return to after sign-in.
    pub(crate) fn url(&self) -> String {
        format!("https://{}{}", self.authority, self.target)
    }
}

/// Why a check or its client address cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ContractError {
    /// The proxy violates its contract: this header is missing, empty, repeated or malformed.
    Proxy(&'static str),
    /// The client's request is malformed: the header that holds it, and the client's address.
    Client(&'static str, Address),
}

fn single_value<'a>(
    headers: &'a HeaderMap,
    name: &'static HeaderName,
) -> Result<&'a HeaderValue, ContractError> {
    match header_fields::single_value(headers, name) {
        Ok(Some(value)) if !value.is_empty() => Ok(value),
        _ => Err(ContractError::Proxy(name.as_str())),
    }
}

/// Returns the only value of a header that the proxy makes, as visible ASCII text.
pub(super) fn proxy_value<'a>(
    headers: &'a HeaderMap,
    name: &'static HeaderName,
) -> Result<&'a str, ContractError> {
    visible_text(single_value(headers, name)?).ok_or(ContractError::Proxy(name.as_str()))
}

/// Returns the only value of a header that the proxy copies from the client, as visible ASCII text.
pub(super) fn client_value<'a>(
    headers: &'a HeaderMap,
    name: &'static HeaderName,
    client: Address,
) -> Result<&'a str, ContractError> {
    visible_text(single_value(headers, name)?).ok_or(ContractError::Client(name.as_str(), client))
}

fn visible_text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().filter(|text| text.len() <= MAX_VALUE)
}

/// Whether text is an authority that may be part of a URL: letters, digits, dots, dashes,
/// underscores, a port, brackets.
fn is_authority(text: &str) -> bool {
    static PLAIN: [bool; 256] = letters_digits_and(b"._-:[]");
    (1..=260).contains(&text.len()) && text.bytes().all(|b| PLAIN[usize::from(b)])
}

/// Whether text is a path and query as browsers send them.
fn is_target(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether text is a method as applications use them: a token (RFC 9110, section 5.6.2) of letters,
/// digits, `-` and `_`.
fn is_method(text: &str) -> bool {
    static PLAIN: [bool; 256] = letters_digits_and(b"-_");
    (1..=32).contains(&text.len()) && text.bytes().all(|b| PLAIN[usize::from(b)])
}

/// Returns which bytes are ASCII letters, digits or one of these others. A look-up takes a third of
/// the instructions of comparisons, for each byte of each check.
const fn letters_digits_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

#[cfg(test)]
pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().expect("a header value"));
    }
    headers
}
