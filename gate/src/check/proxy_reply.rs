//! Reply to a check, as the contract of its proxy requires it.

use super::forward_auth::{Allowed, Challenge, CheckResult, WantedReply};
use crate::http::reply::{HttpReply, bare};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use shared::config::gate::ProxyKind;

/// Characters that stay as they are in a query value.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a client is told that may not sign in with a password.
const HINT: &str =
    "Basic realm=\"Use an app password here; your own password does not work\", charset=\"UTF-8\"";

/// What opens no dialog in a browser.
const QUIET: &str = "Bearer realm=\"sign-in\"";
const FORM: &str = "Postern realm=\"sign-in\"";

/// A page of the gate's that a browser is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatePage {
    /// To sign in, and come back.
    SignIn,
    /// To give the code, and come back.
    Upgrade,
    /// To have unclear cookies taken away.
    Cookies,
    /// To read that no session is good there.
    NotCovered,
}

/// An answer of 401, which asks for something (RFC 9110, section 15.5.2).
pub(crate) fn unauthorized(challenge: Challenge) -> HttpReply {
    with_challenge(bare(StatusCode::UNAUTHORIZED), challenge)
}

/// The same, if it is a 401 and does not ask for something already.
pub(crate) fn with_challenge(mut reply: HttpReply, challenge: Challenge) -> HttpReply {
    let value = match challenge {
        Challenge::Basic => HINT,
        Challenge::Bearer => QUIET,
        Challenge::Form => FORM,
    };
    if reply.status() == StatusCode::UNAUTHORIZED {
        reply
            .headers_mut()
            .entry(WWW_AUTHENTICATE)
            .or_insert(HeaderValue::from_static(value));
    }
    reply
}

/// The answer to a check, as its contract wants it. `way` tells the address of a page of the gate's; most answers have no
/// need of it.
pub(crate) fn check_reply(
    ruling: CheckResult,
    proxy: ProxyKind,
    method: &str,
    challenge: Challenge,
    way: impl FnOnce(GatePage) -> String,
) -> HttpReply {
    let page = match ruling {
        CheckResult::Allow(allowed) => return allow_reply(allowed),
        CheckResult::Refuse
        | CheckResult::AppPassword
        | CheckResult::SignIn(WantedReply::Data)
        | CheckResult::Upgrade(WantedReply::Data)
        | CheckResult::ConflictingCookies(WantedReply::Data)
        | CheckResult::NotCovered(WantedReply::Data) => return unauthorized(challenge),
        CheckResult::Forbid => return bare(StatusCode::FORBIDDEN),
        CheckResult::SignIn(WantedReply::Page) => GatePage::SignIn,
        CheckResult::Upgrade(WantedReply::Page) => GatePage::Upgrade,
        CheckResult::ConflictingCookies(WantedReply::Page) => GatePage::Cookies,
        CheckResult::NotCovered(WantedReply::Page) => GatePage::NotCovered,
    };
    let status = match (proxy, method) {
        // nginx knows 401 and 403 only; the sample turns this one into a redirect
        (ProxyKind::Nginx, _) => StatusCode::UNAUTHORIZED,
        (ProxyKind::Traefik, "GET" | "HEAD") => StatusCode::FOUND,
        (ProxyKind::Traefik, _) => StatusCode::SEE_OTHER,
    };
    let mut reply = with_challenge(bare(status), challenge);
    if let Ok(value) = HeaderValue::try_from(way(page)) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// The sign-in page, with the page to come back to.
pub(crate) fn sign_in_url(sign_in: &str, back_to: Option<&str>) -> String {
    match back_to {
        Some(page) if !page.is_empty() => {
            format!("{sign_in}?rd={}", utf8_percent_encode(page, &ESCAPED))
        }
        _ => sign_in.to_owned(),
    }
}

/// Every header on every allow, empty if there is nothing to say: a proxy that copies them then removes what a
/// client sent under their names.
fn allow_reply(allowed: Allowed) -> HttpReply {
    let mut reply = bare(StatusCode::OK);
    let headers = reply.headers_mut();
    headers.insert("remote-name", HeaderValue::from_static(""));
    for (name, value) in [
        (HeaderName::from_static("remote-user"), allowed.user),
        (HeaderName::from_static("remote-groups"), allowed.groups),
        (HeaderName::from_static("remote-email"), allowed.email),
    ] {
        match HeaderValue::from_maybe_shared(Bytes::from(value)) {
            Ok(value) => headers.insert(name, value),
            Err(_) => return unauthorized(Challenge::Bearer),
        };
    }
    headers.insert(COOKIE, allowed.cookie);
    headers.insert(AUTHORIZATION, allowed.authorization);
    reply
}
