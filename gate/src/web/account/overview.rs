//! The overview of the account: the gate's first page after sign-in.

use crate::http::reply::{self, HttpReply};
use crate::web::account;
use crate::web::notice;
use crate::web::pages::account::AccountOverview;
use crate::web::pages::{self, html};
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use hyper::StatusCode;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::engine::AdministratorStatus;
use postern_shared::token::session::Session;

/// Reads the state of the account.
pub(crate) async fn read_overview(
    request: &RequestContext<'_>,
    session: &Session,
) -> Result<AccountOverview, ActRefused> {
    let (name, has_pages) = (session.name.clone(), request.has_administration_pages());
    account::run_act(request, session, move |engine, _, now| {
        Ok(AccountOverview {
            status: engine.accounts().account_status(&name)?,
            authenticators: engine.enrollment().list_authenticators(&name)?,
            app_passwords: engine
                .app_passwords()
                .list_app_passwords(Some(&name))?
                .len(),
            sessions: engine.sessions().list_sessions(&name, now)?.len(),
            browsers: engine.sessions().list_trusted_browsers(&name, now)?.len(),
            administers: if has_pages {
                engine.policy().administrator_status(&name)?
            } else {
                AdministratorStatus::No
            },
        })
    })
    .await
}

/// Handles GET of the gate's own address.
pub(crate) async fn show_home_page(request: &RequestContext<'_>) -> HttpReply {
    let Some(session) = request.session() else {
        if request.any_session().is_some() {
            return reply::see_other(&request.path_to("upgrade"));
        }
        let lines = [request.language.text("not-signed-in-line")];
        return notice::show_notice(
            request,
            StatusCode::OK,
            &request.language.text("not-signed-in"),
            &lines,
        );
    };
    let overview = match read_overview(request, &session).await {
        Ok(overview) => overview,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let page = pages::account::OverviewPage {
        frame: request.frame(),
        user: session.name.as_str(),
        overview: &overview,
        mails: request.site.config.email.is_enabled(),
        has_password: request.site.gate().first_factor == FirstFactorSource::Password,
        administers: overview.administers == AdministratorStatus::Yes,
    };
    reply::page(StatusCode::OK, html(&page))
}
