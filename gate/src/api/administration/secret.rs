//! Verification of the gate's secret for administration. A program sends it with every request and
//! has no session: no cookie and no other token replaces it.
//!
//! MUST NOT compare a secret from an address that is delayed. MUST NOT show by its duration whether
//! a secret is right.

use crate::api::problem::problem;
use crate::http::authorization::bearer_token;
use crate::http::reply::{HttpReply, with_connection_close, with_headers};
use crate::live::store_pool::{PoolClient, WorkKind};
use crate::observe::log;
use crate::web::refusal::{ActRefused, ActResult};
use crate::web::request::RequestContext;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use postern_shared::engine::{LoginError, ShownSecret};
use postern_shared::system::clock;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// RFC 6750, section 3.
const CHALLENGE: &str = "Bearer realm=\"administration\"";

/// Refuses a request without the right secret, before anything else of it is read.
pub(in crate::api) async fn refuse_without_secret(
    request: &RequestContext<'_>,
    secret: &Zeroizing<String>,
) -> Option<HttpReply> {
    let refused = verify_secret(request, secret).await.err()?;
    let reply = with_connection_close(problem(&refused));
    if refused.status == StatusCode::UNAUTHORIZED {
        return Some(with_headers(reply, [(WWW_AUTHENTICATE, CHALLENGE)]));
    }
    Some(reply)
}

async fn verify_secret(request: &RequestContext<'_>, secret: &Zeroizing<String>) -> ActResult<()> {
    let mut lines = request.headers.get_all(AUTHORIZATION).iter();
    let shown = match (lines.next(), lines.next()) {
        (Some(line), None) => bearer_token(line.as_bytes()).filter(|shown| !shown.is_empty()),
        _ => None,
    };
    let Some(shown) = shown else {
        let text = "Authorization: Bearer SECRET is required".to_owned();
        return Err(ActRefused::unauthorized("no_secret", text));
    };
    let is_right = bool::from(secret.as_bytes().ct_eq(shown));
    let (address, shown) = (
        request.address,
        if is_right {
            ShownSecret::Right
        } else {
            ShownSecret::Wrong
        },
    );
    // the same priority for a right and a wrong secret, so that the duration does not tell them
    // apart
    let client = PoolClient::unauthenticated(address);
    let run = request
        .site
        .store_pool
        .for_client(client)
        .run(WorkKind::Plain, move |engine| {
            let now = clock::now().map_err(LoginError::Clock)?;
            engine
                .accounts()
                .throttle_api_secret(address, shown, now)
                .map_err(LoginError::Engine)
        });
    let refused = |cause: &str| {
        log::event("refused")
            .with("cause", cause)
            .with("address", address)
            .write()
    };
    match run
        .await
        .map_err(|error| request.refuse_unprocessed(&error))?
    {
        Some(wait) => {
            refused(&format!("address-delayed-{wait}s"));
            let text =
                "too many wrong secrets or codes came from your address; wait, then try again";
            Err(ActRefused::too_many_requests(
                "too_many_attempts",
                text.to_owned(),
                wait,
            ))
        }
        None if shown == ShownSecret::Wrong => {
            refused("administration-secret");
            let text = "the secret for administration is wrong".to_owned();
            Err(ActRefused::forbidden("wrong_secret", text))
        }
        None => Ok(()),
    }
}
