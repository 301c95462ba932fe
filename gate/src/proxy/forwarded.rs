//! Contract of Traefik's ForwardAuth (with trustForwardHeader off), of Caddy's forward_auth, and of
//! Postern's Lua for HAProxy: X-Forwarded-Method, -Proto, -Host, -Uri and -For.

use super::original_request::{ContractError, OriginalRequest, client_value, proxy_value};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use postern_shared::system::network::address::Address;

static METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

pub(super) fn parse_check(
    headers: &HeaderMap,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<OriginalRequest<'_>, ContractError> {
    let address = parse_client_address(headers, is_trusted)?;
    require_https(headers)?;
    let method = client_value(headers, &METHOD, address)?;
    let authority = client_value(headers, &HOST, address)?;
    let target = client_value(headers, &URI, address)?;
    OriginalRequest::validated(
        address,
        (METHOD.as_str(), method),
        (HOST.as_str(), authority),
        (URI.as_str(), target),
    )
}

/// Refuses a client that did not use TLS.
pub(super) fn require_https(headers: &HeaderMap) -> Result<(), ContractError> {
    // Traefik sends wss for a websocket over TLS.
    match proxy_value(headers, &PROTO)? {
        "https" | "wss" => Ok(()),
        _ => Err(ContractError::Proxy(PROTO.as_str())),
    }
}

/// Returns the rightmost address that is not a trusted proxy's.
pub(super) fn parse_client_address(
    headers: &HeaderMap,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<Address, ContractError> {
    let mut found = None;
    for entry in proxy_value(headers, &FOR)?.rsplit(',') {
        let address = Address::parse(entry.trim()).ok_or(ContractError::Proxy(FOR.as_str()))?;
        found = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    found.ok_or(ContractError::Proxy(FOR.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::original_request::headers;

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
        assert_eq!(
            parse_check(&headers, |_| false).unwrap().url(),
            "https://app.example.com/?q=1"
        );
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_client() {
        let proxy = Address::parse("10.0.0.1").unwrap();
        let of = |list: &str| {
            parse_client_address(&headers(&[("x-forwarded-for", list)]), |a| a == proxy)
        };
        assert_eq!(
            of("198.51.100.9, 192.0.2.7, 10.0.0.1"),
            Ok(Address::parse("192.0.2.7").unwrap())
        );
        assert_eq!(
            of("192.0.2.7, unknown"),
            Err(ContractError::Proxy("x-forwarded-for"))
        );
    }

    /// A client's malformed request was logged as the proxy's fault, without the client's address.
    #[test]
    fn a_malformed_client_request_is_not_the_proxys_fault() {
        let client = Address::parse("192.0.2.7").unwrap();
        for (at, name, malformed) in [
            (0, METHOD.as_str(), "A B"),
            (2, HOST.as_str(), "u@h"),
            (3, URI.as_str(), "*"),
            (3, URI.as_str(), "/\u{fc}"),
        ] {
            let mut pairs = GOOD;
            pairs[at].1 = malformed;
            assert_eq!(
                parse_check(&headers(&pairs), |_| false),
                Err(ContractError::Client(name, client)),
                "{malformed}"
            );
        }
    }

    #[test]
    fn missing_headers_and_plain_http_are_named() {
        for (name, _) in GOOD {
            let without: Vec<_> = GOOD.into_iter().filter(|(n, _)| *n != name).collect();
            assert_eq!(
                parse_check(&headers(&without), |_| false),
                Err(ContractError::Proxy(name))
            );
        }
        let mut http = GOOD;
        http[1].1 = "http";
        assert_eq!(
            parse_check(&headers(&http), |_| false),
            Err(ContractError::Proxy("x-forwarded-proto"))
        );
    }
}
