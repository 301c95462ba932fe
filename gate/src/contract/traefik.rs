//! Traefik, ForwardAuth: X-Forwarded-Method, -Proto, -Host, -Uri, -For, with trustForwardHeader off.

use super::{Asked, Broken, is_authority, is_method, is_target, one};
use hyper::HeaderMap;
use shared::place::Address;

pub(super) fn asked(headers: &HeaderMap, is_trusted: impl Fn(Address) -> bool) -> Result<Asked<'_>, Broken> {
    let method = one(headers, "x-forwarded-method")?;
    let authority = one(headers, "x-forwarded-host")?;
    let target = one(headers, "x-forwarded-uri")?;
    if !is_method(method) {
        return Err(Broken("x-forwarded-method"));
    }
    // wss is what Traefik says of a websocket over TLS
    if !matches!(one(headers, "x-forwarded-proto")?, "https" | "wss") {
        return Err(Broken("x-forwarded-proto"));
    }
    if !is_authority(authority) {
        return Err(Broken("x-forwarded-host"));
    }
    if !is_target(target) {
        return Err(Broken("x-forwarded-uri"));
    }
    Ok(Asked { method, authority, target, address: address(headers, is_trusted)? })
}

/// The rightmost entry that is not a trusted proxy.
pub(super) fn address(headers: &HeaderMap, is_trusted: impl Fn(Address) -> bool) -> Result<Address, Broken> {
    const NAME: &str = "x-forwarded-for";
    let mut found = None;
    for entry in one(headers, NAME)?.rsplit(',') {
        let address = Address::parse(entry.trim()).ok_or(Broken(NAME))?;
        found = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    found.ok_or(Broken(NAME))
}

#[cfg(test)]
mod tests {
    use super::super::headers;
    use super::*;

    const GOOD: [(&str, &str); 5] = [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", "/?q=1"),
        ("x-forwarded-for", "192.0.2.7"),
    ];

    #[test]
    fn the_sample_is_read() {
        let headers = headers(&GOOD);
        assert_eq!(asked(&headers, |_| false).unwrap().url(), "https://app.example.com/?q=1");
    }

    #[test]
    fn the_rightmost_stranger_is_the_client() {
        let proxy = Address::parse("10.0.0.1").unwrap();
        let of = |list: &str| address(&headers(&[("x-forwarded-for", list)]), |a| a == proxy);
        assert_eq!(of("198.51.100.9, 192.0.2.7, 10.0.0.1"), Ok(Address::parse("192.0.2.7").unwrap()));
        assert_eq!(of("192.0.2.7, unknown"), Err(Broken("x-forwarded-for")));
    }

    #[test]
    fn missing_doubled_and_plain_http_are_named() {
        for (name, _) in GOOD {
            let without: Vec<_> = GOOD.into_iter().filter(|(n, _)| *n != name).collect();
            assert_eq!(asked(&headers(&without), |_| false), Err(Broken(name)));
        }
        let mut http = GOOD;
        http[1].1 = "http";
        assert_eq!(asked(&headers(&http), |_| false), Err(Broken("x-forwarded-proto")));
    }
}
