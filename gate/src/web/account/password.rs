//! The password of the built-in first factor, changed by its owner.

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
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::crypto::password::Password;
use postern_shared::engine::{AdministrationError, AppPasswordsAfter, OpenedSession};
use zeroize::Zeroizing;

/// Changes the password. Every other session and every trusted browser is revoked.
pub(crate) async fn set_password(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    new: Zeroizing<String>,
) -> Result<(AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
    if request.site.gate().first_factor != FirstFactorSource::Password {
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "password_not_managed",
            request.language.text("password-elsewhere"),
        ));
    }
    let password = Password::new(new).map_err(|error| {
        ActRefused::act(request.language, &AdministrationError::Password(error))
    })?;
    let account = step_up.session.name.clone();
    account::hash_and_continue(request, &step_up.session, move |engine, principal, now| {
        engine
            .accounts()
            .set_password(&account, &password, principal, now)
    })
    .await
}

/// Handles a GET request for password.
pub(crate) async fn show_password_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    if request.site.gate().first_factor != FirstFactorSource::Password {
        return reply::bare(StatusCode::NOT_FOUND);
    }
    let step_up = match account::required_step_up_now(request).await {
        Ok(step_up) => step_up,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let page = pages::account::NewPasswordPage {
        frame: request.frame(),
        step_up,
        least: postern_shared::crypto::password::SHORTEST,
        message: refused.map(|refused| refused.text.as_str()),
    };
    notice::page_with_refusal(html(&page), refused)
}

/// Handles a POST request for password.
pub(crate) async fn submit_new_password(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    match change_from_form(request, form).await {
        Err(refused) => show_password_page(request, Some(&refused)).await,
        Ok((step_up, after, opened)) => {
            let line = request.language.text("password-changed-line");
            let lines: Vec<String> = std::iter::once(line)
                .chain(request.language.app_passwords(after))
                .collect();
            account::show_sessions_ended(
                request,
                Some(&step_up),
                opened.as_ref(),
                request.language.text("password-changed"),
                &lines,
            )
        }
    }
}

async fn change_from_form(
    request: &RequestContext<'_>,
    form: &Form,
) -> Result<(StepUpProof, AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
    let new = form.field("new");
    if new != form.field("repeat") {
        return Err(ActRefused::invalid_value(
            request.language.text("passwords-differ"),
        ));
    }
    // checked before the step-up consumes a code
    Password::new(Zeroizing::new(new.to_owned())).map_err(|error| {
        ActRefused::act(request.language, &AdministrationError::Password(error))
    })?;
    let step_up = step_up::verify_step_up(request, &StepUpInput::from_form(form)).await?;
    let (after, opened) = set_password(request, &step_up, Zeroizing::new(new.to_owned())).await?;
    Ok((step_up, after, opened))
}
