//! App passwords, for programs that cannot show a page: created, renamed, revoked.

use crate::http::reply;
use crate::web::account::{parse_label, run_act};
use crate::web::notice;
use crate::web::pages::account::{AppPasswordsPage, NewAppPasswordPage, ScopeChoice};
use crate::web::pages::{self, account};
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::{self, StepUpProof};
use hyper::StatusCode;
use postern_shared::account::name::Label;
use postern_shared::credential::app_password::AppPassword;
use postern_shared::credential::scope::{
    AppPasswordScope, NamedScopes, ScopeError, ScopeTerm, WebScope,
};
use postern_shared::store::AppPasswordRecord;
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::system::pam_service::SERVICE_FOLDERS;
use std::path::Path;

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

/// Parses the lines of a scope. A PAM service that this host does not have is refused as a typing
/// error: libpam would never ask for it.
pub(crate) fn parse_scope(
    request: &RequestContext<'_>,
    lines: &str,
) -> ActResult<AppPasswordScope> {
    let scope: AppPasswordScope = lines.parse().map_err(|error: ScopeError| {
        let why = error.to_string();
        ActRefused::invalid_value(request.language.text_with("scope-invalid", "why", why))
    })?;
    let unknown = scope.terms().iter().find_map(|term| match term {
        ScopeTerm::Pam(service) if !is_pam_service(service.as_str()) => Some(service),
        _ => None,
    });
    match unknown {
        None => Ok(scope),
        Some(service) => {
            let text = request
                .language
                .text_with("service-unknown", "name", service.to_string());
            Err(ActRefused::invalid_value(text))
        }
    }
}

/// Whether this host has a PAM service. A name has no slash, so it is one file of the folder.
fn is_pam_service(name: &str) -> bool {
    let is_file = |folder: &&str| Path::new(folder).join(name).is_file();
    SERVICE_FOLDERS.iter().any(is_file)
}

pub(crate) async fn show_app_passwords_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let step_up = step_up::required_step_up(request).await?;
    let named = &request.site.gate().scope;
    // the refusal of a change of another app password has none of this form's fields
    let is_typed = form.refused.is_some() && form.field("action").is_empty();
    let is_only_one = named.len() == 1 && !is_typed;
    // a link to this page must not choose what the app password is valid for
    let is_chosen = |name: &str| is_typed && form.fields("for").any(|ticked| ticked == name);
    let scopes = named.iter().map(|(name, scope)| ScopeChoice {
        name: name.as_str(),
        title: account::scope_title(named, &ScopeTerm::Named(name.clone())),
        addresses: addresses_of(scope),
        is_ticked: is_only_one || is_chosen(name.as_str()),
    });
    let suggestions = request.text("app-suggestions");
    let page = AppPasswordsPage {
        frame: request.frame(form.message()),
        all: &list_app_passwords(request).await?,
        named,
        scopes: &scopes.collect::<Vec<_>>(),
        suggestions: &suggestions.split(", ").collect::<Vec<_>>(),
        typed: form,
        is_typed,
        lifetimes: &LIFETIMES,
        step_up,
    };
    Ok(notice::page_with_refusal(&page, form))
}

/// Returns the URLs that a scope begins at.
fn addresses_of(scope: &WebScope) -> Vec<String> {
    let of_host = |host: &str| match scope.paths.as_slice() {
        [] => vec![format!("https://{host}/")],
        paths => paths
            .iter()
            .map(|path| format!("https://{host}{path}"))
            .collect(),
    };
    let hosts = scope.hosts.iter();
    hosts.flat_map(|host| of_host(host.as_str())).collect()
}

/// Returns the web addresses and the PAM services of a scope.
fn places_of(scope: &AppPasswordScope, named: &NamedScopes) -> (Vec<String>, Vec<String>) {
    let (mut addresses, mut services) = (Vec::new(), Vec::new());
    for term in scope.terms() {
        match term {
            ScopeTerm::Pam(service) => services.push(service.to_string()),
            ScopeTerm::Web(web) => addresses.extend(addresses_of(web)),
            ScopeTerm::Named(name) => {
                addresses.extend(named.get(name).map(addresses_of).unwrap_or_default());
            }
        }
    }
    (addresses, services)
}

/// Parses a lifetime in days that the page offers; empty: it never expires.
fn parse_lifetime(request: &RequestContext<'_>, days: &str) -> ActResult<Option<u64>> {
    if days.is_empty() {
        return Ok(None);
    }
    let offered = days.parse().ok().filter(|days| LIFETIMES.contains(days));
    let unknown = || ActRefused::invalid_value(request.text("act-failed"));
    offered.map(Some).ok_or_else(unknown)
}

/// Makes an app password, which is shown once.
pub(crate) async fn submit_app_password(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let name = parse_label(request, form.field("name"))?;
    let other = form.field("scope").lines().map(str::trim);
    let lines: Vec<&str> = form
        .fields("for")
        .chain(other)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return Err(ActRefused::invalid_value(request.text("scope-missing")).into());
    }
    let scope = parse_scope(request, &lines.join("\n"))?;
    let days = parse_lifetime(request, form.field("days"))?;
    let now =
        clock::now().map_err(|_| ActRefused::invalid_value(request.text("unavailable-line")))?;
    let expires = days.map(|days| now.plus(days * DAY));
    let (addresses, services) = places_of(&scope, &request.site.gate().scope);
    let step_up = step_up::verify_form(request, form).await?;
    let password = create_app_password(request, &step_up, name.clone(), scope, expires).await?;
    let page = NewAppPasswordPage {
        frame: request.frame(None),
        user: step_up.session.name.as_str(),
        name: name.as_str(),
        addresses: &addresses,
        services: &services,
        password: &password.grouped(),
        expires,
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
