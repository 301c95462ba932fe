//! Answers in HTTP: what each proxy contract wants to hear, and the gate's own pages.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
    SET_COOKIE,
};
use hyper::{Response, StatusCode};

/// What the gate answers with.
pub(crate) type HttpReply = Response<Full<Bytes>>;

/// What a page may do. Chromium holds all redirects after a form to form-action: to the application, and wherever it
/// may send the browser next, to a sign-on of its own for example.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action https:; frame-ancestors 'none'; base-uri 'none'";

/// An answer without a body.
pub(crate) fn bare(status: StatusCode) -> HttpReply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// An answer that ends the connection: what is left of the request is not to be read.
pub(crate) fn bare_and_close(status: StatusCode) -> HttpReply {
    with_connection_close(bare(status))
}

/// The same of one that has a body.
pub(crate) fn with_connection_close(mut reply: HttpReply) -> HttpReply {
    reply
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// A page.
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

/// Another kind of content of the gate's own.
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
    // a picture that is opened by itself runs nothing
    reply.headers_mut().insert(
        "content-security-policy",
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    reply
}

/// Sends the browser elsewhere after a form.
pub(crate) fn see_other(to: &str) -> HttpReply {
    let mut reply = bare(StatusCode::SEE_OTHER);
    if let Ok(value) = HeaderValue::try_from(to) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

/// Adds a cookie.
pub(crate) fn with_cookie(mut reply: HttpReply, cookie: &str) -> HttpReply {
    if let Ok(mut value) = HeaderValue::try_from(cookie) {
        value.set_sensitive(true);
        reply.headers_mut().append(SET_COOKIE, value);
    }
    reply
}

/// Takes all cookies of the domain away, also those that the gate did not set (W3C, Clear Site Data), and these.
pub(crate) fn with_cookies_cleared(mut reply: HttpReply, expired: &[String]) -> HttpReply {
    reply
        .headers_mut()
        .insert("clear-site-data", HeaderValue::from_static("\"cookies\""));
    expired
        .iter()
        .fold(reply, |reply, cookie| with_cookie(reply, cookie))
}

/// Says when another try makes sense.
pub(crate) fn with_retry_after(mut reply: HttpReply, seconds: u64) -> HttpReply {
    reply
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}
