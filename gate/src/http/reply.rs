//! Builders of HTTP replies. Every page gets the security headers; nothing is cached but static
//! content.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};

pub(crate) type HttpReply = Response<Full<Bytes>>;

/// Content Security Policy of pages. Chromium applies form-action to every redirect after a form:
/// to the application, and to wherever the application redirects next, such as its own single
/// sign-on.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action https:; frame-ancestors 'none'; base-uri 'none'";

/// Sets headers, in place of earlier values.
pub(crate) fn with_headers<const N: usize>(
    mut reply: HttpReply,
    headers: [(HeaderName, &'static str); N],
) -> HttpReply {
    for (name, value) in headers {
        reply
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// Returns a reply without a body.
pub(crate) fn bare(status: StatusCode) -> HttpReply {
    bare_with_space(status, 2)
}

/// Returns a reply without a body, with space for this number of headers in all.
pub(crate) fn bare_with_space(status: StatusCode, headers: usize) -> HttpReply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply.headers_mut().reserve(headers);
    with_headers(reply, [(CONTENT_LENGTH, "0"), (CACHE_CONTROL, "no-store")])
}

/// Returns a reply that closes the connection, so that the rest of the request is not read.
pub(crate) fn bare_and_close(status: StatusCode) -> HttpReply {
    with_connection_close(bare(status))
}

/// Makes a reply close its connection.
pub(crate) fn with_connection_close(reply: HttpReply) -> HttpReply {
    with_headers(reply, [(CONNECTION, "close")])
}

/// Returns a text that is not cached.
pub(crate) fn text(status: StatusCode, kind: &'static str, text: String) -> HttpReply {
    let mut reply = Response::new(Full::from(text));
    *reply.status_mut() = status;
    with_headers(reply, [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")])
}

pub(crate) fn page(status: StatusCode, html: String) -> HttpReply {
    let headers = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    with_headers(text(status, "text/html; charset=utf-8", html), headers)
}

/// Returns static content: a style sheet, script or picture.
pub(crate) fn content(kind: &'static str, body: impl Into<Bytes>) -> HttpReply {
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "max-age=3600"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A picture that is opened by itself must not run scripts.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    with_headers(Response::new(Full::new(body.into())), headers)
}

/// Redirects a browser after a form.
pub(crate) fn see_other(to: &str) -> HttpReply {
    let mut reply = bare(StatusCode::SEE_OTHER);
    if let Ok(value) = HeaderValue::try_from(to) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

pub(crate) fn with_cookie(mut reply: HttpReply, cookie: &str) -> HttpReply {
    if let Ok(mut value) = HeaderValue::try_from(cookie) {
        value.set_sensitive(true);
        reply.headers_mut().append(SET_COOKIE, value);
    }
    reply
}

/// Clears all cookies of the domain, also those that the gate did not set (W3C Clear Site Data),
/// and sets these expired ones.
pub(crate) fn with_cookies_cleared(mut reply: HttpReply, expired: &[String]) -> HttpReply {
    reply
        .headers_mut()
        .insert("clear-site-data", HeaderValue::from_static("\"cookies\""));
    expired
        .iter()
        .fold(reply, |reply, cookie| with_cookie(reply, cookie))
}

/// Sets when another request makes sense, in seconds.
pub(crate) fn with_retry_after(mut reply: HttpReply, seconds: u64) -> HttpReply {
    reply
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}
