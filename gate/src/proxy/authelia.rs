//! Contracts of configurations that were written for Authelia: its endpoints auth-request (nginx),
//! forward-auth (Traefik, Caddy) and ext-authz (Envoy). Only the host has to be changed in them.
//!
//! The contract of forward-auth is that of [`super::forwarded`]. None of the three falls back to
//! another header, or to the address of the peer, as Authelia itself does.

use super::original_request::{CheckRequest, ContractError, OriginalRequest};
use super::{envoy, forwarded, nginx};
use hyper::HeaderMap;
use postern_shared::system::network::address::Address;

pub(crate) const AUTH_REQUEST: &str = "/api/authz/auth-request";
pub(crate) const FORWARD_AUTH: &str = "/api/authz/forward-auth";
/// Prefix that Envoy puts before the path of the original request. With its slash, it is followed
/// by another one.
const EXT_AUTHZ: &str = "/api/authz/ext-authz/";

/// Whether a path is that of a check by ext-authz.
pub(crate) fn is_ext_authz(path: &str) -> bool {
    path.starts_with(EXT_AUTHZ)
}

/// Reads X-Original-URL and X-Original-Method, as from nginx, and the client's address from
/// X-Forwarded-For.
pub(super) fn parse_auth_request(
    headers: &HeaderMap,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<OriginalRequest<'_>, ContractError> {
    nginx::parse_original(
        headers,
        forwarded::parse_client_address(headers, is_trusted)?,
    )
}

/// Reads the method, the host and the path of the check, X-Forwarded-Proto and X-Forwarded-For.
pub(super) fn parse_ext_authz(
    check: CheckRequest<'_>,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<OriginalRequest<'_>, ContractError> {
    envoy::parse_check(check, EXT_AUTHZ, is_trusted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::original_request::headers;
    use hyper::Method;

    const NGINX: [(&str, &str); 3] = [
        ("x-original-url", "https://app.example.com/a?q=1"),
        ("x-original-method", "GET"),
        ("x-forwarded-for", "192.0.2.7"),
    ];
    const ENVOY: [(&str, &str); 3] = [
        ("host", "app.example.com"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "192.0.2.7"),
    ];

    fn nginx_url(pairs: &[(&'static str, &str)]) -> Result<String, ContractError> {
        parse_auth_request(&headers(pairs), |_| false).map(|original| original.url())
    }

    fn envoy_url(path: &str, pairs: &[(&'static str, &str)]) -> Result<String, ContractError> {
        let check = CheckRequest {
            method: &Method::GET,
            uri: &path.parse().unwrap(),
            headers: &headers(pairs),
        };
        parse_ext_authz(check, |_| false).map(|original| original.url())
    }

    #[test]
    fn the_configurations_are_read() {
        assert_eq!(
            nginx_url(&NGINX).as_deref(),
            Ok("https://app.example.com/a?q=1")
        );
        // SWAG appends the address to what the client sent.
        let mut appended = NGINX;
        appended[2].1 = "203.0.113.9, junk, 192.0.2.7";
        let headers = headers(&appended);
        let address = parse_auth_request(&headers, |_| false).map(|original| original.address);
        assert_eq!(address, Ok(Address::parse("192.0.2.7").unwrap()));
        for (path, url) in [
            ("/api/authz/ext-authz//", "https://app.example.com/"),
            (
                "/api/authz/ext-authz//a%2fb?q=1",
                "https://app.example.com/a%2fb?q=1",
            ),
            ("/api/authz/ext-authz///a", "https://app.example.com//a"),
        ] {
            assert!(is_ext_authz(path), "{path}");
            assert_eq!(envoy_url(path, &ENVOY).as_deref(), Ok(url));
        }
    }

    #[test]
    fn missing_empty_and_repeated_headers_are_named() {
        for (contract, parse) in [
            (
                NGINX,
                (|pairs| nginx_url(pairs)) as fn(&[(&'static str, &str)]) -> _,
            ),
            (ENVOY, |pairs| envoy_url("/api/authz/ext-authz//", pairs)),
        ] {
            for (name, value) in contract {
                let without: Vec<_> = contract.into_iter().filter(|(n, _)| *n != name).collect();
                let doubled: Vec<_> = contract.into_iter().chain([(name, value)]).collect();
                let empty: Vec<_> = without.iter().copied().chain([(name, "")]).collect();
                // Authelia takes these in place of a missing one.
                let others = [
                    ("x-real-ip", "192.0.2.7"),
                    ("x-forwarded-uri", "/"),
                    ("x-forwarded-host", "app.example.com"),
                    ("x-forwarded-method", "GET"),
                ];
                let replaced: Vec<_> = without.iter().copied().chain(others).collect();
                for pairs in [without, doubled, empty, replaced] {
                    assert_eq!(parse(&pairs), Err(ContractError::Proxy(name)), "{pairs:?}");
                }
            }
        }
    }

    /// A prefix without its last slash would make of `//admin` a request for `/admin`.
    #[test]
    fn a_prefix_without_its_slash_is_refused_at_every_path() {
        let client = Address::parse("192.0.2.7").unwrap();
        for path in [
            "/api/authz/ext-authz/",
            "/api/authz/ext-authz/a",
            "/api/authz/ext-authz/?/a",
        ] {
            assert_eq!(
                envoy_url(path, &ENVOY),
                Err(ContractError::Client("the path", client)),
                "{path}"
            );
        }
        assert!(!is_ext_authz("/api/authz/ext-authz"));
    }
}
