//! Routes of the API: the endpoint for a path and method, and who can use it.
//!
//! MUST check the origin before an endpoint changes anything, and the secret before a request to
//! administration is read.

use super::administration::secret;
use super::body::NoBody;
use super::document::{Document, describe_endpoints};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointResult, endpoint};
use super::problem::problem;
use crate::http::body::{collect_body, is_same_origin};
use crate::http::cookies::TokenChanges;
use crate::http::reply::{HttpReply, with_connection_close};
use crate::http::route_table::{Route, RouteTable};
use crate::state::site::Site;
use crate::web::refusal::{ActRefused, ActResult, HandlerError};
use crate::web::request::RequestContext;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use std::sync::LazyLock;

/// Path of the API below the gate's.
pub(crate) const PATH_PREFIX: &str = "api/v1/";
/// Path of the endpoints of administration below the API's.
const ADMINISTRATION: &str = "administration/";
const SIGN_OUT: &str = "sign-out";

/// Whether a text is valid as a body of one of the types that several endpoints read.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn is_body(bytes: &[u8]) -> bool {
    use serde_json::from_slice;
    let is_any = from_slice::<crate::web::step_up::StepUpInput>(bytes).is_ok()
        || from_slice::<super::enrollment::FirstCode>(bytes).is_ok()
        || from_slice::<super::enrollment::Saved>(bytes).is_ok();
    is_any && bytes.trim_ascii_start().starts_with(b"{")
}

pub(super) static ENDPOINTS: LazyLock<RouteTable<Endpoint>> = LazyLock::new(|| {
    let described = endpoint(Method::GET, "openapi.json", show_document);
    RouteTable::new([
        vec![described.summary("This description.")],
        super::login::endpoints(),
        super::enrollment::endpoints(),
        super::account::endpoints(),
        super::second_factor::endpoints(),
        super::authenticators::endpoints(),
        super::app_passwords::endpoints(),
        super::passkeys::endpoints(),
        super::email::endpoints(),
        super::sessions::endpoints(),
        super::refresh::endpoints(),
        super::administration::endpoints(),
    ])
});

pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| describe_endpoints(&ENDPOINTS));

async fn show_document(call: &Call<'_>, _: NoBody) -> EndpointResult<Document> {
    let mut document = DOCUMENT.clone();
    // the name depends on the gate's path
    document["components"]["securitySchemes"]["session"]["name"] =
        call.request.site.cookies.names.session.into();
    Ok(Document(document).into())
}

/// Replaces the cookies of a request by those that its tokens stand for, if it is for an endpoint
/// that accepts tokens.
pub(crate) fn replace_cookies_by_tokens(site: &Site, page: &str, headers: &mut HeaderMap) {
    let path = page.strip_prefix(PATH_PREFIX);
    if path.is_some_and(|path| !path.starts_with(ADMINISTRATION)) {
        super::tokens::replace_cookies(site, headers);
    }
}

/// Answers one request to the API.
pub(crate) async fn answer_endpoint(
    request: &RequestContext<'_>,
    parts: &Parts,
    path: &str,
    body: Incoming,
) -> HttpReply {
    if path.starts_with(ADMINISTRATION) {
        let Some(secret) = request.administration_secret() else {
            return problem(&unknown_endpoint(request));
        };
        if let Some(reply) = secret::refuse_without_secret(request, secret).await {
            return reply;
        }
    }
    let (endpoint, arguments) = match ENDPOINTS.find(&parts.method, path) {
        Ok(found) => found,
        Err(allowed) if allowed.is_empty() => return problem(&unknown_endpoint(request)),
        Err(allowed) => {
            let (status, text) = (
                StatusCode::METHOD_NOT_ALLOWED,
                request.text("method-not-allowed"),
            );
            let mut reply = problem(&ActRefused::new(status, "method_not_allowed", text));
            if let Ok(value) = HeaderValue::try_from(allowed.join(", ")) {
                reply.headers_mut().insert(ALLOW, value);
            }
            return reply;
        }
    };
    let bytes = match read_body(request, body).await {
        Ok(bytes) => bytes,
        Err(refused) => return with_connection_close(problem(&refused)),
    };
    let call = Call { request, arguments };
    let reply = run_endpoint(&call, parts, endpoint, bytes)
        .await
        .unwrap_or_else(|error| {
            let refused = match error {
                HandlerError::Refused(refused) => refused,
                HandlerError::SignIn(error) => request.refuse_sign_in(&error),
                // no endpoint is done as a form is
                HandlerError::NotFound | HandlerError::Done(_) => unknown_endpoint(request),
            };
            match endpoint.path == SIGN_OUT {
                // the cookies are removed even if a revocation failed, but not for a request of another
                // site
                true if refused.status != StatusCode::FORBIDDEN => {
                    request.with_tokens(problem(&refused), &TokenChanges::signed_out())
                }
                _ => problem(&refused),
            }
        });
    super::tokens::with_challenge(request, reply)
}

async fn run_endpoint(
    call: &Call<'_>,
    parts: &Parts,
    endpoint: &Route<Endpoint>,
    bytes: Bytes,
) -> Result<HttpReply, HandlerError> {
    let (request, access) = (call.request, endpoint.handler.access);
    let is_harmless = endpoint.method == Method::GET;
    // no browser sends the secret of administration along with a request of another site
    let is_ambient = access != EndpointAccess::Administration;
    if !is_harmless && is_ambient && !is_same_origin(&parts.headers, &request.site.url.origin()) {
        let text = request.text("foreign-origin");
        return Err(ActRefused::forbidden("foreign_origin", text).into());
    }
    if access == EndpointAccess::SignedIn {
        request.require_session()?;
    }
    endpoint.handler.run(call, bytes).await
}

fn unknown_endpoint(request: &RequestContext<'_>) -> ActRefused {
    ActRefused::not_found("not_found", request.text("unknown-endpoint"))
}

async fn read_body(request: &RequestContext<'_>, body: Incoming) -> ActResult<Bytes> {
    let (status, code, text) = match collect_body(body).await {
        Ok(bytes) => return Ok(bytes),
        Err(status @ StatusCode::REQUEST_TIMEOUT) => {
            (status, "too_slow", request.text("body-too-slow"))
        }
        Err(status) => (status, "too_large", request.text("body-too-large")),
    };
    Err(ActRefused::new(status, code, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_endpoints_answer_the_same_request() {
        ENDPOINTS.assert_unambiguous();
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
            let access = endpoint.handler.access;
            assert_eq!(
                is_below,
                access == EndpointAccess::Administration,
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
            assert!(endpoint.handler.body.is_none(), "{}", endpoint.path);
        }
    }
}
