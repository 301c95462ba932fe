//! Answers in HTTP: what each proxy contract wants to hear, and the gate's own pages.

use crate::check::{Allowed, Ruling, Wants};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue,
    LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use shared::config::gate::Proxy;

/// What the gate answers with.
pub(crate) type Reply = Response<Full<Bytes>>;

/// Characters that stay as they are in a query value.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a client is told that may not sign in with a password.
const HINT: &str =
    "Basic realm=\"Use an app password here; your own password does not work\", charset=\"UTF-8\"";

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
    reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// The answer to a check, as its contract wants it. `way` tells the address of a page of the gate's from which the browser
/// comes back; most answers have no need of it.
pub(crate) fn ruling(ruling: Ruling, proxy: Proxy, method: &str, way: impl FnOnce(&str) -> String) -> Reply {
    let page = match ruling {
        Ruling::Allow(allowed) => return allow(allowed),
        Ruling::Refuse | Ruling::SignIn(Wants::Data) | Ruling::Rise(Wants::Data) => {
            return bare(StatusCode::UNAUTHORIZED);
        }
        Ruling::Forbid => return bare(StatusCode::FORBIDDEN),
        Ruling::AppPassword => {
            let mut reply = bare(StatusCode::UNAUTHORIZED);
            reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(HINT));
            return reply;
        }
        Ruling::SignIn(Wants::Page) => "sign-in",
        Ruling::Rise(Wants::Page) => "rise",
    };
    let status = match (proxy, method) {
        // nginx knows 401 and 403 only; the sample turns this one into a redirect
        (Proxy::Nginx, _) => StatusCode::UNAUTHORIZED,
        (Proxy::Traefik, "GET" | "HEAD") => StatusCode::FOUND,
        (Proxy::Traefik, _) => StatusCode::SEE_OTHER,
    };
    let mut reply = bare(status);
    if let Ok(value) = HeaderValue::try_from(way(page)) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// The sign-in page, with the page to come back to.
pub(crate) fn to_sign_in(sign_in: &str, back_to: Option<&str>) -> String {
    match back_to {
        Some(page) if !page.is_empty() => format!("{sign_in}?rd={}", utf8_percent_encode(page, &ESCAPED)),
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
        (COOKIE, allowed.cookie),
        (AUTHORIZATION, allowed.authorization),
    ] {
        match HeaderValue::from_maybe_shared(Bytes::from(value)) {
            Ok(value) => headers.insert(name, value),
            Err(_) => return bare(StatusCode::UNAUTHORIZED),
        };
    }
    reply
}

/// A page.
pub(crate) fn page(status: StatusCode, html: String) -> Reply {
    let mut reply = Response::new(Full::from(html));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    headers.insert("referrer-policy", HeaderValue::from_static("same-origin"));
    headers.insert("content-security-policy", HeaderValue::from_static(POLICY));
    reply
}

/// Another kind of content of the gate's own.
pub(crate) fn content(kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    reply.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    // a picture that is opened by itself runs nothing
    reply
        .headers_mut()
        .insert("content-security-policy", HeaderValue::from_static("default-src 'none'; sandbox"));
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

/// Says when another try makes sense.
pub(crate) fn with_retry_after(mut reply: Reply, seconds: u64) -> Reply {
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}
