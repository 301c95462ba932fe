//! Contract of Envoy's ext_authz over HTTP, and of the Gateway API's ExternalAuth: the check has the
//! method and the host of the original request, its path and query after the prefix, and
//! X-Forwarded-Proto and X-Forwarded-For.
//!
//! Envoy itself refuses a path with a fragment, which no parser of URIs here would show.

use super::forwarded::{parse_client_address, require_https};
use super::original_request::{CheckRequest, ContractError, OriginalRequest, client_value};
use hyper::header::HeaderName;
use hyper::http::uri::{Authority, PathAndQuery};
use postern_shared::system::network::address::Address;

/// Prefix of the path, as the sample sets it.
pub(super) const PREFIX: &str = "/check/envoy";
static HOST: HeaderName = hyper::header::HOST;
/// What log lines name where a client's path or method is malformed.
const PATH: &str = "the path";
const METHOD: &str = "the method";

/// Whether a path is that of a check.
pub(crate) fn is_check(path: &str) -> bool {
    let rest = path.strip_prefix(PREFIX);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn parse_check<'a>(
    check: CheckRequest<'a>,
    prefix: &str,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<OriginalRequest<'a>, ContractError> {
    let headers = check.headers;
    let address = parse_client_address(headers, is_trusted)?;
    require_https(headers)?;
    let method = check.method.as_str();
    let target = check.uri.path_and_query().map(PathAndQuery::as_str);
    let target = target.and_then(|target| target.strip_prefix(prefix));
    let target = target.ok_or(ContractError::Client(PATH, address))?;
    let authority = match check.uri.authority().map(Authority::as_str) {
        None => client_value(headers, &HOST, address)?,
        // Another parser may take the other one.
        Some(authority) if headers.get_all(&HOST).iter().all(|host| host == authority) => authority,
        Some(_) => return Err(ContractError::Client(HOST.as_str(), address)),
    };
    OriginalRequest::validated(
        address,
        (METHOD, method),
        (HOST.as_str(), authority),
        (PATH, target),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::original_request::headers;
    use hyper::{Method, Uri};

    const GOOD: [(&str, &str); 3] = [
        ("host", "app.example.com:8443"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "192.0.2.7"),
    ];

    fn parse(
        method: &str,
        uri: &str,
        pairs: &[(&'static str, &str)],
    ) -> Result<String, ContractError> {
        let (method, uri): (Method, Uri) = (method.parse().unwrap(), uri.parse().unwrap());
        let check = CheckRequest {
            method: &method,
            uri: &uri,
            headers: &headers(pairs),
        };
        parse_check(check, PREFIX, |_| false)
            .map(|original| format!("{} {}", original.method, original.url()))
    }

    #[test]
    fn the_check_has_the_original_method_host_and_path() {
        for (method, uri, original) in [
            ("GET", "/check/envoy/", "https://app.example.com:8443/"),
            (
                "PROPFIND",
                "/check/envoy/a%2fb?q=1",
                "https://app.example.com:8443/a%2fb?q=1",
            ),
            (
                "POST",
                "/check/envoy//check/envoy/x",
                "https://app.example.com:8443//check/envoy/x",
            ),
            (
                "PUT",
                "https://app.example.com:8443/check/envoy/x",
                "https://app.example.com:8443/x",
            ),
        ] {
            assert_eq!(
                parse(method, uri, &GOOD),
                Ok(format!("{method} {original}"))
            );
        }
    }

    #[test]
    fn only_the_prefix_and_a_path_below_it_are_checks() {
        for path in ["/check/envoy", "/check/envoy/", "/check/envoy/a"] {
            assert!(is_check(path), "{path}");
        }
        for path in [
            "/check/envoyx",
            "/check/",
            "/Check/envoy/",
            "/x/check/envoy/",
        ] {
            assert!(!is_check(path), "{path}");
        }
    }

    #[test]
    fn what_the_client_chose_is_not_the_proxys_fault() {
        let client = Address::parse("192.0.2.7").unwrap();
        let refused = |name| Err(ContractError::Client(name, client));
        assert_eq!(parse("GET", "/check/envoy", &GOOD), refused(PATH));
        assert_eq!(parse("GET", "/check/envoy?/x", &GOOD), refused(PATH));
        assert_eq!(parse("G*T", "/check/envoy/", &GOOD), refused(METHOD));
        let other = "https://evil.example.com/check/envoy/";
        assert_eq!(parse("GET", other, &GOOD), refused(HOST.as_str()));
        for host in ["a b", "u@h", "h/x"] {
            let mut pairs = GOOD;
            pairs[0].1 = host;
            assert_eq!(
                parse("GET", "/check/envoy/", &pairs),
                refused(HOST.as_str()),
                "{host}"
            );
        }
    }

    #[test]
    fn missing_and_repeated_headers_are_named() {
        for (name, value) in GOOD {
            let without: Vec<_> = GOOD.into_iter().filter(|(n, _)| *n != name).collect();
            let doubled: Vec<_> = GOOD.into_iter().chain([(name, value)]).collect();
            for pairs in [without, doubled] {
                assert_eq!(
                    parse("GET", "/check/envoy/", &pairs),
                    Err(ContractError::Proxy(name))
                );
            }
        }
        let mut http = GOOD;
        http[1].1 = "http";
        assert_eq!(
            parse("GET", "/check/envoy/", &http),
            Err(ContractError::Proxy("x-forwarded-proto"))
        );
    }
}
