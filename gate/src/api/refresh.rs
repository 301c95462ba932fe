//! A session's next access token, for its newest refresh token.

use super::body::RequiredBody;
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::router::nowhere;
use super::tokens::{self, Tokens};
use crate::live::store_pool::PoolClient;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use shared::engine::{AfterRefresh, LoginError};
use shared::protocol::command_request::TypedText;
use shared::system::clock;
use shared::token::RefreshToken;
use shared::verify::origin::Origin;
use utoipa::ToSchema;

/// What gets the next access token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    #[schema(value_type = String)]
    refresh_token: TypedText,
}

/// A session's next tokens; the refresh token that was shown has done its work.
#[derive(Serialize, ToSchema)]
struct Refreshed {
    tokens: Tokens,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::tells(
        (Method::POST, "sign-in/refresh"),
        EndpointAccess::Anyone,
        "Returns the next access and refresh token. It exists only where gate.api_tokens is on.",
        |call, RequiredBody(shown)| Box::pin(refresh(call, shown)),
    )]
}

async fn refresh(call: &Call<'_>, shown: Refresh) -> Result<EndpointReply<Refreshed>, ActRefused> {
    let request = call.request;
    if !tokens::are_on(request.site) {
        return Err(nowhere(request, &[]));
    }
    let over = || ActRefused::signed_out(request.t);
    let (keys, now) = (
        request.site.revocation_cache.token_keys(),
        clock::now().ok(),
    );
    let token = now.and_then(|now| RefreshToken::open_refresh(&shown.refresh_token, &keys, now));
    let shown = token.ok_or_else(over)?;
    let session = shown
        .session(&keys)
        .filter(|session| request.accepts_session(session))
        .ok_or_else(over)?;
    let store_pool = request
        .site
        .store_pool
        .for_client(PoolClient::of_session(&session));
    let (name, origin) = (session.name, Origin::Remote(request.address));
    let run = store_pool.with_engine(move |engine| {
        let now = clock::now().map_err(LoginError::Clock)?;
        engine.refresh_session(shown, &origin, now)
    });
    match run
        .await
        .map_err(|error| refusal::refuse_unprocessed(request, &error))?
    {
        AfterRefresh::Next(next) => Ok(EndpointReply::saying(Refreshed {
            tokens: Tokens::after(request, &next)?,
        })),
        AfterRefresh::Reused => {
            request.log_sign_in(&name, "refused", "refresh-token-used");
            let text = request.t.say("refresh-token-used");
            Err(ActRefused::new(
                StatusCode::UNAUTHORIZED,
                "token_used",
                text,
            ))
        }
        AfterRefresh::SessionEnded => Err(over()),
    }
}
