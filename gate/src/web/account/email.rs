//! The address that codes are mailed to: set, confirmed by a mailed code, removed.

use crate::http::reply;
use crate::live::outbox;
use crate::live::store_pool::WorkKind;
use crate::web::account::{self, ContinuedSession, Owner, run_act, second_factor};
use crate::web::language::Language;
use crate::web::notice;
use crate::web::pages::account::{Confirmation, EmailPage};
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::{self, StepUpProof};
use hyper::StatusCode;
use postern_shared::account::email::EmailAddress;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::input::Input;
use postern_shared::engine::{AdministrationError, Engine};
use postern_shared::store::MailAddresses;
use std::sync::Arc;

/// Returns the account's confirmed and pending address.
pub(crate) async fn find_addresses(request: &RequestContext<'_>) -> ActResult<MailAddresses> {
    run_act(request, request.require_session()?, |engine, owner| {
        Ok(engine
            .accounts()
            .account_status(owner.name())?
            .tally
            .addresses)
    })
    .await
}

/// Parses an address that is typed.
pub(crate) fn parse_address(request: &RequestContext<'_>, text: &str) -> ActResult<EmailAddress> {
    let invalid = |_| ActRefused::invalid_value(request.text("address-invalid"));
    text.trim().parse().map_err(invalid)
}

/// Mails a code to a new address. The address is in use once that code is entered.
pub(crate) async fn set_email(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    to: EmailAddress,
) -> ActResult<()> {
    let queued = run_act(request, step_up.session.clone(), move |engine, owner| {
        engine
            .accounts()
            .set_email(owner.name(), &to, owner.principal(), owner.now)
    });
    let queued = Arc::new(queued.await?);
    let delivery = outbox::wait_for_delivery(&request.store_pool(), &queued).await;
    delivery
        .map_err(|error| request.refuse_unprocessed(&error))?
        .map_err(|why| ActRefused::act(request.language, &AdministrationError::NotMailed(why)))
}

/// Confirms the pending address by the code that was mailed to it.
pub(crate) async fn confirm_email(
    request: &RequestContext<'_>,
    code: Input,
) -> ActResult<ContinuedSession> {
    // read before the act, which revokes the session
    let step_up = step_up::recent_step_up(request);
    let kind = WorkKind::Plain;
    let confirm = move |engine: &mut Engine, owner: &Owner<'_>| {
        let (name, principal, now) = (owner.name(), owner.principal(), owner.now);
        engine.accounts().confirm_email(name, &code, principal, now)
    };
    let run = account::run_act_and_continue(request, kind, step_up, confirm);
    Ok(run.await?.1)
}

/// Removes the addresses, unless they are the only second factor of an account that must have one.
pub(crate) async fn remove_email(
    request: &RequestContext<'_>,
    step_up: StepUpProof,
) -> ActResult<(Enrolled, ContinuedSession)> {
    let (kind, session) = (WorkKind::Plain, step_up.session.clone());
    if second_factor::is_required(request, &session.name).await?
        && is_only_second_factor(request).await?
    {
        let text = request.text("turn-off-required");
        return Err(ActRefused::conflict("required", text));
    }
    let remove = |engine: &mut Engine, owner: &Owner<'_>| {
        engine
            .accounts()
            .remove_email(owner.name(), owner.principal(), owner.now)
    };
    account::run_act_and_continue(request, kind, Some(step_up), remove).await
}

/// Whether mailed codes are the account's only second factor.
async fn is_only_second_factor(request: &RequestContext<'_>) -> ActResult<bool> {
    run_act(request, request.require_session()?, |engine, owner| {
        Ok(engine
            .accounts()
            .account_status(owner.name())?
            .tally
            .authenticators
            == 0)
    })
    .await
}

pub(crate) async fn show_email_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    if !request.site.config.email.is_enabled() {
        return show_mail_off(request).await;
    }
    let step_up = step_up::required_step_up(request).await?;
    let page = EmailPage {
        frame: request.frame(form.message()),
        addresses: &find_addresses(request).await?,
        email: &request.site.config.email,
        step_up,
    };
    Ok(notice::page_with_refusal(&page, form))
}

/// Renders that no mail is configured. An address of an earlier configuration can be removed.
async fn show_mail_off(request: &RequestContext<'_>) -> PageResult {
    let addresses = find_addresses(request).await?;
    let has_address = addresses.confirmed.is_some() || addresses.pending.is_some();
    let (path, text) = match has_address {
        true => ("email/remove", request.text("remove-address")),
        false => ("", request.text("to-account")),
    };
    let (title, lines) = (request.text("mailed-codes"), [request.text("mail-off")]);
    let link = (&*request.path_to(path), text);
    let status = StatusCode::NOT_FOUND;
    Ok(notice::render_notice(
        request,
        status,
        &title,
        &lines,
        Some(link),
    ))
}

/// Mails a code to a new address.
pub(crate) async fn submit_email(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let to = parse_address(request, form.field("address"))?;
    let step_up = step_up::verify_form(request, form).await?;
    set_email(request, &step_up, to).await?;
    let page = reply::see_other(&request.path_to("email"));
    Ok(request.with_tokens(page, &step_up.tokens(request)))
}

/// Confirms the pending address.
pub(crate) async fn submit_email_code(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let code = Input::parse(form.field("code").as_bytes());
    let ended = confirm_email(request, code).await?;
    let text = [
        request.text("address-confirmed"),
        request.text("address-confirmed-line"),
    ];
    Ok(account::show_sessions_ended(request, &ended, text))
}

/// Content of the page that confirms the removal of the addresses.
pub(crate) fn confirm_removal(language: &Language, _form: &PageForm) -> Confirmation {
    Confirmation {
        act: "email/remove",
        title: language.text("remove-address"),
        lines: vec![language.text("remove-address-line")],
        button: language.text("remove"),
        hidden: Vec::new(),
        is_destructive: true,
    }
}

pub(crate) async fn submit_removal(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let step_up = step_up::verify_form(request, form).await?;
    let (enrolled, ended) = remove_email(request, step_up).await?;
    let line = match enrolled {
        Enrolled::Yes => request.text("address-removed-line"),
        Enrolled::No => request.text("turned-off-line"),
    };
    let text = [request.text("address-removed"), line];
    Ok(account::show_sessions_ended(request, &ended, text))
}
