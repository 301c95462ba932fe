//! Passkeys: added, listed, renamed, removed.

use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::WorkKind;
use crate::web::account::{self, ContinuedSession, Owner, parse_label, run_act};
use crate::web::language::Language;
use crate::web::notice;
use crate::web::pages;
use crate::web::pages::account::{Confirmation, NewPasskeyPage, PasskeysPage};
use crate::web::passkey;
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::{self, StepUpProof};
use hyper::StatusCode;
use postern_shared::account::name::Label;
use postern_shared::credential::passkey::response::RegistrationResponse;
use postern_shared::crypto::vault::VaultError;
use postern_shared::engine::{
    AdministrationError, AppPasswordsAfter, Engine, PasskeyError, PasskeyOptions,
};
use postern_shared::store::PasskeyRecord;
use postern_shared::system::clock;
use postern_shared::token::{PasskeyPurpose, PasskeyToken};
use zeroize::Zeroizing;

/// A registration that has begun: its token, and what the browser is asked for.
pub(crate) struct BegunRegistration {
    pub(crate) token: Zeroizing<String>,
    pub(crate) options: PasskeyOptions,
}

/// Returns the passkeys of the session's account.
pub(crate) async fn list_passkeys(request: &RequestContext<'_>) -> ActResult<Vec<PasskeyRecord>> {
    run_act(request, request.require_session()?, |engine, owner| {
        engine.passkeys().list_passkeys(owner.name())
    })
    .await
}

fn refuse_unavailable(request: &RequestContext<'_>) -> ActResult<()> {
    match passkey::are_available(request) {
        true => Ok(()),
        false => {
            let text = request.text("passkeys-not-available");
            Err(ActRefused::conflict("no_passkeys", text))
        }
    }
}

/// Begins the registration of a passkey.
pub(crate) async fn begin_registration(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> ActResult<BegunRegistration> {
    refuse_unavailable(request)?;
    let keys = request.site.revocation_cache.token_keys();
    run_act(request, step_up.session.clone(), move |engine, owner| {
        let purpose = PasskeyPurpose::Registration;
        let begun = engine
            .passkeys()
            .request_in_session(owner.session, purpose, owner.now)?;
        let (token, options) = begun.ok_or(PasskeyError::NotAvailable)?;
        let token = token
            .seal(&keys)
            .map_err(|error: VaultError| AdministrationError::from(error))?;
        Ok(BegunRegistration { token, options })
    })
    .await
}

/// Registers the passkey that a browser made. The token proves the step-up with which it began.
pub(crate) async fn register_passkey(
    request: &RequestContext<'_>,
    token: &str,
    response: &str,
    name: Label,
) -> ActResult<()> {
    refuse_unavailable(request)?;
    let session = request.require_session()?;
    let keys = request.site.revocation_cache.token_keys();
    let now = clock::now().ok();
    let purpose = PasskeyPurpose::Registration;
    let open = |now| PasskeyToken::open_in(token, &keys, &session, purpose, now);
    let Some(token) = now.and_then(open) else {
        return Err(ActRefused::conflict("stale", request.text("stale")));
    };
    let Some(response) = RegistrationResponse::parse(response) else {
        return Err(ActRefused::passkey(request.language));
    };
    run_act(request, session, move |engine, owner| {
        let (principal, now) = (owner.principal(), owner.now);
        engine
            .passkeys()
            .add_passkey(&token, &response, &name, principal, now)
    })
    .await
}

pub(crate) async fn rename_passkey(
    request: &RequestContext<'_>,
    name: Label,
    new: Label,
) -> ActResult<()> {
    run_act(request, request.require_session()?, move |engine, owner| {
        let (account, principal, now) = (owner.name(), owner.principal(), owner.now);
        engine
            .passkeys()
            .rename_passkey(account, &name, &new, principal, now)
    })
    .await
}

/// Removes a passkey. Every other session of the account ends.
pub(crate) async fn remove_passkey(
    request: &RequestContext<'_>,
    step_up: StepUpProof,
    name: Label,
) -> ActResult<ContinuedSession> {
    let remove = move |engine: &mut Engine, owner: &Owner<'_>| {
        let (account, principal, now) = (owner.name(), owner.principal(), owner.now);
        engine
            .passkeys()
            .remove_passkey(account, &name, principal, now)?;
        Ok(((), AppPasswordsAfter::None))
    };
    let run = account::run_act_and_continue(request, WorkKind::Plain, Some(step_up), remove);
    Ok(run.await?.1)
}

pub(crate) async fn show_passkeys_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let page = PasskeysPage {
        frame: request.frame(form.message().or(form.status.as_deref())),
        all: &list_passkeys(request).await?,
        typed: form.field("name"),
        step_up: step_up::required_step_up(request).await?,
    };
    Ok(notice::page_with_refusal(&page, form))
}

/// Begins the registration of a passkey, and shows the page that asks the browser for it.
pub(crate) async fn submit_new_passkey(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let name = parse_label(request, form.field("name"))?;
    let step_up = step_up::verify_form(request, form).await?;
    let begun = begin_registration(request, &step_up).await?;
    let page = render_new_passkey(request, &step_up, &begun, &name);
    Ok(request.with_tokens(page, &step_up.tokens(request)))
}

fn render_new_passkey(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    begun: &BegunRegistration,
    name: &Label,
) -> HttpReply {
    let service = &request.site.branding.name;
    let options = passkey::creation_options(&begun.options, service, &step_up.session.name);
    let page = NewPasskeyPage {
        frame: request.frame(None),
        name: name.as_str(),
        token: &begun.token,
        options: &options.to_string(),
    };
    pages::reply(StatusCode::OK, &page)
}

/// Registers a passkey.
pub(crate) async fn submit_registration(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let name = parse_label(request, form.field("name"))?;
    register_passkey(request, form.field("token"), form.field("passkey"), name).await?;
    Ok(reply::see_other(&request.path_to("passkeys")))
}

/// Renames a passkey.
pub(crate) async fn submit_change(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let name = parse_label(request, form.field("name"))?;
    let new = parse_label(request, form.field("new"))?;
    rename_passkey(request, name, new).await?;
    Ok(reply::see_other(&request.path_to("passkeys")))
}

/// Content of the page that confirms the removal of a passkey.
pub(crate) fn confirm_removal(language: &Language, form: &PageForm) -> Confirmation {
    let name = form.field("name").to_owned();
    Confirmation {
        act: "passkeys/remove",
        title: language.text("remove-passkey"),
        lines: vec![language.text_with("remove-passkey-line", "name", name.clone())],
        button: language.text("remove"),
        hidden: vec![("name", name)],
        is_destructive: true,
    }
}

pub(crate) async fn submit_removal(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let name = parse_label(request, form.field("name"))?;
    let step_up = step_up::verify_form(request, form).await?;
    let ended = remove_passkey(request, step_up, name).await?;
    let title = request.text("passkey-removed");
    let text = [title, request.text("passkey-removed-line")];
    Ok(account::show_sessions_ended(request, &ended, text))
}
