//! Proxy contracts: where each proxy describes the original request. A contract reads only its own
//! headers and never falls back to another's.

use super::original_request::{CheckRequest, ContractError, OriginalRequest};
use super::{apache, authelia, envoy, forwarded, nginx};
use hyper::HeaderMap;
use postern_shared::config::gate::ProxyKind;
use postern_shared::system::network::address::Address;

/// Reads the original request from a check.
pub(crate) fn parse_check<'a>(
    proxy: ProxyKind,
    check: CheckRequest<'a>,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<OriginalRequest<'a>, ContractError> {
    match proxy {
        ProxyKind::Nginx => nginx::parse_check(check.headers),
        ProxyKind::Traefik
        | ProxyKind::Caddy
        | ProxyKind::Haproxy
        | ProxyKind::AutheliaForwardAuth => forwarded::parse_check(check.headers, is_trusted),
        ProxyKind::Envoy => envoy::parse_check(check, envoy::PREFIX, is_trusted),
        ProxyKind::Apache => apache::parse_check(check.headers),
        ProxyKind::AutheliaAuthRequest => authelia::parse_auth_request(check.headers, is_trusted),
        ProxyKind::AutheliaExtAuthz => authelia::parse_ext_authz(check, is_trusted),
    }
}

/// Reads the client's address at one of the gate's own pages.
pub(crate) fn parse_client_address(
    proxy: ProxyKind,
    headers: &HeaderMap,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<Address, ContractError> {
    match proxy {
        ProxyKind::Nginx => nginx::parse_client_address(headers),
        ProxyKind::Traefik
        | ProxyKind::Caddy
        | ProxyKind::Haproxy
        | ProxyKind::Envoy
        | ProxyKind::Apache
        | ProxyKind::AutheliaAuthRequest
        | ProxyKind::AutheliaForwardAuth
        | ProxyKind::AutheliaExtAuthz => forwarded::parse_client_address(headers, is_trusted),
    }
}
