//! Reads request bodies within limits of size and time, and checks that a form comes from the
//! gate's own pages.

use super::form::Form;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, ORIGIN};
use hyper::{HeaderMap, StatusCode};
use std::time::Duration;

/// Size limit, in bytes.
pub(crate) const MAX_BODY: usize = 16 * 1024;
/// Time limit for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a form comes from one of the gate's own pages. Every browser sends one of the two
/// headers; a header that is not sent does not refuse.
pub(crate) fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let all = |name: &str, expected: &str| {
        headers
            .get_all(name)
            .iter()
            .all(|value| value.as_bytes() == expected.as_bytes())
    };
    all("sec-fetch-site", "same-origin") && all(ORIGIN.as_str(), origin)
}

/// Reads a body within its limits. The error is the status of the refusal.
pub(crate) async fn collect_body(body: Incoming) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

/// Reads a form, or an empty body, within its limits.
pub(crate) async fn read_form(headers: &HeaderMap, body: Incoming) -> Result<Form, StatusCode> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_form = kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    match collect_body(body).await? {
        bytes if bytes.is_empty() || is_form => Ok(Form::parse(&bytes)),
        _ => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
    }
}
