//! The address that codes are mailed to: set, confirmed by a mailed code, removed.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::outbox;
use crate::web::account;
use crate::web::account::second_factor;
use crate::web::notice;
use crate::web::pages::account::Confirmation;
use crate::web::pages::{self, html};
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::{StepUpInput, StepUpProof};
use hyper::StatusCode;
use postern_shared::account::email::EmailAddress;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::credential::input::Input;
use postern_shared::engine::{
    AdministrationError, AppPasswordsAfter, Engine, OpenedSession, Principal,
};
use postern_shared::store::MailAddresses;
use postern_shared::token::session::Session;
use std::sync::Arc;

/// Returns the account's confirmed and pending address.
pub(crate) async fn find_addresses(
    request: &RequestContext<'_>,
    session: &Session,
) -> Result<MailAddresses, ActRefused> {
    let account = session.name.clone();
    Ok(account::run_act(request, session, move |engine, _, _| {
        engine.accounts().account_status(&account)
    })
    .await?
    .tally
    .addresses)
}

/// Mails a code to a new address. The address is in use once that code is entered.
pub(crate) async fn set_email(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    to: EmailAddress,
) -> Result<(), ActRefused> {
    let account = step_up.session.name.clone();
    let set = move |engine: &mut Engine, principal: Principal<'_>, now| {
        engine.accounts().set_email(&account, &to, principal, now)
    };
    let queued = account::run_act(request, &step_up.session, set).await?;
    match outbox::wait_for_delivery(&request.store_pool(), &Arc::new(queued)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(ActRefused::act(
            request.language,
            &AdministrationError::NotMailed(why),
        )),
        Err(error) => Err(refusal::refuse_unprocessed(request, &error)),
    }
}

/// Confirms the pending address by the code that was mailed to it.
pub(crate) async fn confirm_email(
    request: &RequestContext<'_>,
    session: &Session,
    code: Input,
) -> Result<(AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
    let account = session.name.clone();
    let confirm = move |engine: &mut Engine, principal: Principal<'_>, now| {
        engine
            .accounts()
            .confirm_email(&account, &code, principal, now)
    };
    let ((_, after), opened) = account::run_act_and_continue(request, session, confirm).await?;
    Ok((after, opened))
}

/// Removes the addresses, unless they are the only second factor of an account that must have one.
pub(crate) async fn remove_email(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> Result<(Enrolled, AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
    let account = step_up.session.name.clone();
    if second_factor::is_required(request, &account).await?
        && is_only_second_factor(request, &step_up.session).await?
    {
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "required",
            request.language.text("turn-off-required"),
        ));
    }
    let remove = move |engine: &mut Engine, principal: Principal<'_>, now| {
        engine.accounts().remove_email(&account, principal, now)
    };
    let ((enrolled, after), opened) =
        account::run_act_and_continue(request, &step_up.session, remove).await?;
    Ok((enrolled, after, opened))
}

/// Whether mailed codes are the account's only second factor.
async fn is_only_second_factor(
    request: &RequestContext<'_>,
    session: &Session,
) -> Result<bool, ActRefused> {
    let account = session.name.clone();
    let status = account::run_act(request, session, move |engine, _, _| {
        engine.accounts().account_status(&account)
    })
    .await?;
    Ok(status.tally.authenticators == 0)
}

/// Handles a GET request for email.
pub(crate) async fn show_email_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let loaded = match request.require_session() {
        Ok(session) => match step_up::required_step_up(request, &session).await {
            Ok(step_up) => find_addresses(request, &session)
                .await
                .map(|addresses| (step_up, addresses)),
            Err(refused) => Err(refused),
        },
        Err(refused) => Err(refused),
    };
    let (step_up, addresses) = match loaded {
        Ok(loaded) => loaded,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let page = pages::account::EmailPage {
        frame: request.frame(),
        addresses: &addresses,
        step_up,
        message: refused.map(|refused| refused.text.as_str()),
    };
    notice::page_with_refusal(html(&page), refused)
}

/// Handles a POST request for email.
pub(crate) async fn submit_email(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let to = form.field("address").trim().parse::<EmailAddress>();
    let set = match to {
        Err(_) => Err(ActRefused::invalid_value(
            request.language.text("address-invalid"),
        )),
        Ok(to) => match step_up::verify_step_up(request, &StepUpInput::from_form(form)).await {
            Ok(step_up) => set_email(request, &step_up, to).await.map(|()| step_up),
            Err(refused) => Err(refused),
        },
    };
    match set {
        Err(refused) => show_email_page(request, Some(&refused)).await,
        Ok(step_up) => step_up::with_step_up_cookie(
            request,
            reply::see_other(&request.path_to("email")),
            &step_up,
        ),
    }
}

/// Handles a POST request for email/confirm.
pub(crate) async fn submit_email_code(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let code = Input::parse(form.field("code").as_bytes());
    // read before the act, which revokes the session
    let step_up = step_up::recent_step_up(request);
    let confirmed = match request.require_session() {
        Ok(session) => confirm_email(request, &session, code).await,
        Err(refused) => Err(refused),
    };
    match confirmed {
        Err(refused) => show_email_page(request, Some(&refused)).await,
        Ok((after, opened)) => {
            let lines: Vec<String> =
                std::iter::once(request.language.text("address-confirmed-line"))
                    .chain(request.language.app_passwords(after))
                    .collect();
            account::show_sessions_ended(
                request,
                step_up.as_ref(),
                opened.as_ref(),
                request.language.text("address-confirmed"),
                &lines,
            )
        }
    }
}

/// Handles a GET request for email/remove.
pub(crate) async fn show_removal_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let confirmation = Confirmation {
        act: "email/remove",
        title: request.language.text("remove-address"),
        lines: vec![request.language.text("remove-address-line")],
        button: request.language.text("remove"),
        hidden: Vec::new(),
    };
    account::show_confirmation(request, confirmation, refused).await
}

/// Handles a POST request for email/remove.
pub(crate) async fn submit_removal(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let removed = match step_up::verify_step_up(request, &StepUpInput::from_form(form)).await {
        Ok(step_up) => remove_email(request, &step_up)
            .await
            .map(|removed| (step_up, removed)),
        Err(refused) => Err(refused),
    };
    match removed {
        Err(refused) => show_removal_page(request, Some(&refused)).await,
        Ok((step_up, (enrolled, after, opened))) => {
            let line = match enrolled {
                Enrolled::Yes => request.language.text("address-removed-line"),
                Enrolled::No => request.language.text("turned-off-line"),
            };
            let lines: Vec<String> = std::iter::once(line)
                .chain(request.language.app_passwords(after))
                .collect();
            account::show_sessions_ended(
                request,
                Some(&step_up),
                opened.as_ref(),
                request.language.text("address-removed"),
                &lines,
            )
        }
    }
}
