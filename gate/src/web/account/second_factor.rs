//! The second factor as a whole: turned on, replaced, turned off.

use crate::http::form::Form;
use crate::http::reply::HttpReply;
use crate::web::account;
use crate::web::enroll;
use crate::web::pages::account::Confirmation;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::{OwnedBrowserContext, RequestContext};
use crate::web::step_up;
use crate::web::step_up::{StepUpInput, StepUpProof};
use hyper::StatusCode;
use postern_shared::account::name::UserName;
use postern_shared::engine::{AppPasswordsAfter, EnrollmentToken, OpenedSession};

/// Turns the second factor off, unless the policy requires one.
pub(crate) async fn disable_second_factor(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> Result<(AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
    if is_required(request, &step_up.session.name).await? {
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "required",
            request.language.text("turn-off-required"),
        ));
    }
    let name = step_up.session.name.clone();
    let done =
        account::run_act_and_continue(request, &step_up.session, move |engine, principal, now| {
            engine
                .accounts()
                .disable_second_factor(&name, principal, now)
        })
        .await?;
    request.log_sign_in(&step_up.session.name, "disabled", "step-up");
    Ok(done)
}

pub(crate) async fn is_required(
    request: &RequestContext<'_>,
    name: &UserName,
) -> Result<bool, ActRefused> {
    let name = name.clone();
    let run = request
        .store_pool()
        .with_engine(move |engine| engine.policy().is_required(&name))
        .await;
    run.map_err(|error| refusal::refuse_unprocessed(request, &error))
}

/// Handles a GET request for turn-off.
pub(crate) async fn show_turn_off_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let confirmation = Confirmation {
        act: "turn-off",
        title: request.language.text("turn-off"),
        lines: vec![request.language.text("turn-off-line")],
        button: request.language.text("turn-off"),
        hidden: Vec::new(),
    };
    account::show_confirmation(request, confirmation, refused).await
}

/// Handles a POST request for turn-off.
pub(crate) async fn submit_turn_off(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let done = match step_up::verify_step_up(request, &StepUpInput::from_form(form)).await {
        Ok(step_up) => disable_second_factor(request, &step_up)
            .await
            .map(|done| (step_up, done)),
        Err(refused) => Err(refused),
    };
    match done {
        Err(refused) => show_turn_off_page(request, Some(&refused)).await,
        Ok((step_up, (after, opened))) => {
            let off = request.language.text("turned-off-line");
            let lines: Vec<String> = std::iter::once(off)
                .chain(request.language.app_passwords(after))
                .collect();
            account::show_sessions_ended(
                request,
                Some(&step_up),
                opened.as_ref(),
                request.language.text("turned-off"),
                &lines,
            )
        }
    }
}

/// Handles a GET request for replace.
pub(crate) async fn show_replacement_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let confirmation = Confirmation {
        act: "replace",
        title: request.language.text("replace"),
        lines: vec![request.language.text("enroll-new-line")],
        button: request.language.text("continue"),
        hidden: Vec::new(),
    };
    account::show_confirmation(request, confirmation, refused).await
}

/// Handles a POST request for replace.
pub(crate) async fn submit_replacement(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let step_up = match step_up::verify_step_up(request, &StepUpInput::from_form(form)).await {
        Ok(step_up) => step_up,
        Err(refused) => return show_replacement_page(request, Some(&refused)).await,
    };
    match begin_replacement(request, &step_up).await {
        Ok(token) => step_up::with_step_up_cookie(
            request,
            enroll::redirect_to_enrollment(request, &token),
            &step_up,
        ),
        Err(refused) => show_replacement_page(request, Some(&refused)).await,
    }
}

/// Begins an enrollment that replaces the second factor.
pub(crate) async fn begin_replacement(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> Result<EnrollmentToken, ActRefused> {
    let (session, token, client) = (
        step_up.session.clone(),
        step_up.token().clone(),
        OwnedBrowserContext::new(request),
    );
    let run = request.store_pool().with_engine(move |engine| {
        engine
            .enrollment()
            .issue_replacement_enrollment_token(&session, &token, client.now()?)
    });
    run.await
        .map_err(|error| refusal::refuse_unprocessed(request, &error))
}

/// Begins the enrollment of a second factor, and is refused if there is one.
pub(crate) async fn begin_enabling(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> Result<EnrollmentToken, ActRefused> {
    let (session, token, client) = (
        step_up.session.clone(),
        step_up.token().clone(),
        OwnedBrowserContext::new(request),
    );
    let run = request.store_pool().with_engine(move |engine| {
        engine.enrollment().issue_first_enrollment_token(
            &session,
            &token,
            &client.origin,
            client.now()?,
        )
    });
    let begun = run
        .await
        .map_err(|error| refusal::refuse_unprocessed(request, &error))?;
    begun.ok_or_else(|| {
        ActRefused::new(
            StatusCode::CONFLICT,
            "already_enrolled",
            request.language.text("already-enrolled"),
        )
    })
}

/// Handles a GET request for turn-on.
pub(crate) async fn show_turn_on_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let confirmation = Confirmation {
        act: "turn-on",
        title: request.language.text("enroll"),
        lines: vec![
            request.language.text("turn-on-line"),
            request.language.text("app-password-needed"),
        ],
        button: request.language.text("continue"),
        hidden: Vec::new(),
    };
    account::show_confirmation(request, confirmation, refused).await
}

/// Handles a POST request for turn-on.
pub(crate) async fn submit_turn_on(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let step_up = match step_up::verify_step_up(request, &StepUpInput::from_form(form)).await {
        Ok(step_up) => step_up,
        Err(refused) => return show_turn_on_page(request, Some(&refused)).await,
    };
    match begin_enabling(request, &step_up).await {
        Err(refused) => show_turn_on_page(request, Some(&refused)).await,
        Ok(token) => enroll::redirect_to_enrollment(request, &token),
    }
}
