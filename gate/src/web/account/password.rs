//! The password of the built-in first factor, changed by its owner.

use crate::http::reply;
use crate::live::store_pool::WorkKind;
use crate::web::account::{self, ContinuedSession, Owner};
use crate::web::notice;
use crate::web::pages::account::NewPasswordPage;
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::{self, StepUpProof};
use hyper::StatusCode;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::crypto::password::{Password, SHORTEST};
use postern_shared::engine::{AdministrationError, Engine, refuse_guessable_password};
use zeroize::Zeroizing;

/// Parses a new password. Callers do so before the step-up consumes a code.
pub(crate) fn parse_new_password(request: &RequestContext<'_>, new: &str) -> ActResult<Password> {
    let refused = |error| ActRefused::act(request.language, &AdministrationError::Password(error));
    let password = Password::new(Zeroizing::new(new.to_owned())).map_err(refused)?;
    // without a session the act is refused next
    if let Some(session) = request.session() {
        refuse_guessable_password(&request.site.config, &session.name, &password)
            .map_err(refused)?;
    }
    Ok(password)
}

/// Changes the password. Every other session and every trusted browser is revoked.
pub(crate) async fn set_password(
    request: &RequestContext<'_>,
    step_up: StepUpProof,
    password: Password,
) -> ActResult<ContinuedSession> {
    if request.site.gate().first_factor != FirstFactorSource::Password {
        let text = request.text("password-elsewhere");
        return Err(ActRefused::conflict("password_not_managed", text));
    }
    let kind = WorkKind::Hashing;
    let change = move |engine: &mut Engine, owner: &Owner<'_>| {
        let (name, principal, now) = (owner.name(), owner.principal(), owner.now);
        Ok((
            (),
            engine
                .accounts()
                .set_password(name, &password, principal, now)?,
        ))
    };
    let run = account::run_act_and_continue(request, kind, Some(step_up), change);
    Ok(run.await?.1)
}

pub(crate) async fn show_password_page(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    if request.site.gate().first_factor != FirstFactorSource::Password {
        return Ok(reply::bare(StatusCode::NOT_FOUND));
    }
    let session = request.require_session()?;
    let page = NewPasswordPage {
        frame: request.frame(form.message()),
        user: session.name.as_str(),
        step_up: step_up::required_step_up(request).await?,
        least: SHORTEST,
    };
    Ok(notice::page_with_refusal(&page, form))
}

pub(crate) async fn submit_new_password(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let new = form.field("new");
    if new != form.field("repeat") {
        return Err(ActRefused::invalid_value(request.text("passwords-differ")).into());
    }
    let new = parse_new_password(request, new)?;
    let step_up = step_up::verify_form(request, form).await?;
    let ended = set_password(request, step_up, new).await?;
    let text = [
        request.text("password-changed"),
        request.text("password-changed-line"),
    ];
    Ok(account::show_sessions_ended(request, &ended, text))
}
