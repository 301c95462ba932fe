//! What a request brings: its body, within limits of length and time, and whether one of our own pages sent it.

use super::form::Form;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, ORIGIN};
use hyper::{HeaderMap, StatusCode};
use std::time::Duration;

/// The largest body, in bytes.
pub(crate) const MAX_BODY: usize = 16 * 1024;
/// How long a body may take to arrive.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a form comes from one of our own pages, as every browser says in one of two headers.
pub(crate) fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let all = |name: &str, said: &str| {
        headers
            .get_all(name)
            .iter()
            .all(|value| value.as_bytes() == said.as_bytes())
    };
    all("sec-fetch-site", "same-origin") && all(ORIGIN.as_str(), origin)
}

/// A form, or nothing, within its limits.
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
