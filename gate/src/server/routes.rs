//! Routes requests: checks of proxies, the health check, and the gate's own pages.
//!
//! MUST authenticate the proxy before any of its headers are read.

use super::{access_log, own_routes};
use crate::api;
use crate::check::forward_auth::{self, Challenge};
use crate::check::proxy_reply::{self, GatePage};
use crate::http::authorization::Authorization;
use crate::http::reply::{self, HttpReply, bare};
use crate::observe::log;
use crate::observe::metrics::{CheckLabel, METRICS};
use crate::proxy::contract::{self, ContractError};
use crate::proxy::identity::Identity;
use crate::proxy::trusted_proxy::{ProvenProxy, ProxyConnection, UntrustedPeer};
use crate::state::site::Site;
use crate::web::language::Language;
use crate::web::request::RequestContext;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, Request, StatusCode};
use shared::config::gate::ProxyKind;
use shared::engine::SERVICE;
use std::sync::Arc;
use std::time::Instant;

/// Answers one request.
pub(crate) async fn answer_request(
    site: &Arc<Site>,
    connected: ProxyConnection,
    mut request: Request<Incoming>,
) -> HttpReply {
    join_cookie_lines(request.headers_mut());
    // No proxy or browser sends a form in chunks, and parsers that disagree on a body's length
    // allow request smuggling (RFC 9112, section 11.2).
    if request.headers().contains_key(TRANSFER_ENCODING) {
        return reply::bare_and_close(StatusCode::BAD_REQUEST);
    }
    let reply = match request.uri().path() {
        "/check/nginx" => answer_check(site, connected, request.headers(), ProxyKind::Nginx),
        "/check/traefik" => answer_check(site, connected, request.headers(), ProxyKind::Traefik),
        "/healthz" => match site.revocation_cache.has_lease() {
            true => bare(StatusCode::OK),
            false => bare(StatusCode::SERVICE_UNAVAILABLE),
        },
        _ => answer_own_page(site, connected, request).await,
    };
    proxy_reply::with_challenge(reply, Challenge::Postern)
}

pub(crate) fn is_answered_at_once(request: &Request<Incoming>) -> bool {
    matches!(
        request.uri().path(),
        "/check/nginx" | "/check/traefik" | "/healthz"
    )
}

/// Joins Cookie lines. HTTP/2 splits one line into several (RFC 9113, section 8.2.3), and Traefik
/// passes them on separately over HTTP/1.
fn join_cookie_lines(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<_> = headers
            .get_all(COOKIE)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if let Ok(line) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            headers.insert(COOKIE, line);
        }
    }
}

fn answer_check(
    site: &Site,
    connected: ProxyConnection,
    headers: &HeaderMap,
    proxy: ProxyKind,
) -> HttpReply {
    let began = Instant::now();
    let through = match site
        .trusted_proxies
        .authenticate(connected, headers, Some(proxy))
    {
        Ok(through) => through,
        Err(unproven) => return refuse_untrusted_peer(&unproven),
    };
    let asked = match contract::parse_check(proxy, headers, |address| {
        site.trusted_proxies.is_proxy(address)
    }) {
        Ok(asked) => asked,
        Err(broken) => {
            log_malformed_request(proxy, &broken, connected);
            METRICS.count_check(proxy, CheckLabel::Malformed, began.elapsed());
            return proxy_reply::unauthorized(forward_auth::select_challenge("", headers));
        }
    };
    let site = match site.own_path_sites.is_empty() {
        true => site,
        false => site.find_site_protecting(&asked.host()),
    };
    let ruling = forward_auth::check(site, &asked, headers, &through.parse_identity(headers));
    METRICS.count_check(proxy, ruling.label(), began.elapsed());
    if log::has_access_log() {
        access_log::log_check(&asked, &ruling, began.elapsed());
    }
    proxy_reply::check_reply(
        ruling,
        proxy,
        asked.method,
        forward_auth::select_challenge(asked.method, headers),
        |page| {
            let at = |page: &str| format!("{}{}{page}", site.url.origin(), site.url.path);
            match page {
                GatePage::SignIn => {
                    proxy_reply::sign_in_url(&at("sign-in"), site.valid_return_url(&asked.url()))
                }
                GatePage::Upgrade => {
                    proxy_reply::sign_in_url(&at("upgrade"), site.valid_return_url(&asked.url()))
                }
                GatePage::Cookies => at("cookies"),
                GatePage::NotCovered => at(&format!("not-covered?host={}", asked.host())),
            }
        },
    )
}

fn refuse_untrusted_peer(unproven: &UntrustedPeer) -> HttpReply {
    METRICS.count_untrusted_request();
    let line = log::event("refused")
        .with("cause", "untrusted-proxy")
        .rate_limited("untrusted-proxy");
    line.write_with_message(unproven);
    bare(StatusCode::FORBIDDEN)
}

/// Logs a malformed check, as the proxy's fault or the client's.
fn log_malformed_request(proxy: ProxyKind, broken: &ContractError, connected: ProxyConnection) {
    match broken {
        ContractError::Client(name, address) => {
            let line = log::event("refused")
                .with("cause", "malformed-request")
                .with("address", address);
            line.with("service", SERVICE)
                .rate_limited("malformed-request")
                .write_with_message(format_args!(
                    "the client's request has an invalid method, host or path, see {name}"
                ));
        }
        ContractError::Proxy(name) => {
            let peer = connected
                .address
                .map_or_else(|| "unix".to_owned(), |address| address.to_string());
            log::event("refused").with("cause", "proxy-contract").with("peer", peer).rate_limited("proxy-contract").write_with_message(format_args!(
                "the proxy {} sent {name} missing, empty, doubled or malformed; compare its configuration with postern print-config",
                proxy.name()
            ));
        }
    }
}

async fn answer_own_page(
    site: &Arc<Site>,
    connected: ProxyConnection,
    request: Request<Incoming>,
) -> HttpReply {
    let headers = request.headers();
    let (address, identity) = match site.trusted_proxies.authenticate(connected, headers, None) {
        Ok(through @ ProvenProxy { proxy, .. }) => {
            match contract::parse_client_address(proxy, headers, |address| {
                site.trusted_proxies.is_proxy(address)
            }) {
                Ok(address) => (address, through.parse_identity(headers)),
                Err(broken) => {
                    log_malformed_request(proxy, &broken, connected);
                    return bare(StatusCode::BAD_REQUEST);
                }
            }
        }
        Err(unproven) => match unproven.as_browser(site.gate().insecure_loopback) {
            Some(address) => (address, Identity::NotProvided),
            None => return refuse_untrusted_peer(&unproven),
        },
    };
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return bare(StatusCode::BAD_REQUEST),
        (host, None) => authority.or_else(|| host.and_then(|value| value.to_str().ok())),
    };
    // `gate.url` does not contain the default port.
    let host = host.map(|host| host.strip_suffix(":443").unwrap_or(host));
    let Some(site) = host.and_then(|host| site.find_site_at(host)) else {
        return bare(StatusCode::MISDIRECTED_REQUEST);
    };
    // An app password is never valid at the gate's own pages, so it is not verified.
    if headers.get_all(AUTHORIZATION).iter().any(is_app_password) {
        let line = log::event("refused")
            .with("cause", "scope")
            .with("address", address);
        line.write_with_message("an app password opens none of the gate's own pages");
        return bare(StatusCode::FORBIDDEN);
    }
    let Some(page) = request
        .uri()
        .path()
        .strip_prefix(site.url.path.as_str())
        .map(str::to_owned)
    else {
        return bare(StatusCode::NOT_FOUND);
    };
    let (mut parts, body) = request.into_parts();
    api::into_cookies(site, &page, &mut parts.headers);
    let t = Language::asked(&parts.headers);
    let context = RequestContext {
        site,
        headers: &parts.headers,
        address,
        identity,
        t,
    };
    if !log::has_access_log() {
        return own_routes::answer_page(&context, &parts, &page, body).await;
    }
    // The session is read before a page can end it.
    let (began, session) = (Instant::now(), context.session());
    let reply = own_routes::answer_page(&context, &parts, &page, body).await;
    let user = session.as_ref().map(|session| &session.name);
    access_log::log_page(
        &parts,
        &site.url,
        address,
        user,
        reply.status(),
        began.elapsed(),
    );
    reply
}

fn is_app_password(value: &HeaderValue) -> bool {
    Authorization::parse(value.as_bytes()).is_app_password()
}
