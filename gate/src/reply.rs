//! Answers in HTTP: what each proxy contract wants to hear, and the gate's own pages.

use crate::check::{Allowed, Challenge, Ruling, Wants};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderName,
    HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use shared::config::gate::Proxy;

/// What the gate answers with.
pub(crate) type Reply = Response<Full<Bytes>>;

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

/// What a page may do. Chromium holds all redirects after a form to form-action: to the application, and wherever it
/// may send the browser next, to a sign-on of its own for example.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action https:; frame-ancestors 'none'; base-uri 'none'";

/// An answer without a body.
pub(crate) fn bare(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// An answer that ends the connection: what is left of the request is not to be read.
pub(crate) fn last(status: StatusCode) -> Reply {
    closing(bare(status))
}

/// The same of one that has a body.
pub(crate) fn closing(mut reply: Reply) -> Reply {
    reply
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// A page of the gate's that a browser is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// To sign in, and come back.
    SignIn,
    /// To give the code, and come back.
    Rise,
    /// To have unclear cookies taken away.
    Cookies,
    /// To read that no session is good there.
    NotCovered,
}

/// An answer of 401, which asks for something (RFC 9110, section 15.5.2).
pub(crate) fn unauthorized(challenge: Challenge) -> Reply {
    challenging(bare(StatusCode::UNAUTHORIZED), challenge)
}

/// The same, if it is a 401 and does not ask for something already.
pub(crate) fn challenging(mut reply: Reply, challenge: Challenge) -> Reply {
    let value = match challenge {
        Challenge::Basic => HINT,
        Challenge::Quiet => QUIET,
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
pub(crate) fn ruling(
    ruling: Ruling,
    proxy: Proxy,
    method: &str,
    challenge: Challenge,
    way: impl FnOnce(Page) -> String,
) -> Reply {
    let page = match ruling {
        Ruling::Allow(allowed) => return allow(allowed),
        Ruling::Refuse
        | Ruling::AppPassword
        | Ruling::SignIn(Wants::Data)
        | Ruling::Rise(Wants::Data)
        | Ruling::Unclear(Wants::Data)
        | Ruling::NotCovered(Wants::Data) => return unauthorized(challenge),
        Ruling::Forbid => return bare(StatusCode::FORBIDDEN),
        Ruling::SignIn(Wants::Page) => Page::SignIn,
        Ruling::Rise(Wants::Page) => Page::Rise,
        Ruling::Unclear(Wants::Page) => Page::Cookies,
        Ruling::NotCovered(Wants::Page) => Page::NotCovered,
    };
    let status = match (proxy, method) {
        // nginx knows 401 and 403 only; the sample turns this one into a redirect
        (Proxy::Nginx, _) => StatusCode::UNAUTHORIZED,
        (Proxy::Traefik, "GET" | "HEAD") => StatusCode::FOUND,
        (Proxy::Traefik, _) => StatusCode::SEE_OTHER,
    };
    let mut reply = challenging(bare(status), challenge);
    if let Ok(value) = HeaderValue::try_from(way(page)) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// The sign-in page, with the page to come back to.
pub(crate) fn to_sign_in(sign_in: &str, back_to: Option<&str>) -> String {
    match back_to {
        Some(page) if !page.is_empty() => {
            format!("{sign_in}?rd={}", utf8_percent_encode(page, &ESCAPED))
        }
        _ => sign_in.to_owned(),
    }
}

/// Every header on every allow, empty if there is nothing to say: a proxy that copies them then removes what a
/// client sent under their names.
fn allow(allowed: Allowed) -> Reply {
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
            Err(_) => return unauthorized(Challenge::Quiet),
        };
    }
    headers.insert(COOKIE, allowed.cookie);
    headers.insert(AUTHORIZATION, allowed.authorization);
    reply
}

/// A page.
pub(crate) fn page(status: StatusCode, html: String) -> Reply {
    let mut reply = Response::new(Full::from(html));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    headers.insert("referrer-policy", HeaderValue::from_static("same-origin"));
    headers.insert("content-security-policy", HeaderValue::from_static(POLICY));
    reply
}

/// Another kind of content of the gate's own.
pub(crate) fn content(kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    reply.headers_mut().insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    // a picture that is opened by itself runs nothing
    reply.headers_mut().insert(
        "content-security-policy",
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    reply
}

/// Sends the browser elsewhere after a form.
pub(crate) fn see_other(to: &str) -> Reply {
    let mut reply = bare(StatusCode::SEE_OTHER);
    if let Ok(value) = HeaderValue::try_from(to) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// Adds a cookie.
pub(crate) fn with_cookie(mut reply: Reply, cookie: &str) -> Reply {
    if let Ok(mut value) = HeaderValue::try_from(cookie) {
        value.set_sensitive(true);
        reply.headers_mut().append(SET_COOKIE, value);
    }
    reply
}

/// Takes all cookies of the domain away, also those that the gate did not set (W3C, Clear Site Data), and these.
pub(crate) fn without_any_cookie(mut reply: Reply, expired: &[String]) -> Reply {
    reply
        .headers_mut()
        .insert("clear-site-data", HeaderValue::from_static("\"cookies\""));
    expired
        .iter()
        .fold(reply, |reply, cookie| with_cookie(reply, cookie))
}

/// Says when another try makes sense.
pub(crate) fn with_retry_after(mut reply: Reply, seconds: u64) -> Reply {
    reply
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}
