//! Contract of nginx's auth_request: X-Original-URL, X-Original-Method and X-Real-IP, as the sample
//! configuration sets them.

use super::original_request::{ContractError, OriginalRequest, client_value, proxy_value};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use memchr::memchr;
use postern_shared::system::network::address::Address;

static URL: HeaderName = HeaderName::from_static("x-original-url");
static METHOD: HeaderName = HeaderName::from_static("x-original-method");
static ADDRESS: HeaderName = HeaderName::from_static("x-real-ip");

pub(super) fn parse_check(headers: &HeaderMap) -> Result<OriginalRequest<'_>, ContractError> {
    parse_original(headers, parse_client_address(headers)?)
}

/// Reads X-Original-URL and X-Original-Method.
pub(super) fn parse_original(
    headers: &HeaderMap,
    address: Address,
) -> Result<OriginalRequest<'_>, ContractError> {
    let url = client_value(headers, &URL, address)?;
    let rest = url
        .strip_prefix("https://")
        .ok_or(ContractError::Proxy(URL.as_str()))?;
    let slash =
        memchr(b'/', rest.as_bytes()).ok_or(ContractError::Client(URL.as_str(), address))?;
    let (authority, target) = rest.split_at(slash);
    let method = client_value(headers, &METHOD, address)?;
    OriginalRequest::validated(
        address,
        (METHOD.as_str(), method),
        (URL.as_str(), authority),
        (URL.as_str(), target),
    )
}

pub(super) fn parse_client_address(headers: &HeaderMap) -> Result<Address, ContractError> {
    Address::parse(proxy_value(headers, &ADDRESS)?).ok_or(ContractError::Proxy(ADDRESS.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::original_request::headers;

    const GOOD: [(&str, &str); 3] = [
        ("x-original-url", "https://App.example.com:8443/a%2fb?q=1"),
        ("x-original-method", "GET"),
        ("x-real-ip", "192.0.2.7"),
    ];

    #[test]
    fn the_sample_is_read() {
        let headers = headers(&GOOD);
        let original = parse_check(&headers).unwrap();
        assert_eq!(
            (&*original.host(), original.target),
            ("app.example.com", "/a%2fb?q=1")
        );
        assert_eq!(original.url(), GOOD[0].1);
    }

    #[test]
    fn missing_empty_repeated_and_malformed_headers_are_named() {
        for (name, _) in GOOD {
            let without: Vec<_> = GOOD.into_iter().filter(|(n, _)| *n != name).collect();
            let own = GOOD.into_iter().filter(|(n, _)| *n == name);
            let doubled: Vec<_> = GOOD.into_iter().chain(own).collect();
            let empty: Vec<_> = without.iter().copied().chain([(name, "")]).collect();
            for pairs in [without, doubled, empty] {
                let expected = Err(ContractError::Proxy(name));
                assert_eq!(parse_check(&headers(&pairs)), expected, "{pairs:?}");
            }
        }
        for malformed in ["http://app/", "/x"] {
            assert_refused(0, malformed, &ContractError::Proxy(URL.as_str()));
        }
    }

    #[track_caller]
    fn assert_refused(at: usize, value: &str, expected: &ContractError) {
        let mut pairs = GOOD.map(|(name, value)| (name, value.to_owned()));
        value.clone_into(&mut pairs[at].1);
        let pairs = pairs
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        assert_eq!(
            parse_check(&headers(&pairs)).as_ref(),
            Err(expected),
            "{value}"
        );
    }

    /// A client's malformed request was logged as the proxy's fault, without the client's address.
    #[test]
    fn a_malformed_client_request_is_not_the_proxys_fault() {
        let client = Address::parse(GOOD[2].1).unwrap();
        for malformed in [
            "https://app",
            "https:///x",
            "https://a b/",
            "https://u@h/",
            "https://app/ x",
            "https://app/\u{fc}",
        ] {
            assert_refused(0, malformed, &ContractError::Client(URL.as_str(), client));
        }
        for malformed in ["A B", "%zz", "G\u{e4}T", "A/B", &"A".repeat(33)] {
            assert_refused(
                1,
                malformed,
                &ContractError::Client(METHOD.as_str(), client),
            );
        }
    }

    /// A host or a method with an underscore was refused, and logged as the proxy's fault.
    #[test]
    fn every_method_and_every_host_of_dns_is_accepted() {
        for (url, method) in [
            ("https://my_app.example.com/", "BASELINE-CONTROL"),
            (GOOD[0].1, "FOO_BAR"),
        ] {
            let headers = headers(&[
                ("x-original-url", url),
                ("x-original-method", method),
                GOOD[2],
            ]);
            assert_eq!(
                parse_check(&headers).map(|original| original.method),
                Ok(method)
            );
        }
    }
}
