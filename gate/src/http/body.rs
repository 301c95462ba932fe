//! Reads request bodies within limits of size and time, and checks that a form comes from the
//! gate's own pages.

use super::form::Form;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, ORIGIN};
use hyper::{HeaderMap, StatusCode};
use std::time::Duration;

/// Size limit, in bytes.
pub(crate) const MAX_BODY: usize = 16 * 1024;
/// Time limit for a body to arrive.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a form comes from one of the gate's own pages. Every browser sends one of the two
/// headers; a header that is not sent does not refuse.
pub(crate) fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let all = |name: &str, said: &str| {
        headers
            .get_all(name)
            .iter()
            .all(|value| value.as_bytes() == said.as_bytes())
    };
    all("sec-fetch-site", "same-origin") && all(ORIGIN.as_str(), origin)
}

/// Reads a form, or an empty body, within its limits.
pub(crate) async fn read_form(headers: &HeaderMap, body: Incoming) -> Result<Form, StatusCode> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let collected =
        tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await;
    match collected {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Ok(body)) => {
            let bytes = body.to_bytes();
            if !bytes.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
                return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
            Ok(Form::parse(&bytes))
        }
    }
}
