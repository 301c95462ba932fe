//! Renders a check result as an HTTP reply, as the contract of its proxy requires it.
//!
//! MUST set every identity header on every reply that grants access.

use super::client::{Challenge, WantedReply};
use super::forward_auth::{Allowed, CheckResult};
use crate::http::reply::{self, HttpReply, bare};
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION, WWW_AUTHENTICATE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postern_shared::config::gate::ProxyKind;

/// Characters that are percent-encoded in a query value: all but those of RFC 3986, section 2.3.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Challenge for clients that may use an app password. Browsers show the realm.
const BASIC: &str =
    "Basic realm=\"Use an app password here; your own password does not work\", charset=\"UTF-8\"";

/// Challenges that open no dialog in a browser.
const BEARER: &str = "Bearer realm=\"sign-in\"";
const POSTERN: &str = "Postern realm=\"sign-in\"";

/// The page of a denied request, with the URL of the gate's page twice.
const DENIED: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta http-equiv=\"refresh\" content=\"0; url=URL\"><title>Access denied</title>\
    <h1>Access denied</h1><p><a href=\"URL\">Who is signed in, and whom to ask</a></p></html>\n";

/// Page of the gate that a browser is redirected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatePage {
    SignIn,
    Upgrade,
    /// The page that clears conflicting cookies.
    Cookies,
    /// The page that explains that no session is valid at a host.
    NotCovered,
    /// The page that explains that a rule denies the request.
    Denied,
}

/// Returns a 401 reply with a challenge, which RFC 9110, section 15.5.2, requires.
pub(crate) fn unauthorized(challenge: Challenge) -> HttpReply {
    with_challenge(bare(StatusCode::UNAUTHORIZED), challenge)
}

/// Denies a request that is led to no page.
pub(crate) fn refuse(proxy: ProxyKind, challenge: Challenge) -> HttpReply {
    match proxy {
        // These configurations redirect at every 401: a script would read the sign-in page as its
        // data, and without a Location a browser would be led to the same address again.
        ProxyKind::AutheliaAuthRequest => bare(StatusCode::FORBIDDEN),
        ProxyKind::Nginx
        | ProxyKind::Traefik
        | ProxyKind::Caddy
        | ProxyKind::Haproxy
        | ProxyKind::Envoy
        | ProxyKind::Apache
        | ProxyKind::AutheliaForwardAuth
        | ProxyKind::AutheliaExtAuthz => unauthorized(challenge),
    }
}

/// Adds the challenge to a 401 reply that has none.
pub(crate) fn with_challenge(mut reply: HttpReply, challenge: Challenge) -> HttpReply {
    let value = match challenge {
        Challenge::Basic => BASIC,
        Challenge::Bearer => BEARER,
        Challenge::Postern => POSTERN,
    };
    if reply.status() == StatusCode::UNAUTHORIZED {
        reply
            .headers_mut()
            .entry(WWW_AUTHENTICATE)
            .or_insert(HeaderValue::from_static(value));
    }
    reply
}

/// Renders a check result. `page_url` is called for redirects only, since most replies need no URL.
pub(crate) fn check_reply(
    result: CheckResult,
    proxy: ProxyKind,
    method: &str,
    challenge: Challenge,
    page_url: impl FnOnce(GatePage) -> String,
) -> HttpReply {
    let page = match result {
        CheckResult::Allow(allowed) => return allow_reply(allowed),
        CheckResult::Refuse
        | CheckResult::AppPassword
        | CheckResult::SignIn(WantedReply::Data)
        | CheckResult::Upgrade(WantedReply::Data)
        | CheckResult::ConflictingCookies(WantedReply::Data)
        | CheckResult::NotCovered(WantedReply::Data) => return refuse(proxy, challenge),
        CheckResult::Forbid(WantedReply::Data) => return bare(StatusCode::FORBIDDEN),
        CheckResult::Forbid(WantedReply::Page) => return denied_reply(&page_url(GatePage::Denied)),
        CheckResult::SignIn(WantedReply::Page) => GatePage::SignIn,
        CheckResult::Upgrade(WantedReply::Page) => GatePage::Upgrade,
        CheckResult::ConflictingCookies(WantedReply::Page) => GatePage::Cookies,
        CheckResult::NotCovered(WantedReply::Page) => GatePage::NotCovered,
    };
    let status = match (proxy, method) {
        // As nginx passes on 401 and 403 only, the sample configuration turns this 401 into a
        // redirect.
        (ProxyKind::Nginx | ProxyKind::AutheliaAuthRequest, _) => StatusCode::UNAUTHORIZED,
        // HAProxy and Apache reply by themselves, with one status for all methods.
        (ProxyKind::Haproxy | ProxyKind::Apache, _) | (_, "GET" | "HEAD") => StatusCode::FOUND,
        (
            ProxyKind::Traefik
            | ProxyKind::Caddy
            | ProxyKind::Envoy
            | ProxyKind::AutheliaForwardAuth
            | ProxyKind::AutheliaExtAuthz,
            _,
        ) => StatusCode::SEE_OTHER,
    };
    let mut reply = with_challenge(bare(status), challenge);
    if let Ok(value) = HeaderValue::try_from(page_url(page)) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// Returns a 403 reply whose page leads the browser to the gate's own. nginx and HAProxy make this
/// page by themselves, of the Location.
fn denied_reply(page_url: &str) -> HttpReply {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>&".contains(&byte);
    let Ok(location) = HeaderValue::try_from(page_url) else {
        return bare(StatusCode::FORBIDDEN);
    };
    if !page_url.bytes().all(is_plain) {
        return bare(StatusCode::FORBIDDEN);
    }
    let page = DENIED.replace("URL", page_url);
    let mut reply = reply::text(StatusCode::FORBIDDEN, "text/html; charset=utf-8", page);
    reply.headers_mut().insert(LOCATION, location);
    reply
}

/// Returns the URL of a page of the gate, with the URL to return to after sign-in.
pub(crate) fn sign_in_url(sign_in: &str, return_url: Option<&str>) -> String {
    match return_url {
        Some(page) if !page.is_empty() => {
            format!("{sign_in}?rd={}", utf8_percent_encode(page, &ESCAPED))
        }
        _ => sign_in.to_owned(),
    }
}

pub(crate) fn allow_reply(allowed: Allowed) -> HttpReply {
    let mut reply = HttpReply::default();
    let Allowed {
        identity,
        cookie,
        authorization,
    } = allowed;
    *reply.headers_mut() = identity.with_client_headers(cookie, authorization);
    reply
}
