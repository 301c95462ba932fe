//! Proxy contracts: the headers in which each proxy describes the original request. A contract
//! reads only its own headers and never falls back to another's.

use super::original_request::{ContractError, OriginalRequest};
use super::{nginx, traefik};
use hyper::HeaderMap;
use postern_shared::config::gate::ProxyKind;
use postern_shared::network::address::Address;

/// Reads the original request from the headers of a check.
pub(crate) fn parse_check<'a>(
    proxy: ProxyKind,
    headers: &'a HeaderMap,
    is_trusted: impl Fn(Address) -> bool,
) -> Result<OriginalRequest<'a>, ContractError> {
    match proxy {
        ProxyKind::Nginx => nginx::parse_check(headers),
        ProxyKind::Traefik => traefik::parse_check(headers, is_trusted),
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
        ProxyKind::Traefik => traefik::parse_client_address(headers, is_trusted),
    }
}
