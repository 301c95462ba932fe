//! The contracts of the proxies: which headers say what was asked. Each reads only its own, never falls back to
//! another's, and refuses one that is missing, empty, doubled or over-long. What the client chose of
//! them is told apart from what the proxy sets.

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use shared::config::gate::ProxyKind;
use shared::network::address::Address;
use shared::network::web_address::host_of;

/// The longest value that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// What a proxy says was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OriginalRequest<'a> {
    pub(crate) method: &'a str,
    /// Authority as the browser sent it.
    pub(crate) authority: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    /// The client's address.
    pub(crate) address: Address,
}

impl OriginalRequest<'_> {
    /// The host in lower case, without a port and a trailing dot.
    pub(crate) fn host(&self) -> String {
        host_of(self.authority)
    }

    /// The page, to come back to.
    pub(crate) fn url(&self) -> String {
        format!("https://{}{}", self.authority, self.target)
    }
}

/// A check that makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ContractError {
    /// The proxy does not keep to its contract: this header is missing, empty, doubled or not what it sets.
    Proxy(&'static str),
    /// The client's request is malformed: the header that says so, and the client's address.
    Client(&'static str, Address),
}

/// Reads a check.
pub(crate) fn parse_check<'a>(
    proxy: ProxyKind,
    headers: &'a HeaderMap,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<OriginalRequest<'a>, ContractError> {
    match proxy {
        ProxyKind::Nginx => super::nginx::parse_check(headers),
        ProxyKind::Traefik => super::traefik::parse_check(headers, is_trusted),
    }
}

/// The client's address at one of the gate's own pages.
pub(crate) fn parse_client_address(
    proxy: ProxyKind,
    headers: &HeaderMap,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<Address, ContractError> {
    match proxy {
        ProxyKind::Nginx => super::nginx::parse_client_address(headers),
        ProxyKind::Traefik => super::traefik::parse_client_address(headers, is_trusted),
    }
}

/// The one value of a header.
fn single_value<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<&'a HeaderValue, ContractError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value),
        _ => Err(ContractError::Proxy(name)),
    }
}

/// The one value of a header that the proxy makes, as visible text.
pub(super) fn proxy_value<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<&'a str, ContractError> {
    visible(single_value(headers, name)?).ok_or(ContractError::Proxy(name))
}

/// The one value of a header that the proxy takes from the client, as visible text.
pub(super) fn client_value<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
    client: Address,
) -> Result<&'a str, ContractError> {
    visible(single_value(headers, name)?).ok_or(ContractError::Client(name, client))
}

fn visible(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().filter(|text| text.len() <= LONGEST)
}

/// Whether text is an authority that may stand in a URL: letters, digits, dots, dashes, underscores, a port, brackets.
pub(super) fn is_authority(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:[]".contains(c);
    !text.is_empty() && text.len() <= 260 && text.chars().all(plain)
}

/// Whether text is a path and query as browsers send them.
pub(super) fn is_target(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether text is a method as applications know them: of a token (RFC 9110, section 5.6.2) letters, digits, `-` and `_`.
pub(super) fn is_method(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    (1..=32).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().expect("a header value"));
    }
    headers
}
