//! Which request goes where: checks of proxies, and the gate's own pages.

use crate::access;
use crate::api;
use crate::authorization::Authorization;
use crate::belief::{Connected, Through};
use crate::check;
use crate::contract::{self, Broken};
use crate::identity::Identity;
use crate::language::Language;
use crate::log;
use crate::metrics::{Answered, METRICS};
use crate::own_pages;
use crate::reply::{self, Reply, bare};
use crate::sign_in::Guest;
use crate::site::Site;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, Request, StatusCode, Version};
use shared::config::gate::Proxy;
use std::sync::Arc;
use std::time::Instant;

/// Answers one request.
pub(crate) async fn answer(site: &Arc<Site>, connected: Connected, mut request: Request<Incoming>) -> Reply {
    if request.version() == Version::HTTP_2 {
        join_crumbs(request.headers_mut());
    }
    // no proxy or browser sends a form in chunks; of two lengths, another reader may take the other
    if request.headers().contains_key(TRANSFER_ENCODING) {
        return reply::last(StatusCode::BAD_REQUEST);
    }
    match request.uri().path() {
        "/check/nginx" => check(site, connected, request.headers(), Proxy::Nginx),
        "/check/traefik" => check(site, connected, request.headers(), Proxy::Traefik),
        "/healthz" => match site.watch.is_sure() {
            true => bare(StatusCode::OK),
            false => bare(StatusCode::SERVICE_UNAVAILABLE),
        },
        _ => own_page(site, connected, request).await,
    }
}

/// Whether a request is answered without waiting for anything, a body included.
pub(crate) fn is_answered_at_once(request: &Request<Incoming>) -> bool {
    matches!(request.uri().path(), "/check/nginx" | "/check/traefik" | "/healthz")
}

/// HTTP/2 splits one Cookie line into many (RFC 9113, section 8.2.3), as Traefik does.
fn join_crumbs(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(line) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            headers.insert(COOKIE, line);
        }
    }
}

fn check(site: &Site, connected: Connected, headers: &HeaderMap, proxy: Proxy) -> Reply {
    let began = Instant::now();
    let through = match site.believed.proxy(connected, headers) {
        Some(through) if through.proxy == proxy => through,
        _ => return stranger(connected),
    };
    let asked = match contract::asked(proxy, headers, |address| site.believed.is_proxy(address)) {
        Ok(asked) => asked,
        Err(Broken(name)) => {
            log::event("refused").with("cause", "contract").seldom("contract").because(format_args!(
                "a check of {proxy:?} came with {name} missing, doubled or malformed; compare the proxy's configuration with postern print-config"
            ));
            METRICS.checked(proxy, Answered::Malformed, began.elapsed());
            return bare(StatusCode::UNAUTHORIZED);
        }
    };
    let site = match site.own_paths.is_empty() {
        true => site,
        false => site.protecting(&asked.host()),
    };
    let ruling = check::check(site, &asked, headers, &through.identity(headers));
    METRICS.checked(proxy, ruling.answered(), began.elapsed());
    if log::has_access() {
        access::check(&asked, &ruling, began.elapsed());
    }
    reply::ruling(ruling, proxy, asked.method, |page| {
        let page = format!("{}{}{page}", site.url.origin(), site.url.path);
        reply::to_sign_in(&page, site.back_to(&asked.url()))
    })
}

fn stranger(connected: Connected) -> Reply {
    METRICS.turned_away();
    let peer = connected.address.map_or_else(|| "the unix socket".to_owned(), |address| address.to_string());
    let line = log::event("refused").with("cause", "not-a-trusted-proxy").seldom("not-a-trusted-proxy");
    line.because(format_args!(
        "a request from {peer} proves no proxy; see gate.trusted_proxies and secret_file in postern.toml"
    ));
    bare(StatusCode::FORBIDDEN)
}

async fn own_page(site: &Arc<Site>, connected: Connected, request: Request<Incoming>) -> Reply {
    let headers = request.headers();
    let through = site.believed.proxy(connected, headers);
    let address = match (through, connected.address) {
        (Some(Through { proxy, .. }), _) => {
            match contract::address(proxy, headers, |address| site.believed.is_proxy(address)) {
                Ok(address) => address,
                Err(Broken(name)) => {
                    let line = log::event("refused").with("cause", "contract").seldom("contract");
                    line.because(format_args!("{proxy:?} sent {name} missing, doubled or malformed"));
                    return bare(StatusCode::BAD_REQUEST);
                }
            }
        }
        // A browser of its own accord; whoever stands on loopback could be any local process.
        (None, Some(address)) if !address.is_loopback() || site.gate().insecure_loopback => address,
        (None, _) => return stranger(connected),
    };
    let identity = through.map_or(Identity::NotBrought, |through| through.identity(headers));
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let host = authority.or_else(|| headers.get(HOST).and_then(|value| value.to_str().ok()));
    // as gate.url leaves it out
    let host = host.map(|host| host.strip_suffix(":443").unwrap_or(host));
    let Some(site) = host.and_then(|host| site.at(host)) else {
        return bare(StatusCode::MISDIRECTED_REQUEST);
    };
    // never good here, and so not even looked up
    if headers.get_all(AUTHORIZATION).iter().any(is_app_password) {
        let line = log::event("refused").with("cause", "scope").with("address", address);
        line.because("an app password opens none of the gate's own pages");
        return bare(StatusCode::FORBIDDEN);
    }
    let Some(page) = request.uri().path().strip_prefix(site.url.path.as_str()).map(str::to_owned) else {
        return bare(StatusCode::NOT_FOUND);
    };
    let (mut parts, body) = request.into_parts();
    api::into_cookies(site, &page, &mut parts.headers);
    let t = Language::asked(&parts.headers);
    let guest = Guest { site, headers: &parts.headers, address, identity, t };
    if !log::has_access() {
        return own_pages::turn_to(&guest, &parts, &page, body).await;
    }
    // before a page of sign-out ends it
    let (began, session) = (Instant::now(), guest.session());
    let reply = own_pages::turn_to(&guest, &parts, &page, body).await;
    let user = session.as_ref().map(|session| &session.name);
    access::page(&parts, &site.url, address, user, reply.status(), began.elapsed());
    reply
}

fn is_app_password(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| Authorization::read(text).is_ours())
}
