//! The account's sessions and trusted browsers: listed, and revoked one by one or all at once.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::web::account;
use crate::web::notice;
use crate::web::pages::{self, html};
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use postern_shared::store::{BrowserRecord, SessionRecord};
use postern_shared::token::session::{Session, SessionId};

/// Rows that a list shows at most, newest first.
const MAX_ROWS: usize = 200;

/// Returns the account's sessions, newest first.
pub(crate) async fn list_sessions(
    request: &RequestContext<'_>,
    session: &Session,
) -> Result<Vec<SessionRecord>, ActRefused> {
    let account = session.name.clone();
    account::run_act(request, session, move |engine, _, now| {
        engine.sessions().list_sessions(&account, now)
    })
    .await
}

/// Returns the account's trusted browsers, newest first.
pub(crate) async fn list_browsers(
    request: &RequestContext<'_>,
    session: &Session,
) -> Result<Vec<BrowserRecord>, ActRefused> {
    let account = session.name.clone();
    account::run_act(request, session, move |engine, _, now| {
        engine.sessions().list_trusted_browsers(&account, now)
    })
    .await
}

/// Revokes one session, or all including this one. Returns how many.
pub(crate) async fn revoke_sessions(
    request: &RequestContext<'_>,
    session: &Session,
    one: Option<SessionId>,
) -> Result<usize, ActRefused> {
    let account = session.name.clone();
    account::run_act(request, session, move |engine, principal, now| {
        engine
            .sessions()
            .revoke_sessions(&account, one, principal, now)
    })
    .await
}

/// Revokes one trusted browser, or all. Returns how many.
pub(crate) async fn revoke_browsers(
    request: &RequestContext<'_>,
    session: &Session,
    one: Option<i64>,
) -> Result<usize, ActRefused> {
    let account = session.name.clone();
    account::run_act(request, session, move |engine, principal, now| {
        engine
            .sessions()
            .revoke_browsers(&account, one, principal, now)
    })
    .await
}

/// Handles a GET request for sign-ins.
pub(crate) async fn show_sign_ins_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let listed = match request.require_session() {
        Ok(session) => list_sign_ins(request, session).await,
        Err(refused) => Err(refused),
    };
    let (session, sessions, browsers) = match listed {
        Ok(listed) => listed,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let page = pages::account::SessionsPage {
        frame: request.frame(),
        own: session.id,
        sessions: &sessions,
        browsers: &browsers,
        message: refused.map(|refused| refused.text.as_str()),
    };
    notice::page_with_refusal(html(&page), refused)
}

async fn list_sign_ins(
    request: &RequestContext<'_>,
    session: Session,
) -> Result<(Session, Vec<SessionRecord>, Vec<BrowserRecord>), ActRefused> {
    let mut sessions = list_sessions(request, &session).await?;
    let mut browsers = list_browsers(request, &session).await?;
    sessions.truncate(MAX_ROWS);
    browsers.truncate(MAX_ROWS);
    Ok((session, sessions, browsers))
}

/// Handles a POST request for sign-ins.
pub(crate) async fn submit_sign_ins_change(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    match revoke_from_form(request, form).await {
        Err(refused) => show_sign_ins_page(request, Some(&refused)).await,
        Ok(()) => reply::see_other(&request.path_to("sign-ins")),
    }
}

async fn revoke_from_form(request: &RequestContext<'_>, form: &Form) -> Result<(), ActRefused> {
    let session = request.require_session()?;
    let unreadable = || ActRefused::invalid_value(request.language.text("act-failed"));
    match (form.field("action"), form.field("id")) {
        ("end", "all") => revoke_sessions(request, &session, None).await.map(|_| ()),
        ("end", id) => {
            let id = SessionId::parse(id).ok_or_else(unreadable)?;
            revoke_sessions(request, &session, Some(id))
                .await
                .map(|_| ())
        }
        ("forget", "all") => revoke_browsers(request, &session, None).await.map(|_| ()),
        ("forget", number) => {
            let number = number.parse().map_err(|_| unreadable())?;
            revoke_browsers(request, &session, Some(number))
                .await
                .map(|_| ())
        }
        _ => Err(unreadable()),
    }
}
