//! Routes requests: checks of proxies, the health check, and the gate's own pages.
//!
//! MUST authenticate the proxy before any of its headers are read.

use super::{access_log, own_routes};
use crate::api;
use crate::check::client::{self, Challenge};
use crate::check::forward_auth::{self, CheckResult};
use crate::check::proxy_reply::{self, GatePage};
use crate::http::authorization::Authorization;
use crate::http::cookies::find_plain_cookie;
use crate::http::header_fields;
use crate::http::reply::{self, HttpReply, bare};
use crate::observe::log;
use crate::observe::metrics::{CheckLabel, METRICS};
use crate::proxy::contract;
use crate::proxy::fastcgi::params::read_params;
use crate::proxy::identity::Identity;
use crate::proxy::original_request::{CheckRequest, ContractError, OriginalRequest};
use crate::proxy::trusted_proxy::{ProxyConnection, UntrustedPeer};
use crate::proxy::{authelia, envoy};
use crate::state::site::Site;
use crate::web::language::Language;
use crate::web::request::RequestContext;
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Request, StatusCode};
use postern_shared::config::gate::ProxyKind;
use postern_shared::engine::SERVICE;
use postern_shared::system::network::address::Address;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a request asks the gate for.
enum RequestRoute {
    Check(ProxyKind),
    Health,
    OwnPage,
}

impl RequestRoute {
    fn find(path: &str) -> RequestRoute {
        match path {
            "/check/nginx" => RequestRoute::Check(ProxyKind::Nginx),
            "/check/traefik" => RequestRoute::Check(ProxyKind::Traefik),
            "/check/caddy" => RequestRoute::Check(ProxyKind::Caddy),
            "/check/haproxy" => RequestRoute::Check(ProxyKind::Haproxy),
            path if envoy::is_check(path) => RequestRoute::Check(ProxyKind::Envoy),
            authelia::AUTH_REQUEST => RequestRoute::Check(ProxyKind::AutheliaAuthRequest),
            authelia::FORWARD_AUTH => RequestRoute::Check(ProxyKind::AutheliaForwardAuth),
            path if authelia::is_ext_authz(path) => {
                RequestRoute::Check(ProxyKind::AutheliaExtAuthz)
            }
            "/healthz" => RequestRoute::Health,
            _ => RequestRoute::OwnPage,
        }
    }
}

/// Answers a request whose reply waits for nothing, neither the store nor a body. Returns `None` for
/// one of the gate's own pages.
pub(crate) fn answer_at_once(
    site: &Site,
    connection: ProxyConnection,
    request: &mut Request<Incoming>,
    now: Instant,
) -> Option<HttpReply> {
    join_cookie_lines(request.headers_mut());
    // No proxy or browser sends a form in chunks, and parsers that disagree on a body's length
    // allow request smuggling (RFC 9112, section 11.2). A request without a body has no such field:
    // hyper refuses one that names another encoding.
    if !request.body().is_end_stream() && request.headers().contains_key(TRANSFER_ENCODING) {
        return Some(reply::bare_and_close(StatusCode::BAD_REQUEST));
    }
    match RequestRoute::find(request.uri().path()) {
        RequestRoute::Check(proxy) => {
            let check = CheckRequest {
                method: request.method(),
                uri: request.uri(),
                headers: request.headers(),
            };
            Some(answer_check(site, connection, check, proxy, now))
        }
        RequestRoute::Health => Some(match site.revocation_cache.has_lease() {
            true => bare(StatusCode::OK),
            false => bare(StatusCode::SERVICE_UNAVAILABLE),
        }),
        RequestRoute::OwnPage => None,
    }
}

/// Answers a request for one of the gate's own pages.
pub(crate) async fn answer_page(
    site: &Arc<Site>,
    connection: ProxyConnection,
    request: Request<Incoming>,
) -> HttpReply {
    let reply = answer_own_page(site, connection, request).await;
    proxy_reply::with_challenge(reply, Challenge::Postern)
}

/// Joins Cookie lines. HTTP/2 splits one line into several (RFC 9113, section 8.2.3), and Traefik
/// passes them on separately over HTTP/1.
fn join_cookie_lines(headers: &mut HeaderMap) {
    if header_fields::is_repeated(headers, &COOKIE) {
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
    connection: ProxyConnection,
    check: CheckRequest<'_>,
    kind: ProxyKind,
    began: Instant,
) -> HttpReply {
    let headers = check.headers;
    let trusted = &site.trusted_proxies;
    let proxy = match trusted.authenticate(connection, headers, Some(kind)) {
        Ok(proxy) => proxy,
        Err(untrusted) => return bare(refuse_untrusted_peer(&untrusted)),
    };
    let original = match contract::parse_check(kind, check, |address| trusted.is_proxy(address)) {
        Ok(original) => original,
        Err(error) => {
            log_malformed_request(kind, &error, connection);
            METRICS.count_check(kind, CheckLabel::Malformed, began.elapsed());
            return proxy_reply::refuse(kind, client::select_challenge("", headers));
        }
    };
    let site = match site.own_path_sites.is_empty() {
        true => site,
        false => site.find_site_protecting(&original.host()),
    };
    let identity = proxy.parse_identity(headers);
    let result = forward_auth::check(site, &original, headers, &identity);
    METRICS.count_check(kind, result.label(), began.elapsed());
    if log::has_access_log() {
        access_log::log_check(&original, &result, began.elapsed());
    }
    // The common reply needs no challenge.
    let result = match result {
        CheckResult::Allow(allowed) => return proxy_reply::allow_reply(allowed),
        denied => denied,
    };
    let challenge = client::select_challenge(original.method, headers);
    proxy_reply::check_reply(result, kind, original.method, challenge, |page| {
        page_url(site, page, &original)
    })
}

/// Returns the URL of a page of the gate, to which a check redirects the browser.
fn page_url(site: &Site, page: GatePage, original: &OriginalRequest<'_>) -> String {
    let at = |page: &str| format!("{}{}{page}", site.url.origin(), site.url.path);
    let with_return = |page: &str| {
        let requested = original.url();
        let return_url = site.valid_return_url(&requested);
        let url = proxy_reply::sign_in_url(&at(page), return_url);
        match return_url.is_some_and(|kept| kept.len() < requested.len()) {
            true => url + "&cut=yes",
            false => url,
        }
    };
    match page {
        GatePage::SignIn => with_return("sign-in"),
        GatePage::Upgrade => with_return("upgrade"),
        GatePage::Cookies => at("cookies"),
        GatePage::Denied => with_return("denied"),
        GatePage::NotCovered => at(&format!("not-covered?host={}", original.host())),
    }
}

/// Answers a check of Apache. `params` are none if they are longer than the limit.
pub(super) fn answer_fastcgi(
    site: &Site,
    connection: ProxyConnection,
    params: Option<&[u8]>,
    now: Instant,
) -> HttpReply {
    let kind = ProxyKind::Apache;
    let Some(params) = params else {
        METRICS.count_check(kind, CheckLabel::Malformed, Duration::ZERO);
        return bare(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    };
    match read_params(params, site.trusted_proxies.identity_headers(kind)) {
        Ok(headers) => answer_check(
            site,
            connection,
            CheckRequest::of_headers(&headers),
            kind,
            now,
        ),
        Err(_) => {
            log_malformed_fastcgi(connection);
            bare(StatusCode::BAD_REQUEST)
        }
    }
}

/// Logs and counts a request at a `fastcgi:` listener that cannot be read.
pub(super) fn log_malformed_fastcgi(connection: ProxyConnection) {
    METRICS.count_check(ProxyKind::Apache, CheckLabel::Malformed, Duration::ZERO);
    let error = ContractError::Proxy("a FastCGI request");
    log_malformed_request(ProxyKind::Apache, &error, connection);
}

fn refuse_untrusted_peer(untrusted: &UntrustedPeer) -> StatusCode {
    METRICS.count_untrusted_request();
    let line = log::event("refused")
        .with("cause", "untrusted-proxy")
        .rate_limited("untrusted-proxy");
    line.write_with_message(untrusted);
    StatusCode::FORBIDDEN
}

/// Logs a malformed check, as the proxy's fault or the client's.
fn log_malformed_request(kind: ProxyKind, error: &ContractError, connection: ProxyConnection) {
    match error {
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
            let peer = connection
                .address
                .map_or_else(|| "unix".to_owned(), |address| address.to_string());
            let what = match kind.is_for_authelia() {
                true => "what postern-gate(8) says of it",
                false => "postern print-config",
            };
            log::event("refused").with("cause", "proxy-contract").with("peer", peer).rate_limited("proxy-contract").write_with_message(format_args!(
                "the proxy {} sent {name} missing, empty, doubled or malformed; compare its configuration with {what}",
                kind.name()
            ));
        }
    }
}

async fn answer_own_page(
    site: &Arc<Site>,
    connection: ProxyConnection,
    request: Request<Incoming>,
) -> HttpReply {
    let headers = request.headers();
    let (address, identity) = match identify_client(site, connection, headers) {
        Ok(client) => client,
        Err(status) => return bare(status),
    };
    let site = match requested_site(site, &request) {
        Ok(site) => site,
        Err(status) => return bare(status),
    };
    // An app password is never valid at the gate's own pages, so it is not verified.
    if headers.get_all(AUTHORIZATION).iter().any(is_app_password) {
        let line = log::event("refused")
            .with("cause", "scope")
            .with("address", address);
        line.write_with_message("an app password opens none of the gate's own pages");
        return bare(StatusCode::FORBIDDEN);
    }
    let path = request.uri().path().strip_prefix(site.url.path.as_str());
    let Some(path) = path.map(str::to_owned) else {
        return bare(StatusCode::NOT_FOUND);
    };
    let (mut parts, body) = request.into_parts();
    api::replace_cookies_by_tokens(site, &path, &mut parts.headers);
    let context = RequestContext {
        site,
        headers: &parts.headers,
        query: parts.uri.query().unwrap_or_default(),
        address,
        identity,
        language: chosen_language(site, &parts.headers),
    };
    if !log::has_access_log() {
        return own_routes::answer_page(&context, &parts, &path, body).await;
    }
    // The session is read before a page can end it.
    let (began, session) = (Instant::now(), context.session());
    let reply = own_routes::answer_page(&context, &parts, &path, body).await;
    let user = session.as_ref().map(|session| &session.name);
    let (url, status) = (&site.url, reply.status());
    access_log::log_page(&parts, url, address, user, status, began.elapsed());
    reply
}

/// Returns the language that the user chose at the foot of a page, or the one that the browser
/// prefers.
fn chosen_language(site: &Site, headers: &HeaderMap) -> &'static Language {
    let line = forward_auth::cookie_line(headers).ok();
    let name = site.cookies.language_name();
    let chosen = line.as_ref().and_then(|line| {
        let tag = find_plain_cookie(line.as_bytes(), name)?;
        Language::find(tag)
    });
    chosen.unwrap_or_else(|| Language::negotiate(headers))
}

/// Returns the client's address, and the user that its proxy names. The client is behind a trusted
/// proxy, or a browser that connects directly.
fn identify_client(
    site: &Site,
    connection: ProxyConnection,
    headers: &HeaderMap,
) -> Result<(Address, Identity), StatusCode> {
    let trusted = &site.trusted_proxies;
    match trusted.authenticate(connection, headers, None) {
        Ok(proxy) => {
            let is_trusted = |address| trusted.is_proxy(address);
            match contract::parse_client_address(proxy.kind, headers, is_trusted) {
                Ok(address) => Ok((address, proxy.parse_identity(headers))),
                Err(error) => {
                    log_malformed_request(proxy.kind, &error, connection);
                    Err(StatusCode::BAD_REQUEST)
                }
            }
        }
        Err(untrusted) => match untrusted.as_browser(site.gate().insecure_loopback) {
            Some(address) => Ok((address, Identity::NotProvided)),
            None => Err(refuse_untrusted_peer(&untrusted)),
        },
    }
}

/// Returns the site whose host a request names, once.
fn requested_site<'a>(
    site: &'a Arc<Site>,
    request: &Request<Incoming>,
) -> Result<&'a Arc<Site>, StatusCode> {
    let authority = request.uri().authority().map(Authority::as_str);
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(StatusCode::BAD_REQUEST),
        (host, None) => authority.or_else(|| host.and_then(|value| value.to_str().ok())),
    };
    // `gate.url` does not contain the default port.
    let host = host.map(|host| host.strip_suffix(":443").unwrap_or(host));
    host.and_then(|host| site.find_site_at(host))
        .ok_or(StatusCode::MISDIRECTED_REQUEST)
}

fn is_app_password(value: &HeaderValue) -> bool {
    Authorization::parse(value.as_bytes()).is_app_password()
}
