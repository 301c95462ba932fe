//! The next access token of a session, for its newest refresh token.

use super::body::RequiredBody;
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::router::unknown_endpoint;
use super::tokens::{self, Tokens};
use crate::live::store_pool::PoolClient;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use hyper::{Method, StatusCode};
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

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::with_answer(
        (Method::POST, "sign-in/refresh"),
        EndpointAccess::Anyone,
        "Returns the next access and refresh token. It exists only where gate.api_tokens is on.",
        |call, RequiredBody(body)| Box::pin(refresh_tokens(call, body)),
    )]
}

async fn refresh_tokens(
    call: &Call<'_>,
    body: Refresh,
) -> Result<EndpointReply<Refreshed>, ActRefused> {
    let request = call.request;
    if !tokens::are_enabled(request.site) {
        return Err(unknown_endpoint(request, &[]));
    }
    let expired = || ActRefused::signed_out(request.language);
    let (keys, now) = (
        request.site.revocation_cache.token_keys(),
        clock::now().ok(),
    );
    let token = now.and_then(|now| RefreshToken::open_refresh(&body.refresh_token, &keys, now));
    let body = token.ok_or_else(expired)?;
    let session = body
        .session(&keys)
        .filter(|session| request.accepts_session(session))
        .ok_or_else(expired)?;
    let store_pool = request
        .site
        .store_pool
        .for_client(PoolClient::of_session(&session));
    let (name, origin) = (session.name, Origin::Remote(request.address));
    let run = store_pool.with_engine(move |engine| {
        let now = clock::now().map_err(LoginError::Clock)?;
        engine.login().refresh_session(body, &origin, now)
    });
    match run
        .await
        .map_err(|error| refusal::refuse_unprocessed(request, &error))?
    {
        AfterRefresh::Next(next) => Ok(EndpointReply::new(Refreshed {
            tokens: Tokens::refreshed(request, &next)?,
        })),
        AfterRefresh::Reused => {
            request.log_sign_in(&name, "refused", "refresh-token-used");
            let text = request.language.text("refresh-token-used");
            Err(ActRefused::new(
                StatusCode::UNAUTHORIZED,
                "token_used",
                text,
            ))
        }
        AfterRefresh::SessionEnded => Err(expired()),
    }
}
