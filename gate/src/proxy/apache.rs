//! Contract of Apache's mod_authnz_fcgi: the parameters REQUEST_METHOD, REQUEST_SCHEME, REQUEST_URI
//! and REMOTE_ADDR of a FastCGI request, and HTTP_HOST. [`super::fastcgi::params`] gives them as
//! headers.

use super::original_request::{ContractError, OriginalRequest, client_value, proxy_value};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use postern_shared::system::network::address::Address;

pub(super) static METHOD: HeaderName = HeaderName::from_static("request_method");
pub(super) static SCHEME: HeaderName = HeaderName::from_static("request_scheme");
pub(super) static URI: HeaderName = HeaderName::from_static("request_uri");
pub(super) static ADDRESS: HeaderName = HeaderName::from_static("remote_addr");
pub(super) static HOST: HeaderName = hyper::header::HOST;

pub(super) fn parse_check(headers: &HeaderMap) -> Result<OriginalRequest<'_>, ContractError> {
    let address = proxy_value(headers, &ADDRESS)?;
    let address = Address::parse(address).ok_or(ContractError::Proxy(ADDRESS.as_str()))?;
    // Apache itself says whether the client used TLS.
    if proxy_value(headers, &SCHEME)? != "https" {
        return Err(ContractError::Proxy(SCHEME.as_str()));
    }
    let method = client_value(headers, &METHOD, address)?;
    // HTTP/1.0 has requests without a Host.
    if !headers.contains_key(&HOST) {
        return Err(ContractError::Client(HOST.as_str(), address));
    }
    let authority = client_value(headers, &HOST, address)?;
    let target = without_origin(client_value(headers, &URI, address)?, authority);
    OriginalRequest::validated(
        address,
        (METHOD.as_str(), method),
        (HOST.as_str(), authority),
        (URI.as_str(), target),
    )
}

/// Returns the path of a target in absolute form (RFC 9112, section 3.2.2), unless it names another
/// host than the Host header: another parser may take that one.
fn without_origin<'a>(target: &'a str, authority: &str) -> &'a str {
    let rest = target.strip_prefix("https://");
    let path = rest.and_then(|rest| rest.strip_prefix(authority));
    path.unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::original_request::headers;

    const METHOD: &str = "request_method";
    const SCHEME: &str = "request_scheme";
    const URI: &str = "request_uri";
    const ADDRESS: &str = "remote_addr";
    const HOST: &str = "host";

    const GOOD: [(&str, &str); 5] = [
        (METHOD, "GET"),
        (SCHEME, "https"),
        (URI, "/a%2fb?q=1"),
        (ADDRESS, "192.0.2.7"),
        (HOST, "app.example.com:8443"),
    ];

    fn changed(name: &str, value: &str) -> HeaderMap {
        let pairs = GOOD.map(|(n, v)| (n, if n == name { value } else { v }));
        headers(&pairs)
    }

    #[test]
    fn the_parameters_of_apache_are_read() {
        let headers = headers(&GOOD);
        let original = parse_check(&headers).unwrap();
        assert_eq!(original.url(), "https://app.example.com:8443/a%2fb?q=1");
        assert_eq!(
            (original.method, original.address),
            ("GET", Address::parse("192.0.2.7").unwrap())
        );
    }

    #[test]
    fn the_absolute_form_of_the_same_host_is_its_path() {
        let absolute = changed(URI, "https://app.example.com:8443/x?q");
        let original = parse_check(&absolute).unwrap();
        assert_eq!(original.url(), "https://app.example.com:8443/x?q");
    }

    #[test]
    fn missing_empty_and_repeated_parameters_are_named() {
        for (name, value) in GOOD {
            let without: Vec<_> = GOOD.into_iter().filter(|(n, _)| *n != name).collect();
            let doubled: Vec<_> = GOOD.into_iter().chain([(name, value)]).collect();
            let empty: Vec<_> = without.iter().copied().chain([(name, "")]).collect();
            for pairs in [without, doubled, empty] {
                let refused = parse_check(&headers(&pairs)).unwrap_err();
                let is_named = match refused {
                    ContractError::Proxy(named) | ContractError::Client(named, _) => named == name,
                };
                assert!(is_named, "{pairs:?}: {refused:?}");
            }
        }
        for (name, value) in [
            (SCHEME, "http"),
            (SCHEME, "HTTPS"),
            (ADDRESS, "host"),
            (ADDRESS, "192.0.2.7, 192.0.2.8"),
        ] {
            let refused = Err(ContractError::Proxy(name));
            assert_eq!(parse_check(&changed(name, value)), refused, "{value}");
        }
    }

    #[test]
    fn what_the_client_chose_is_not_the_proxys_fault() {
        let client = Address::parse("192.0.2.7").unwrap();
        for (name, value) in [
            (METHOD, "G*T"),
            (URI, "*"),
            (URI, "x"),
            (URI, "http://app.example.com:8443/"),
            (URI, "https://other.example.com/"),
            (URI, "https://app.example.com:8443"),
            (URI, "https://app.example.com:84430/"),
            (URI, "https://app.example.com/"),
            (URI, "/a b"),
            (HOST, "a b"),
            (HOST, "u@h"),
            (HOST, "app.example.com, evil.example.com"),
        ] {
            let refused = Err(ContractError::Client(name, client));
            assert_eq!(parse_check(&changed(name, value)), refused, "{value}");
        }
    }
}
