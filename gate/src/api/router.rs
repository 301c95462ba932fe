//! Routes of the API: the endpoint for a path and method, and who can use it.
//!
//! MUST check the origin before an endpoint changes anything, and the secret before a request to
//! administration is read.

use super::administration::secret;
use super::endpoint::{Call, Endpoint, EndpointAccess};
use super::problem::problem;
use crate::http::body::{BODY_TIMEOUT, MAX_BODY, is_same_origin};
use crate::http::reply::{HttpReply, with_connection_close};
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use std::sync::LazyLock;

/// Path of the API below the gate's.
pub(crate) const PATH_PREFIX: &str = "api/v1/";
/// Path of the endpoints of administration below the API's.
const ADMINISTRATION: &str = "administration/";
const SIGN_OUT: &str = "sign-out";
/// Segments of a path that are compared at most.
const MAX_SEGMENTS: usize = 8;

/// Whether a text is valid as a body of one of the types that several endpoints read.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn is_body(bytes: &[u8]) -> bool {
    use serde_json::from_slice;
    let is_any = from_slice::<crate::web::step_up::StepUpInput>(bytes).is_ok()
        || from_slice::<super::enrollment::FirstCode>(bytes).is_ok()
        || from_slice::<super::enrollment::Saved>(bytes).is_ok();
    is_any && bytes.trim_ascii_start().starts_with(b"{")
}

pub(super) static ENDPOINTS: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    let endpoints = [
        super::document::endpoints(),
        super::login::endpoints(),
        super::enrollment::endpoints(),
        super::account::endpoints(),
        super::second_factor::endpoints(),
        super::authenticators::endpoints(),
        super::app_passwords::endpoints(),
        super::email::endpoints(),
        super::sessions::endpoints(),
        super::refresh::endpoints(),
        super::administration::endpoints(),
    ];
    endpoints.into_iter().flatten().collect()
});

/// Answers one request to the API.
pub(crate) async fn answer_endpoint(
    request: &RequestContext<'_>,
    parts: &Parts,
    path: &str,
    body: Incoming,
) -> HttpReply {
    if path.starts_with(ADMINISTRATION) {
        let Some(secret) = request.administration_secret() else {
            return problem(&unknown_endpoint(request, &[]));
        };
        if let Some(reply) = secret::refuse_without_secret(request, secret).await {
            return reply;
        }
    }
    let found = match find_endpoint(&parts.method, path) {
        Ok(found) => found,
        Err(allowed) => {
            let mut reply = problem(&unknown_endpoint(request, &allowed));
            if let Ok(value) = HeaderValue::try_from(allowed.join(", ")) {
                if !allowed.is_empty() {
                    reply.headers_mut().insert(ALLOW, value);
                }
            }
            return reply;
        }
    };
    let bytes = match read_body(request, body).await {
        Ok(bytes) => bytes,
        Err(refused) => return with_connection_close(problem(&refused)),
    };
    let (endpoint, _) = &found;
    let signs_out = endpoint.path == SIGN_OUT;
    let reply = run_endpoint(request, parts, found, bytes)
        .await
        .unwrap_or_else(|refused| match signs_out {
            // the cookies are removed even if a revocation failed, but not for a request of another
            // site
            true if refused.status != StatusCode::FORBIDDEN => {
                request.without_sign_in_cookies(problem(&refused))
            }
            _ => problem(&refused),
        });
    super::tokens::with_challenge(request, reply)
}

async fn run_endpoint(
    request: &RequestContext<'_>,
    parts: &Parts,
    (endpoint, arguments): (&Endpoint, Vec<String>),
    bytes: Bytes,
) -> Result<HttpReply, ActRefused> {
    let is_harmless = endpoint.method == Method::GET;
    // no browser sends the secret of administration along with a request of another site
    let is_ambient = endpoint.access != EndpointAccess::Administration;
    if !is_harmless && is_ambient && !is_same_origin(&parts.headers, &request.site.url.origin()) {
        let text = request.language.text("foreign-origin");
        return Err(ActRefused::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            text,
        ));
    }
    if endpoint.access == EndpointAccess::SignedIn {
        request.require_session()?;
    }
    let query = parts.uri.query().unwrap_or_default();
    endpoint
        .run(
            &Call {
                request,
                arguments,
                query,
            },
            bytes,
        )
        .await
}

/// Returns the endpoint with the arguments in its path, or the methods that the path has.
fn find_endpoint(
    method: &Method,
    path: &str,
) -> Result<(&'static Endpoint, Vec<String>), Vec<&'static str>> {
    let segments: Vec<&str> = path.split('/').take(MAX_SEGMENTS).collect();
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut allowed = Vec::new();
    for endpoint in ENDPOINTS.iter() {
        let Some(arguments) = match_path(endpoint.path, &segments) else {
            continue;
        };
        if endpoint.method == *method {
            return Ok((endpoint, arguments));
        }
        allowed.push(endpoint.method.as_str());
        if endpoint.method == Method::GET {
            allowed.push("HEAD");
        }
    }
    Err(allowed)
}

/// Returns the arguments in a path, decoded, if the path has the form.
fn match_path(form: &str, segments: &[&str]) -> Option<Vec<String>> {
    let form: Vec<&str> = form.split('/').collect();
    if form.len() != segments.len() {
        return None;
    }
    let mut arguments = Vec::new();
    for (part, segment) in form.iter().zip(segments) {
        match part.starts_with('{') {
            true if segment.is_empty() => return None,
            true => arguments.push(percent_decode_str(segment).decode_utf8().ok()?.into_owned()),
            false if part == segment => {}
            false => return None,
        }
    }
    Some(arguments)
}

pub(super) fn unknown_endpoint(request: &RequestContext<'_>, allowed: &[&str]) -> ActRefused {
    match allowed.is_empty() {
        true => ActRefused::new(
            StatusCode::NOT_FOUND,
            "not_found",
            request.language.text("unknown-endpoint"),
        ),
        false => {
            let (status, text) = (
                StatusCode::METHOD_NOT_ALLOWED,
                request.language.text("method-not-allowed"),
            );
            ActRefused::new(status, "method_not_allowed", text)
        }
    }
}

async fn read_body(request: &RequestContext<'_>, body: Incoming) -> Result<Bytes, ActRefused> {
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
        Err(_) => Err(ActRefused::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            request.language.text("body-too-slow"),
        )),
        Ok(Err(_)) => Err(ActRefused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            request.language.text("body-too-large"),
        )),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_one_endpoint_and_its_variable_parts_are_decoded() {
        let (endpoint, arguments) =
            find_endpoint(&Method::DELETE, "authenticators/my%20t%2fken").unwrap();
        assert_eq!(
            (endpoint.path, arguments),
            ("authenticators/{name}", vec!["my t/ken".to_owned()])
        );
        assert!(find_endpoint(&Method::HEAD, "account").is_ok());
        for path in [
            "",
            "accounts",
            "account/",
            "/account",
            "authenticators/",
            "authenticators/%ff",
            "a/b/c/d",
        ] {
            assert_eq!(
                find_endpoint(&Method::DELETE, path).err(),
                Some(Vec::new()),
                "{path}"
            );
        }
        assert_eq!(
            find_endpoint(&Method::POST, "account").err(),
            Some(vec!["GET", "HEAD"])
        );
        let act = "administration/accounts/a%20b/one-time-code";
        assert_eq!(
            find_endpoint(&Method::DELETE, act).map(|(_, arguments)| arguments),
            Ok(vec!["a b".to_owned()])
        );
        assert_eq!(
            find_endpoint(&Method::GET, act).err(),
            Some(vec!["POST", "DELETE"])
        );
    }

    #[test]
    fn no_two_endpoints_answer_the_same_request() {
        for (at, one) in ENDPOINTS.iter().enumerate() {
            let segments: Vec<&str> = one.path.split('/').collect();
            for other in &ENDPOINTS[at + 1..] {
                let same =
                    one.method == other.method && match_path(other.path, &segments).is_some();
                assert!(!same, "{} {} and {}", one.method, one.path, other.path);
            }
        }
    }

    /// The secret is verified by the path, before the endpoint is known.
    #[test]
    fn every_endpoint_below_administration_requires_the_secret_and_no_other_does() {
        assert_eq!(
            format!("{PATH_PREFIX}{ADMINISTRATION}"),
            postern_shared::protocol::admin_api::PATH
        );
        for endpoint in ENDPOINTS.iter() {
            let is_below = endpoint.path.starts_with(ADMINISTRATION);
            assert_eq!(
                is_below,
                endpoint.access == EndpointAccess::Administration,
                "{}",
                endpoint.path
            );
        }
    }

    #[test]
    fn no_get_has_a_body() {
        for endpoint in ENDPOINTS
            .iter()
            .filter(|endpoint| endpoint.method == Method::GET)
        {
            assert!(endpoint.body.is_none(), "{}", endpoint.path);
        }
    }
}
