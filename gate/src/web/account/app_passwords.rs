//! App passwords, for programs that cannot show a page: created, renamed, revoked.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::web::account;
use crate::web::notice;
use crate::web::pages::{self, html};
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::{StepUpInput, StepUpProof};
use hyper::StatusCode;
use postern_shared::account::name::Label;
use postern_shared::credential::app_password::AppPassword;
use postern_shared::credential::scope::AppPasswordScope;
use postern_shared::store::AppPasswordRecord;
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::token::session::Session;

/// Lifetimes that the page offers, in days.
pub(crate) const LIFETIMES: [u64; 3] = [30, 90, 365];
/// Seconds in a day.
const DAY: u64 = 86_400;

pub(crate) struct AppPasswordRequest {
    pub(crate) name: Label,
    pub(crate) scope: AppPasswordScope,
    pub(crate) expires: Option<Timestamp>,
}

/// Creates an app password, which is shown once.
pub(crate) async fn create_app_password(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    new: AppPasswordRequest,
) -> Result<AppPassword, ActRefused> {
    let account = step_up.session.name.clone();
    account::run_act(request, &step_up.session, move |engine, principal, now| {
        engine.app_passwords().add_app_password(
            &account,
            &new.name,
            &new.scope,
            new.expires,
            principal,
            now,
        )
    })
    .await
}

pub(crate) async fn list_app_passwords(
    request: &RequestContext<'_>,
    session: &Session,
) -> Result<Vec<AppPasswordRecord>, ActRefused> {
    let account = session.name.clone();
    account::run_act(request, session, move |engine, _, _| {
        engine.app_passwords().list_app_passwords(Some(&account))
    })
    .await
}

pub(crate) async fn rename_app_password(
    request: &RequestContext<'_>,
    session: &Session,
    name: Label,
    new: Label,
) -> Result<(), ActRefused> {
    let account = session.name.clone();
    account::run_act(request, session, move |engine, principal, now| {
        engine
            .app_passwords()
            .rename_app_password(&account, &name, &new, principal, now)
    })
    .await
}

/// Revokes one app password, or all. Returns how many.
pub(crate) async fn revoke_app_passwords(
    request: &RequestContext<'_>,
    session: &Session,
    one: Option<Label>,
) -> Result<usize, ActRefused> {
    let account = session.name.clone();
    account::run_act(request, session, move |engine, principal, now| {
        engine
            .app_passwords()
            .revoke_app_passwords(&account, one.as_ref(), principal, now)
    })
    .await
}

/// Handles a GET request for app-passwords.
pub(crate) async fn show_app_passwords_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let listed = match request.require_session() {
        Ok(session) => match step_up::required_step_up(request, &session).await {
            Ok(step_up) => list_app_passwords(request, &session)
                .await
                .map(|all| (step_up, all)),
            Err(refused) => Err(refused),
        },
        Err(refused) => Err(refused),
    };
    let (step_up, all) = match listed {
        Ok(listed) => listed,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let scopes: Vec<String> = request
        .site
        .gate()
        .scope
        .keys()
        .map(ToString::to_string)
        .collect();
    let page = pages::account::AppPasswordsPage {
        frame: request.frame(),
        all: &all,
        scopes: &scopes,
        lifetimes: &LIFETIMES,
        step_up,
        message: refused.map(|refused| refused.text.as_str()),
    };
    notice::page_with_refusal(html(&page), refused)
}

/// Handles a POST request for app-passwords.
pub(crate) async fn submit_app_password(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    match create_from_form(request, form).await {
        Err(refused) => show_app_passwords_page(request, Some(&refused)).await,
        Ok((step_up, name, password)) => {
            let page = pages::account::NewAppPasswordPage {
                frame: request.frame(),
                user: step_up.session.name.as_str(),
                name: name.as_str(),
                password: &password.grouped(),
            };
            step_up::with_step_up_cookie(
                request,
                reply::page(StatusCode::OK, html(&page)),
                &step_up,
            )
        }
    }
}

async fn create_from_form(
    request: &RequestContext<'_>,
    form: &Form,
) -> Result<(StepUpProof, Label, AppPassword), ActRefused> {
    let name = parse_label(request, form.field("name"))?;
    let lines: Vec<&str> = form
        .field("scope")
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let scope: AppPasswordScope = lines.join("\n").parse().map_err(
        |error: postern_shared::credential::scope::ScopeError| {
            ActRefused::invalid_value(request.language.text_with(
                "scope-invalid",
                "why",
                error.to_string(),
            ))
        },
    )?;
    let days = form
        .field("days")
        .parse::<u64>()
        .ok()
        .filter(|days| LIFETIMES.contains(days));
    let now = clock::now()
        .map_err(|_| ActRefused::invalid_value(request.language.text("unavailable-line")))?;
    let expires = days.map(|days| now.plus(days * DAY));
    let step_up = step_up::verify_step_up(request, &StepUpInput::from_form(form)).await?;
    let new = AppPasswordRequest {
        name: name.clone(),
        scope,
        expires,
    };
    let password = create_app_password(request, &step_up, new).await?;
    Ok((step_up, name, password))
}

/// Handles a POST request for app-passwords/change.
pub(crate) async fn submit_change(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    match change_from_form(request, form).await {
        Err(refused) => show_app_passwords_page(request, Some(&refused)).await,
        Ok(()) => reply::see_other(&request.path_to("app-passwords")),
    }
}

async fn change_from_form(request: &RequestContext<'_>, form: &Form) -> Result<(), ActRefused> {
    let session = request.require_session()?;
    let name = parse_label(request, form.field("name"))?;
    match form.field("action") {
        "rename" => {
            let new = parse_label(request, form.field("new"))?;
            rename_app_password(request, &session, name, new).await
        }
        "revoke" => revoke_app_passwords(request, &session, Some(name))
            .await
            .map(|_| ()),
        _ => Err(ActRefused::invalid_value(
            request.language.text("act-failed"),
        )),
    }
}

/// Parses a name of an authenticator or an app password.
pub(crate) fn parse_label(request: &RequestContext<'_>, text: &str) -> Result<Label, ActRefused> {
    text.trim()
        .parse()
        .map_err(|_| ActRefused::invalid_value(request.language.text("name-invalid")))
}
