//! The account's sessions and trusted browsers.

use super::body::NoBody;
use super::endpoint::{
    Call, Done, Endpoint, EndpointAccess, EndpointReply, EndpointResult, endpoint, restrict,
};
use crate::http::cookies::TokenChanges;
use crate::http::route_table::Route;
use crate::web::account::sessions;
use hyper::Method;
use postern_shared::token::session::SessionId;
use serde::Serialize;
use utoipa::ToSchema;

/// The account's sessions, newest first.
#[derive(Serialize, ToSchema)]
struct SessionList {
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

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    let endpoints = [
        endpoint(Method::GET, "sessions", list_sessions).summary("Lists the account's sessions."),
        endpoint(Method::DELETE, "sessions", revoke_all_sessions)
            .summary("Ends every session of the account, this one too."),
        endpoint(Method::DELETE, "sessions/{id}", revoke_session).summary("Ends one session."),
        endpoint(Method::GET, "browsers", list_browsers)
            .summary("Lists the browsers that the account trusts."),
        endpoint(Method::DELETE, "browsers", revoke_all_browsers)
            .summary("Revokes every trusted browser."),
        endpoint(Method::DELETE, "browsers/{number}", revoke_browser)
            .summary("Revokes one trusted browser."),
    ];
    restrict(EndpointAccess::SignedIn, endpoints)
}

async fn list_sessions(call: &Call<'_>, _: NoBody) -> EndpointResult<SessionList> {
    let own = call.request.require_session()?;
    let all = sessions::list_sessions(call.request).await?;
    let sessions = all.into_iter().map(|one| SessionLine {
        id: one.id.to_string(),
        own: one.id == own.id,
        browser: one.browser,
        address: one.address,
        created: one.created.0,
        last_seen: one.last_seen.0,
        expires: one.expires.0,
    });
    let sessions = sessions.collect();
    Ok(SessionList { sessions }.into())
}

async fn revoke_all_sessions(call: &Call<'_>, _: NoBody) -> EndpointResult<Count> {
    let ended = sessions::revoke_sessions(call.request, None).await?;
    let (answer, tokens) = (Count { ended }, TokenChanges::signed_out());
    Ok(EndpointReply { answer, tokens })
}

async fn revoke_session(call: &Call<'_>, _: NoBody) -> EndpointResult<Done> {
    let id = SessionId::parse(call.argument()).ok_or_else(|| call.no_such_item())?;
    sessions::revoke_sessions(call.request, Some(id)).await?;
    Ok(Done {}.into())
}

async fn list_browsers(call: &Call<'_>, _: NoBody) -> EndpointResult<Browsers> {
    let all = sessions::list_browsers(call.request).await?;
    let browsers = all.into_iter().map(|one| BrowserLine {
        number: one.number,
        browser: one.name,
        address: one.address,
        created: one.created.0,
        last_seen: one.last_seen.0,
        expires: one.expires.0,
    });
    let browsers = browsers.collect();
    Ok(Browsers { browsers }.into())
}

async fn revoke_all_browsers(call: &Call<'_>, _: NoBody) -> EndpointResult<Count> {
    let ended = sessions::revoke_browsers(call.request, None).await?;
    Ok(Count { ended }.into())
}

async fn revoke_browser(call: &Call<'_>, _: NoBody) -> EndpointResult<Done> {
    let number = call.argument().parse().map_err(|_| call.no_such_item())?;
    sessions::revoke_browsers(call.request, Some(number)).await?;
    Ok(Done {}.into())
}
