//! Sign-out: every valid session that the browser shows is ended, and its cookies go, whatever else fails. What could not
//! be ended is said.
//!
//! MUST NOT wait for the workers that compare passwords and codes: strangers can fill them.

use super::pages::{self, html};
use super::request::RequestContext;
use crate::check::{client, forward_auth};
use crate::http::cookies::SessionCookies;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::{PoolClient, PoolError, ShareKey};
use crate::observe::log;
use crate::web::notice;
use hyper::StatusCode;
use shared::system::admission::Busy;
use shared::token::session::Session;

/// The most sessions that one request ends.
const MOST: usize = 16;
/// What came of a sign-out.
pub(crate) enum SignedOut {
    /// The browser showed no session that could be read.
    Nothing,
    /// Every session that it showed is ended.
    Ended,
    /// These go on; why, for the log.
    Left(Vec<Session>, PoolError),
}

/// POST sign-out
pub(crate) async fn submit_sign_out(request: &RequestContext<'_>) -> HttpReply {
    let (status, title, line) = match end_sessions(request).await {
        SignedOut::Ended => (
            StatusCode::OK,
            request.t.say("signed-out"),
            request.t.say("signed-out-line"),
        ),
        SignedOut::Nothing => (
            StatusCode::OK,
            request.t.say("signed-out"),
            request.t.say("no-session-to-end"),
        ),
        SignedOut::Left(left, _) => (
            StatusCode::SERVICE_UNAVAILABLE,
            request.t.say("unavailable"),
            sessions_not_ended(request, &left),
        ),
    };
    request.without_sign_in_cookies(notice::show_notice(request, status, &title, &[line]))
}

/// What to say of sessions that go on.
pub(crate) fn sessions_not_ended(request: &RequestContext<'_>, left: &[Session]) -> String {
    let of = |session: &Session| format!("{} ({})", session.name, session.issued);
    let sessions = left.iter().map(of).collect::<Vec<_>>().join(", ");
    request.t.say_of("session-not-ended", "sessions", sessions)
}

/// Ends every session whose valid value is among the cookies, in time or not, of this host or not.
pub(crate) async fn end_sessions(request: &RequestContext<'_>) -> SignedOut {
    let Ok(line) = forward_auth::cookie_line(request.headers) else {
        return SignedOut::Nothing;
    };
    // one who signs out is sure to have one of them, so that all are looked at
    let shown = SessionCookies::parse(
        line.as_bytes(),
        request.site.cookies.names.session,
        &request.site.revocation_cache.token_keys(),
        usize::MAX,
    );
    let mut sessions: Vec<Session> = shown
        .signed
        .into_iter()
        .map(|(_, session)| session)
        .collect();
    sessions.sort_by_key(|session| session.id.0);
    sessions.dedup_by_key(|session| session.id);
    if sessions.is_empty() {
        return SignedOut::Nothing;
    }
    let (mut left, mut why) = (Vec::new(), None);
    for (number, session) in sessions.into_iter().enumerate() {
        let ended = match number < MOST {
            true => end_session(request, &session).await,
            false => Err(PoolError::Busy(Busy::Own)),
        };
        if let Err(error) = ended {
            left.push(session);
            why.get_or_insert(error);
        }
    }
    let Some(why) = why else {
        return SignedOut::Ended;
    };
    if let PoolError::Failed { cause, why } = &why {
        let line = log::event("refused")
            .with("cause", cause)
            .with("address", request.address);
        line.write_with_message(format_args!("a sign-out could not end the session: {why}"));
    }
    SignedOut::Left(left, why)
}

/// Its signature is right, so that it takes the share of those who have proven something, whether it is good here or not.
async fn end_session(request: &RequestContext<'_>, session: &Session) -> Result<(), PoolError> {
    let store_pool = request
        .site
        .store_pool
        .for_client(PoolClient::authenticated(ShareKey::SignOut(
            session.name.clone(),
        )));
    let id = session.id;
    store_pool
        .with_engine(move |engine| engine.sign_out(id))
        .await
}

/// GET cookies: clears them where it is clear that this is wanted: they are not clear, or the way led here from a page
/// of the same site. Another site's link signs nobody out.
pub(crate) fn show_cookies_page(request: &RequestContext<'_>) -> HttpReply {
    let from = request
        .headers
        .get("sec-fetch-site")
        .map(|site| site.as_bytes());
    let led_here = client::is_navigation(request.headers)
        && matches!(from, Some(b"none" | b"same-origin" | b"same-site"));
    if led_here || request.cookie_conflict().is_some() {
        return clear_cookies(request);
    }
    reply::page(
        StatusCode::OK,
        html(&pages::CookiesPage {
            frame: request.frame(),
        }),
    )
}

/// POST cookies
pub(crate) fn clear_cookies(request: &RequestContext<'_>) -> HttpReply {
    let lines = [
        request.t.say("cookies-line"),
        request.t.say("cookies-removed"),
    ];
    let page = notice::show_notice(request, StatusCode::OK, &request.t.say("cookies"), &lines);
    reply::with_cookies_cleared(page, &request.site.cookies.expired_cookies())
}
