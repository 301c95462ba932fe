//! A session's next access token, for its newest refresh token.

use super::body::Needed;
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::router::nowhere;
use super::tokens::{self, Tokens};
use crate::live::store_pool::PoolClient;
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
        |call, Needed(shown)| Box::pin(refresh(call, shown)),
    )]
}

async fn refresh(call: &Call<'_>, shown: Refresh) -> Result<EndpointReply<Refreshed>, ActRefused> {
    let guest = call.guest;
    if !tokens::are_on(guest.site) {
        return Err(nowhere(guest, &[]));
    }
    let over = || ActRefused::signed_out(guest.t);
    let (keys, now) = (guest.site.revocation_cache.token_keys(), clock::now().ok());
    let token = now.and_then(|now| RefreshToken::read(&shown.refresh_token, &keys, now));
    let shown = token.ok_or_else(over)?;
    let session = shown
        .session(&keys)
        .filter(|session| guest.is_good(session))
        .ok_or_else(over)?;
    let judge = guest
        .site
        .store_pool
        .for_client(PoolClient::of_session(&session));
    let (name, origin) = (session.name, Origin::Remote(guest.address));
    let run = judge.with_engine(move |door| {
        let now = clock::now().map_err(LoginError::Clock)?;
        door.refresh_session(shown, &origin, now)
    });
    match run.await.map_err(|error| guest.not_run(&error))? {
        AfterRefresh::Next(next) => Ok(EndpointReply::saying(Refreshed {
            tokens: Tokens::after(guest, &next)?,
        })),
        AfterRefresh::Reused => {
            guest.log(&name, "refused", "refresh-token-used");
            let text = guest.t.say("refresh-token-used");
            Err(ActRefused::new(
                StatusCode::UNAUTHORIZED,
                "token_used",
                text,
            ))
        }
        AfterRefresh::SessionEnded => Err(over()),
    }
}
