//! Builders of HTTP replies. Every page gets the security headers; nothing is cached but static
//! content.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
    SET_COOKIE,
};
use hyper::{Response, StatusCode};

pub(crate) type HttpReply = Response<Full<Bytes>>;

/// Content Security Policy of pages. Chromium applies form-action to every redirect after a form:
/// to the application, and to wherever the application redirects next, such as its own single
/// sign-on.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action https:; frame-ancestors 'none'; base-uri 'none'";

/// Returns a reply without a body.
pub(crate) fn bare(status: StatusCode) -> HttpReply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Returns a reply that closes the connection, so that the rest of the request is not read.
pub(crate) fn bare_and_close(status: StatusCode) -> HttpReply {
    with_connection_close(bare(status))
}

/// Makes a reply close its connection.
pub(crate) fn with_connection_close(mut reply: HttpReply) -> HttpReply {
    reply
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

pub(crate) fn page(status: StatusCode, html: String) -> HttpReply {
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

/// Returns static content: a style sheet, script or picture.
pub(crate) fn content(kind: &'static str, body: impl Into<Bytes>) -> HttpReply {
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
    // A picture that is opened by itself must not run scripts.
    reply.headers_mut().insert(
        "content-security-policy",
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    reply
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
