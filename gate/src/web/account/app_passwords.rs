//! App passwords, for programs that cannot show a page: created, renamed, revoked.

use crate::http::reply;
use crate::web::account::{parse_label, run_act};
use crate::web::notice;
use crate::web::pages::{self, account::AppPasswordsPage, account::NewAppPasswordPage};
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::{self, StepUpProof};
use hyper::StatusCode;
use postern_shared::account::name::Label;
use postern_shared::credential::app_password::AppPassword;
use postern_shared::credential::scope::{AppPasswordScope, ScopeError};
use postern_shared::store::AppPasswordRecord;
use postern_shared::system::clock::{self, Timestamp};

/// Lifetimes that the page offers, in days.
pub(crate) const LIFETIMES: [u64; 3] = [30, 90, 365];
/// Seconds in a day.
const DAY: u64 = 86_400;

/// Creates an app password, which is shown once.
pub(crate) async fn create_app_password(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    name: Label,
    scope: AppPasswordScope,
    expires: Option<Timestamp>,
) -> ActResult<AppPassword> {
    run_act(request, step_up.session.clone(), move |engine, owner| {
        let (account, principal) = (owner.name(), owner.principal());
        engine
            .app_passwords()
            .add_app_password(account, &name, &scope, expires, principal, owner.now)
    })
    .await
}

pub(crate) async fn list_app_passwords(
    request: &RequestContext<'_>,
) -> ActResult<Vec<AppPasswordRecord>> {
    run_act(request, request.require_session()?, |engine, owner| {
        engine
            .app_passwords()
            .list_app_passwords(Some(owner.name()))
    })
    .await
}

pub(crate) async fn rename_app_password(
    request: &RequestContext<'_>,
    name: Label,
    new: Label,
) -> ActResult<()> {
    run_act(request, request.require_session()?, move |engine, owner| {
        engine.app_passwords().rename_app_password(
            owner.name(),
            &name,
            &new,
            owner.principal(),
            owner.now,
        )
    })
    .await
}

/// Revokes one app password, or all. Returns how many.
pub(crate) async fn revoke_app_passwords(
    request: &RequestContext<'_>,
    one: Option<Label>,
) -> ActResult<usize> {
    run_act(request, request.require_session()?, move |engine, owner| {
        engine.app_passwords().revoke_app_passwords(
            owner.name(),
            one.as_ref(),
            owner.principal(),
            owner.now,
        )
    })
    .await
}

/// Parses the lines of a scope.
pub(crate) fn parse_scope(
    request: &RequestContext<'_>,
    lines: &str,
) -> ActResult<AppPasswordScope> {
    lines.parse().map_err(|error: ScopeError| {
        let why = error.to_string();
        ActRefused::invalid_value(request.language.text_with("scope-invalid", "why", why))
    })
}

pub(crate) async fn show_app_passwords_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let step_up = step_up::required_step_up(request).await?;
    let scopes: Vec<String> = request
        .site
        .gate()
        .scope
        .keys()
        .map(ToString::to_string)
        .collect();
    let page = AppPasswordsPage {
        frame: request.frame(form.message()),
        all: &list_app_passwords(request).await?,
        scopes: &scopes,
        lifetimes: &LIFETIMES,
        step_up,
    };
    Ok(notice::page_with_refusal(&page, form))
}

/// Makes an app password, which is shown once.
pub(crate) async fn submit_app_password(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let name = parse_label(request, form.field("name"))?;
    let lines = form
        .field("scope")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let scope = parse_scope(request, &lines.collect::<Vec<_>>().join("\n"))?;
    let days = form
        .field("days")
        .parse()
        .ok()
        .filter(|days| LIFETIMES.contains(days));
    let now =
        clock::now().map_err(|_| ActRefused::invalid_value(request.text("unavailable-line")))?;
    let expires = days.map(|days| now.plus(days * DAY));
    let step_up = step_up::verify_form(request, form).await?;
    let password = create_app_password(request, &step_up, name.clone(), scope, expires).await?;
    let page = NewAppPasswordPage {
        frame: request.frame(None),
        user: step_up.session.name.as_str(),
        name: name.as_str(),
        password: &password.grouped(),
    };
    Ok(request.with_tokens(
        pages::reply(StatusCode::OK, &page),
        &step_up.tokens(request),
    ))
}

/// Renames or revokes an app password.
pub(crate) async fn submit_change(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    request.require_session()?;
    let name = parse_label(request, form.field("name"))?;
    match form.field("action") {
        "rename" => {
            let new = parse_label(request, form.field("new"))?;
            rename_app_password(request, name, new).await?;
        }
        "revoke" => {
            revoke_app_passwords(request, Some(name)).await?;
        }
        _ => return Err(ActRefused::invalid_value(request.text("act-failed")).into()),
    }
    Ok(reply::see_other(&request.path_to("app-passwords")))
}
