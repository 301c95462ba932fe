//! The account's sessions and trusted browsers: listed, and revoked one by one or all at once.

use crate::http::reply;
use crate::web::account::run_act;
use crate::web::notice;
use crate::web::pages::account::SessionsPage;
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use postern_shared::store::{BrowserRecord, SessionRecord};
use postern_shared::token::session::SessionId;

/// Rows that a list shows at most, newest first.
const MAX_ROWS: usize = 200;

/// Returns the account's sessions, newest first.
pub(crate) async fn list_sessions(request: &RequestContext<'_>) -> ActResult<Vec<SessionRecord>> {
    run_act(request, request.require_session()?, |engine, owner| {
        engine.sessions().list_sessions(owner.name(), owner.now)
    })
    .await
}

/// Returns the account's trusted browsers, newest first.
pub(crate) async fn list_browsers(request: &RequestContext<'_>) -> ActResult<Vec<BrowserRecord>> {
    run_act(request, request.require_session()?, |engine, owner| {
        engine
            .sessions()
            .list_trusted_browsers(owner.name(), owner.now)
    })
    .await
}

/// Revokes one session, or all including this one. Returns how many.
pub(crate) async fn revoke_sessions(
    request: &RequestContext<'_>,
    one: Option<SessionId>,
) -> ActResult<usize> {
    run_act(request, request.require_session()?, move |engine, owner| {
        engine
            .sessions()
            .revoke_sessions(owner.name(), one, owner.principal(), owner.now)
    })
    .await
}

/// Revokes one trusted browser, or all. Returns how many.
pub(crate) async fn revoke_browsers(
    request: &RequestContext<'_>,
    one: Option<i64>,
) -> ActResult<usize> {
    run_act(request, request.require_session()?, move |engine, owner| {
        engine
            .sessions()
            .revoke_browsers(owner.name(), one, owner.principal(), owner.now)
    })
    .await
}

pub(crate) async fn show_sign_ins_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let session = request.require_session()?;
    let mut sessions = list_sessions(request).await?;
    let mut browsers = list_browsers(request).await?;
    sessions.truncate(MAX_ROWS);
    browsers.truncate(MAX_ROWS);
    let page = SessionsPage {
        frame: request.frame(form.message()),
        own: session.id,
        sessions: &sessions,
        browsers: &browsers,
    };
    Ok(notice::page_with_refusal(&page, form))
}

/// Revokes what the form names.
pub(crate) async fn submit_sign_ins_change(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    request.require_session()?;
    let unreadable = || ActRefused::invalid_value(request.text("act-failed"));
    match (form.field("action"), form.field("id")) {
        ("end", "all") => revoke_sessions(request, None).await?,
        ("end", id) => {
            let id = SessionId::parse(id).ok_or_else(unreadable)?;
            revoke_sessions(request, Some(id)).await?
        }
        ("forget", "all") => revoke_browsers(request, None).await?,
        ("forget", number) => {
            let number = number.parse().map_err(|_| unreadable())?;
            revoke_browsers(request, Some(number)).await?
        }
        _ => return Err(unreadable().into()),
    };
    Ok(reply::see_other(&request.path_to("sign-ins")))
}
