//! The upgrade of a session that only has the first factor to one with both.

use crate::http::reply;
use crate::live::store_pool::{PoolError, WorkKind};
use crate::web::login;
use crate::web::login::first_factor;
use crate::web::refusal::{PageForm, PageResult};
use crate::web::request::{OwnedBrowserContext, RequestContext};
use hyper::StatusCode;
use postern_shared::engine::AfterPassword;
use postern_shared::token::session::Session;

/// Returns what an upgrade for a page requires. `None` means a complete sign-in.
pub(crate) async fn upgrade_session(
    request: &RequestContext<'_>,
    session: Session,
    return_url: &str,
) -> Result<Option<AfterPassword>, PoolError> {
    let client = OwnedBrowserContext::new(request).with_page(request.site, return_url);
    let pool = request.store_pool();
    let run = client.run(&pool, WorkKind::Plain, move |engine, client, now| {
        engine
            .login()
            .upgrade_session(&client.browser(), &session, now)
    });
    run.await
}

pub(crate) async fn show_upgrade_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let return_url = request
        .site
        .valid_return_url(form.field("rd"))
        .unwrap_or_default();
    let sign_in = |user: &str| {
        let form = PageForm::of_sign_in(return_url, user);
        login::render_sign_in_page(request, &form)
    };
    let Some(session) = request.any_session() else {
        return Ok(sign_in(""));
    };
    // an image on an application's page changes nothing
    if !first_factor::may_navigate(request) {
        return Ok(reply::bare(StatusCode::FORBIDDEN));
    }
    let name = session.name.clone();
    match upgrade_session(request, session, return_url).await? {
        Some(next) => {
            let result = first_factor::continue_sign_in(request, name.clone(), next, return_url);
            first_factor::show_refusal(request, result, return_url, name.as_str())
        }
        // only a complete sign-in upgrades the session
        None => Ok(sign_in(name.as_str())),
    }
}
