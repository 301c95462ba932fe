//! The next access token of a session, for its newest refresh token.

use super::body::Json;
use super::endpoint::{Call, Endpoint, EndpointResult, endpoint};
use super::tokens::{self, Tokens};
use crate::http::route_table::Route;
use crate::live::store_pool::{PoolClient, WorkKind};
use crate::web::refusal::{ActRefused, HandlerError};
use hyper::Method;
use postern_shared::engine::{AfterRefresh, LoginError};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::system::clock;
use postern_shared::token::RefreshToken;
use postern_shared::verify::origin::Origin;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    #[schema(value_type = String)]
    refresh_token: TypedText,
}

/// The next tokens of a session. The refresh token of the request is no longer valid.
#[derive(Serialize, ToSchema)]
struct Refreshed {
    tokens: Tokens,
}

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    vec![endpoint(Method::POST, "sign-in/refresh", refresh_tokens).summary(
        "Returns the next access and refresh token. It exists only where gate.api_tokens is on.",
    )]
}

async fn refresh_tokens(call: &Call<'_>, body: Json<Refresh>) -> EndpointResult<Refreshed> {
    let Json(body) = body;
    let request = call.request;
    if !tokens::are_enabled(request.site) {
        return Err(HandlerError::NotFound);
    }
    let expired = || ActRefused::signed_out(request.language);
    let keys = request.site.revocation_cache.token_keys();
    let now = clock::now().ok();
    let token = now.and_then(|now| RefreshToken::open_refresh(&body.refresh_token, &keys, now));
    let body = token.ok_or_else(expired)?;
    let session = body
        .session(&keys)
        .filter(|session| request.accepts_session(session));
    let session = session.ok_or_else(expired)?;
    let store_pool = request
        .site
        .store_pool
        .for_client(PoolClient::of_session(&session));
    let (name, origin) = (session.name, Origin::Remote(request.address));
    let run = store_pool.run(WorkKind::Plain, move |engine| {
        let now = clock::now().map_err(LoginError::Clock)?;
        engine.login().refresh_session(body, &origin, now)
    });
    match run
        .await
        .map_err(|error| request.refuse_unprocessed(&error))?
    {
        AfterRefresh::Next(next) => {
            let tokens = Tokens::refreshed(request, &next, Tokens::default())?;
            Ok(Refreshed { tokens }.into())
        }
        AfterRefresh::Reused => {
            request.log_sign_in(&name, "refused", "refresh-token-used");
            let text = request.text("refresh-token-used");
            Err(ActRefused::unauthorized("token_used", text).into())
        }
        AfterRefresh::SessionEnded => Err(expired().into()),
    }
}
