//! Sign-out. Every valid session that the request shows is revoked, and its cookies are removed
//! even if a revocation fails. The page lists the sessions that were not revoked.
//!
//! MUST NOT use the worker threads for passwords and codes: unauthenticated clients can occupy all
//! of them.

use super::pages;
use super::refusal::{PageForm, PageResult};
use super::request::RequestContext;
use crate::check::{client, forward_auth};
use crate::http::cookies::{SessionCookies, TokenChanges};
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::{PoolClient, PoolError, ShareKey, WorkKind};
use crate::web::notice::{self, redirect};
use hyper::StatusCode;
use postern_shared::system::admission::AdmissionRefusal;
use postern_shared::token::session::Session;

/// Path of the form, and of the page that says how it was answered.
pub(crate) const SIGN_OUT: &str = "sign-out";
/// Sessions that one request can revoke at most.
const MAX_SESSIONS: usize = 16;

/// Result of a sign-out.
pub(crate) enum SignedOut {
    /// The cookies contain no session that can be read.
    NoSession,
    /// Every session in the cookies is revoked.
    Ended,
    /// These sessions are still valid. The error is that of the first one.
    Incomplete(Vec<Session>, PoolError),
}

/// Ends the sessions of the request. A form that names a page leads on to the sign-in page, as
/// another user is to reach it.
pub(crate) async fn submit_sign_out(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let return_url = request.site.valid_return_url(form.field("rd"));
    let ended = end_sessions(request).await;
    if let (Some(return_url), SignedOut::Ended | SignedOut::NoSession) = (return_url, &ended) {
        let page = reply::see_other(&request.sign_in_path(return_url));
        return Ok(request.with_tokens(page, &TokenChanges::signed_out()));
    }
    let (status, title, line) = match ended {
        SignedOut::Ended => (
            StatusCode::OK,
            request.text("signed-out"),
            request.text("signed-out-line"),
        ),
        SignedOut::NoSession => (
            StatusCode::OK,
            request.text("signed-out"),
            request.text("no-session-to-end"),
        ),
        SignedOut::Incomplete(remaining, _) => {
            let line = sessions_not_ended(request, &remaining);
            (
                StatusCode::SERVICE_UNAVAILABLE,
                request.text("unavailable"),
                line,
            )
        }
    };
    let page = redirect::redirect_with_text(request, SIGN_OUT, status, &line)
        .unwrap_or_else(|| notice::show_notice(request, status, &title, &[line]));
    Ok(request.with_tokens(page, &TokenChanges::signed_out()))
}

/// Says how a sign-out ended.
pub(crate) async fn show_signed_out_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let (status, title, line) = match (&form.refused, &form.status) {
        (Some(refused), _) => (refused.status, "unavailable", &refused.text),
        (None, Some(line)) => (StatusCode::OK, "signed-out", line),
        (None, None) => return Ok(reply::see_other(&request.path_to(""))),
    };
    let (title, line) = (request.text(title), line.clone());
    Ok(notice::show_notice(request, status, &title, &[line]))
}

/// Returns a text that lists sessions that are still valid.
pub(crate) fn sessions_not_ended(request: &RequestContext<'_>, remaining: &[Session]) -> String {
    let describe = |session: &Session| format!("{} ({})", session.name, session.issued);
    let sessions = remaining
        .iter()
        .map(describe)
        .collect::<Vec<_>>()
        .join(", ");
    request
        .language
        .text_with("session-not-ended", "sessions", sessions)
}

/// Revokes every session with a valid signature among the cookies, also an expired one or one for
/// another host.
pub(crate) async fn end_sessions(request: &RequestContext<'_>) -> SignedOut {
    let Ok(line) = forward_auth::cookie_line(request.headers) else {
        return SignedOut::NoSession;
    };
    // a browser that signs out has a valid session, so every value is verified
    let mut sessions: Vec<Session> = {
        let keys = request.site.revocation_cache.token_keys();
        let session_cookies = SessionCookies::parse(
            line.as_bytes(),
            request.site.cookies.names.session,
            usize::MAX,
            |value| Session::from_cookie(value, &keys),
        );
        let signed = session_cookies.signed.into_iter();
        signed.map(|(_, session)| session).collect()
    };
    sessions.sort_by_key(|session| session.id.0);
    sessions.dedup_by_key(|session| session.id);
    if sessions.is_empty() {
        return SignedOut::NoSession;
    }
    let (mut remaining, mut why) = (Vec::new(), None);
    for (number, session) in sessions.into_iter().enumerate() {
        let ended = match number < MAX_SESSIONS {
            true => end_session(request, &session).await,
            false => Err(PoolError::Busy(AdmissionRefusal::KeyLimit)),
        };
        if let Err(error) = ended {
            remaining.push(session);
            why.get_or_insert(error);
        }
    }
    let Some(why) = why else {
        return SignedOut::Ended;
    };
    if let PoolError::Failed { cause, why } = &why {
        request.log_refusal(
            cause,
            format_args!("a sign-out could not end the session: {why}"),
        );
    }
    SignedOut::Incomplete(remaining, why)
}

/// Revokes one session. Its signature is valid, so the pool counts the request as that of an
/// authenticated client, even if the session is not accepted at this host.
async fn end_session(request: &RequestContext<'_>, session: &Session) -> Result<(), PoolError> {
    let client = PoolClient::authenticated(ShareKey::SignOut(session.name.clone()));
    let (store_pool, id) = (request.site.store_pool.for_client(client), session.id);
    store_pool
        .run(WorkKind::Plain, move |engine| {
            engine.sessions().sign_out(id)
        })
        .await
}

/// Shows cookies. Cookies are removed at once if they conflict, or if the user came from a page of
/// the same site. A link on another site does not sign the user out.
pub(crate) async fn show_cookies_page(
    request: &RequestContext<'_>,
    _form: &PageForm,
) -> PageResult {
    let from = request
        .headers
        .get("sec-fetch-site")
        .map(|site| site.as_bytes());
    let is_requested = client::is_navigation(request.headers)
        && matches!(from, Some(b"none" | b"same-origin" | b"same-site"));
    if is_requested || request.cookie_conflict().is_some() {
        return Ok(clear_cookies(request));
    }
    Ok(pages::reply(
        StatusCode::OK,
        &pages::CookiesPage {
            frame: request.frame(None),
        },
    ))
}

/// Removes every cookie of the gate.
pub(crate) async fn submit_cookies(request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    Ok(clear_cookies(request))
}

pub(crate) fn clear_cookies(request: &RequestContext<'_>) -> HttpReply {
    let lines = [
        request.text("cookies-line"),
        request.text("cookies-removed"),
    ];
    let page = notice::show_notice(request, StatusCode::OK, &request.text("cookies"), &lines);
    reply::with_cookies_cleared(page, &request.site.cookies.expired_cookies())
}
