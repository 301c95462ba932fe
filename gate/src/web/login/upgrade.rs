//! The upgrade of a session that only has the first factor to one with both.

use crate::check::rules::{self, ReturnPage, SessionSufficiency};
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::web::login;
use crate::web::login::first_factor;
use crate::web::notice;
use crate::web::request::{OwnedBrowserContext, RequestContext};
use hyper::StatusCode;
use postern_shared::engine::AfterPassword;
use postern_shared::token::session::Session;

/// Whether the session suffices for a page behind the gate, or no session ever would.
pub(crate) fn may_open(request: &RequestContext<'_>, back_to: &str) -> bool {
    let Some(session) = request.any_session() else {
        return false;
    };
    match ReturnPage::parse(request.site, back_to) {
        Some(page) => {
            let (_, reach) =
                rules::decide_session(request.site, &page.request(request.address), &session);
            reach != SessionSufficiency::UpgradeRequired
        }
        None => {
            !back_to.is_empty()
                && rules::is_full_session(request.site, &session, Some(request.address))
        }
    }
}

/// Returns what an upgrade requires. `None` means a complete sign-in.
pub(crate) async fn upgrade_session(
    request: &RequestContext<'_>,
    session: Session,
) -> Result<Option<AfterPassword>, PoolError> {
    let client = OwnedBrowserContext::new(request);
    request
        .store_pool()
        .with_engine(move |engine| {
            engine
                .login()
                .upgrade_session(&client.browser(), &session, client.now()?)
        })
        .await
}

/// Handles a GET request for upgrade.
pub(crate) async fn show_upgrade_page(request: &RequestContext<'_>, rd: &str) -> HttpReply {
    let back_to = request
        .site
        .valid_return_url(rd)
        .unwrap_or_default()
        .to_owned();
    let Some(session) = request.any_session() else {
        return login::render_sign_in_page(request, StatusCode::OK, &back_to, "", None);
    };
    // an image on an application's page changes nothing
    let mode = request.headers.get("sec-fetch-mode");
    if mode.is_some_and(|mode| mode.as_bytes() != b"navigate") {
        return reply::bare(StatusCode::FORBIDDEN);
    }
    let name = session.name.clone();
    match upgrade_session(request, session).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(Some(next)) => first_factor::continue_sign_in(request, name, next, &back_to),
        // only a complete sign-in upgrades the session
        Ok(None) => {
            login::render_sign_in_page(request, StatusCode::OK, &back_to, name.as_str(), None)
        }
    }
}
