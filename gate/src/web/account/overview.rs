//! The overview of the account: the gate's first page after sign-in.

use crate::http::reply;
use crate::web::account::{passkey_code, run_act};
use crate::web::notice;
use crate::web::pages::{self, account::AccountOverview, account::OverviewPage};
use crate::web::passkey;
use crate::web::refusal::{ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use hyper::StatusCode;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::engine::AdministratorStatus;

/// Reads the state of the account.
pub(crate) async fn read_overview(request: &RequestContext<'_>) -> ActResult<AccountOverview> {
    let (has_pages, uses_passkeys) = (
        request.has_administration_pages(),
        passkey::are_available(request),
    );
    let makes_codes = passkey_code::is_available(request);
    run_act(request, request.require_session()?, move |engine, owner| {
        let (name, now) = (owner.name(), owner.now);
        let passkeys = match uses_passkeys && engine.passkeys().are_available() {
            true => Some(engine.passkeys().list_passkeys(name)?),
            false => None,
        };
        let mut kept = passkeys.iter().flatten();
        Ok(AccountOverview {
            status: engine.accounts().account_status(name)?,
            authenticators: engine.enrollment().list_authenticators(name)?,
            app_passwords: engine.app_passwords().list_app_passwords(Some(name))?.len(),
            makes_passkey_codes: makes_codes && kept.any(|kept| kept.passkey.verifies_user),
            passkeys: passkeys.map(|kept| kept.len()),
            sessions: engine.sessions().list_sessions(name, now)?.len(),
            browsers: engine.sessions().list_trusted_browsers(name, now)?.len(),
            administers: if has_pages {
                engine.policy().administrator_status(name)?
            } else {
                AdministratorStatus::No
            },
        })
    })
    .await
}

/// Shows the gate's own address.
pub(crate) async fn show_home_page(request: &RequestContext<'_>, _form: &PageForm) -> PageResult {
    if request.session().is_none() {
        if request.any_session().is_some() {
            return Ok(reply::see_other(&request.path_to("upgrade")));
        }
        let (title, lines) = (
            request.text("not-signed-in"),
            [request.text("not-signed-in-line")],
        );
        return Ok(notice::show_notice(request, StatusCode::OK, &title, &lines));
    }
    let overview = read_overview(request).await?;
    let page = OverviewPage {
        frame: request.frame(None),
        overview: &overview,
        email: &request.site.config.email,
        has_password: request.site.gate().first_factor == FirstFactorSource::Password,
        administers: overview.administers == AdministratorStatus::Yes,
    };
    Ok(pages::reply(StatusCode::OK, &page))
}
