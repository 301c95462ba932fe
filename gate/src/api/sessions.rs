//! The account's sessions and trusted browsers.

use super::body::NoBody;
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use crate::http::reply;
use crate::web::account::sessions;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use hyper::{Method, StatusCode};
use postern_shared::token::session::SessionId;
use serde::Serialize;
use utoipa::ToSchema;

/// The account's sessions, newest first.
#[derive(Serialize, ToSchema)]
struct Sessions {
    sessions: Vec<SessionLine>,
}

/// One session. Times are in seconds since 1970.
#[derive(Serialize, ToSchema)]
struct SessionLine {
    id: String,
    /// Whether it is the session of this request.
    own: bool,
    browser: String,
    address: String,
    created: u64,
    last_seen: u64,
    expires: u64,
}

/// The account's trusted browsers, newest first.
#[derive(Serialize, ToSchema)]
struct Browsers {
    browsers: Vec<BrowserLine>,
}

/// One trusted browser. Times are in seconds since 1970.
#[derive(Serialize, ToSchema)]
struct BrowserLine {
    number: i64,
    browser: String,
    address: String,
    created: u64,
    last_seen: u64,
    expires: u64,
}

/// How many were revoked.
#[derive(Serialize, ToSchema)]
struct Count {
    ended: usize,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::SignedIn;
    vec![
        Endpoint::with_answer(
            (Method::GET, "sessions"),
            SignedIn,
            "Lists the account's sessions.",
            |call, NoBody| Box::pin(list_sessions(call.request)),
        ),
        Endpoint::with_answer(
            (Method::DELETE, "sessions"),
            SignedIn,
            "Ends every session of the account, this one too.",
            |call, NoBody| Box::pin(revoke_all_sessions(call.request)),
        ),
        Endpoint::without_answer(
            (Method::DELETE, "sessions/{id}"),
            SignedIn,
            "Ends one session.",
            |call, NoBody| Box::pin(revoke_session(call)),
        ),
        Endpoint::with_answer(
            (Method::GET, "browsers"),
            SignedIn,
            "Lists the browsers that the account trusts.",
            |call, NoBody| Box::pin(list_browsers(call.request)),
        ),
        Endpoint::with_answer(
            (Method::DELETE, "browsers"),
            SignedIn,
            "Revokes every trusted browser.",
            |call, NoBody| Box::pin(revoke_all_browsers(call.request)),
        ),
        Endpoint::without_answer(
            (Method::DELETE, "browsers/{number}"),
            SignedIn,
            "Revokes one trusted browser.",
            |call, NoBody| Box::pin(revoke_browser(call)),
        ),
    ]
}

async fn list_sessions(
    request: &RequestContext<'_>,
) -> Result<EndpointReply<Sessions>, ActRefused> {
    let own = request.require_session()?;
    let sessions = sessions::list_sessions(request, &own)
        .await?
        .into_iter()
        .map(|one| SessionLine {
            id: one.id.to_string(),
            own: one.id == own.id,
            browser: one.browser,
            address: one.address,
            created: one.created.0,
            last_seen: one.last_seen.0,
            expires: one.expires.0,
        });
    Ok(EndpointReply::new(Sessions {
        sessions: sessions.collect(),
    }))
}

async fn revoke_all_sessions(
    request: &RequestContext<'_>,
) -> Result<EndpointReply<Count>, ActRefused> {
    let ended = sessions::revoke_sessions(request, &request.require_session()?, None).await?;
    Ok(EndpointReply {
        reply: request.without_sign_in_cookies(reply::bare(StatusCode::OK)),
        answer: Count { ended },
    })
}

async fn revoke_session(call: &Call<'_>) -> Result<EndpointReply<()>, ActRefused> {
    let (request, id) = (
        call.request,
        SessionId::parse(call.argument()).ok_or_else(|| call.no_such_item())?,
    );
    sessions::revoke_sessions(request, &request.require_session()?, Some(id)).await?;
    Ok(EndpointReply::new(()))
}

async fn list_browsers(
    request: &RequestContext<'_>,
) -> Result<EndpointReply<Browsers>, ActRefused> {
    let browsers = sessions::list_browsers(request, &request.require_session()?)
        .await?
        .into_iter()
        .map(|one| BrowserLine {
            number: one.number,
            browser: one.name,
            address: one.address,
            created: one.created.0,
            last_seen: one.last_seen.0,
            expires: one.expires.0,
        });
    Ok(EndpointReply::new(Browsers {
        browsers: browsers.collect(),
    }))
}

async fn revoke_all_browsers(
    request: &RequestContext<'_>,
) -> Result<EndpointReply<Count>, ActRefused> {
    Ok(EndpointReply::new(Count {
        ended: sessions::revoke_browsers(request, &request.require_session()?, None).await?,
    }))
}

async fn revoke_browser(call: &Call<'_>) -> Result<EndpointReply<()>, ActRefused> {
    let (request, number) = (
        call.request,
        call.argument().parse().map_err(|_| call.no_such_item())?,
    );
    sessions::revoke_browsers(request, &request.require_session()?, Some(number)).await?;
    Ok(EndpointReply::new(()))
}
