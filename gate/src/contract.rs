//! The contracts of the proxies: which headers say what was asked. Each reads only its own, never falls back to
//! another's, and refuses one that is missing, empty, doubled or over-long.

mod nginx;
mod traefik;

use hyper::HeaderMap;
use shared::config::gate::Proxy;
use shared::place::Address;
use shared::web_address::host_of;

/// The longest value that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// What a proxy says was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// Authority as the browser sent it.
    pub(crate) authority: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    /// The client's address.
    pub(crate) address: Address,
}

impl Asked<'_> {
    /// The host in lower case, without a port and a trailing dot.
    pub(crate) fn host(&self) -> String {
        host_of(self.authority)
    }

    /// The page, to come back to.
    pub(crate) fn url(&self) -> String {
        format!("https://{}{}", self.authority, self.target)
    }
}

/// A header of the contract that is missing, empty, doubled, over-long or makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);

/// Reads a check.
pub(crate) fn asked<'a>(
    proxy: Proxy,
    headers: &'a HeaderMap,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<Asked<'a>, Broken> {
    match proxy {
        Proxy::Nginx => nginx::asked(headers),
        Proxy::Traefik => traefik::asked(headers, is_trusted),
    }
}

/// The client's address at one of the gate's own pages.
pub(crate) fn address(
    proxy: Proxy,
    headers: &HeaderMap,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<Address, Broken> {
    match proxy {
        Proxy::Nginx => nginx::address(headers),
        Proxy::Traefik => traefik::address(headers, is_trusted),
    }
}

/// The one value of a header, as visible text.
fn one<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Broken> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Broken(name)) };
    match value.to_str() {
        Ok(text) if !text.is_empty() && text.len() <= LONGEST => Ok(text),
        _ => Err(Broken(name)),
    }
}

/// Whether text is an authority that may stand in a URL: letters, digits, dots, dashes, a port, brackets.
fn is_authority(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    !text.is_empty() && text.len() <= 260 && text.chars().all(plain)
}

/// Whether text is a path and query as browsers send them.
fn is_target(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_method(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
}

#[cfg(test)]
pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().expect("a header value"));
    }
    headers
}
