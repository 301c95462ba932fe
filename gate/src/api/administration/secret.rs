//! Whether a program has shown the gate's secret for administration. A program shows it with every request, and has no
//! session: no cookie and no other token stands in for it.
//!
//! MUST NOT look at a secret from an address that has shown too many wrong ones, nor say anything else by how long it
//! takes.

use crate::api::problem::problem;
use crate::http::authorization::bearer_token;
use crate::http::reply::{HttpReply, with_connection_close};
use crate::live::store_pool::PoolClient;
use crate::observe::log;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use shared::engine::{LoginError, ShownSecret};
use shared::system::clock;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How to show it (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"administration\"";

/// What a program is told that has not shown the secret; of its request no more is read.
pub(in crate::api) async fn turned_away(
    request: &RequestContext<'_>,
    secret: &Zeroizing<String>,
) -> Option<HttpReply> {
    let refused = weigh(request, secret).await.err()?;
    let mut reply = with_connection_close(problem(&refused));
    if refused.status == StatusCode::UNAUTHORIZED {
        reply
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    Some(reply)
}

async fn weigh(request: &RequestContext<'_>, secret: &Zeroizing<String>) -> Result<(), ActRefused> {
    let mut lines = request.headers.get_all(AUTHORIZATION).iter();
    let shown = match (lines.next(), lines.next()) {
        (Some(line), None) => bearer_token(line.as_bytes()).filter(|shown| !shown.is_empty()),
        _ => None,
    };
    let Some(shown) = shown else {
        let text = "Authorization: Bearer SECRET is required".to_owned();
        return Err(ActRefused::new(StatusCode::UNAUTHORIZED, "no_secret", text));
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
    // whatever it shows, as a stranger: by the time that takes, no secret is told from another
    let store_pool = request
        .site
        .store_pool
        .for_client(PoolClient::unauthenticated(address));
    let run = store_pool.with_engine(move |engine| {
        let now = clock::now().map_err(LoginError::Clock)?;
        engine
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
        .map_err(|error| refusal::refuse_unprocessed(request, &error))?
    {
        Some(wait) => {
            refused(&format!("address-delayed-{wait}s"));
            let text =
                "too many wrong secrets or codes came from your address; wait, then try again";
            let status = StatusCode::TOO_MANY_REQUESTS;
            let refused = ActRefused::new(status, "too_many_attempts", text.to_owned());
            Err(ActRefused {
                retry_after: Some(wait),
                ..refused
            })
        }
        None if shown == ShownSecret::Wrong => {
            refused("administration-secret");
            let text = "the secret for administration is wrong".to_owned();
            Err(ActRefused::new(StatusCode::FORBIDDEN, "wrong_secret", text))
        }
        None => Ok(()),
    }
}
