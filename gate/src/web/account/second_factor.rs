//! The second factor as a whole: turned on, replaced, turned off.

use crate::live::store_pool::WorkKind;
use crate::web::account::{self, ContinuedSession, Owner, run_act};
use crate::web::enroll;
use crate::web::language::Language;
use crate::web::pages::account::Confirmation;
use crate::web::refusal::{ActRefused, ActResult, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::{self, StepUpProof};
use postern_shared::account::name::UserName;
use postern_shared::engine::{Engine, EnrollmentToken};

/// Turns the second factor off, unless the policy requires one.
pub(crate) async fn disable_second_factor(
    request: &RequestContext<'_>,
    step_up: StepUpProof,
) -> ActResult<ContinuedSession> {
    let (kind, session) = (WorkKind::Plain, step_up.session.clone());
    if is_required(request, &session.name).await? {
        let text = request.text("turn-off-required");
        return Err(ActRefused::conflict("required", text));
    }
    let disable = |engine: &mut Engine, owner: &Owner<'_>| {
        let (name, principal, now) = (owner.name(), owner.principal(), owner.now);
        Ok((
            (),
            engine
                .accounts()
                .disable_second_factor(name, principal, now)?,
        ))
    };
    let run = account::run_act_and_continue(request, kind, Some(step_up), disable);
    let (_, ended) = run.await?;
    request.log_sign_in(&session.name, "disabled", "step-up");
    Ok(ended)
}

pub(crate) async fn is_required(request: &RequestContext<'_>, name: &UserName) -> ActResult<bool> {
    let (pool, name) = (request.store_pool(), name.clone());
    let run = pool.run(WorkKind::Plain, move |engine| {
        engine.policy().is_required(&name)
    });
    run.await
        .map_err(|error| request.refuse_unprocessed(&error))
}

/// Content of the page that confirms that the second factor is turned off.
pub(crate) fn confirm_turn_off(language: &Language, _form: &PageForm) -> Confirmation {
    Confirmation {
        act: "turn-off",
        title: language.text("turn-off"),
        lines: vec![language.text("turn-off-line")],
        button: language.text("turn-off"),
        hidden: Vec::new(),
        is_destructive: true,
    }
}

/// Turns the second factor off.
pub(crate) async fn submit_turn_off(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let step_up = step_up::verify_form(request, form).await?;
    let ended = disable_second_factor(request, step_up).await?;
    let text = [request.text("turned-off"), request.text("turned-off-line")];
    Ok(account::show_sessions_ended(request, &ended, text))
}

/// Content of the page that confirms an enrollment that replaces the second factor.
pub(crate) fn confirm_replacement(language: &Language, _form: &PageForm) -> Confirmation {
    Confirmation {
        act: "replace",
        title: language.text("replace"),
        lines: vec![language.text("enroll-new-line")],
        button: language.text("continue"),
        hidden: Vec::new(),
        is_destructive: false,
    }
}

/// Begins an enrollment that replaces the second factor.
pub(crate) async fn submit_replacement(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let step_up = step_up::verify_form(request, form).await?;
    let token = begin_replacement(request, &step_up).await?;
    let page = enroll::redirect_to_enrollment(request, &token)?;
    Ok(request.with_tokens(page, &step_up.tokens(request)))
}

pub(crate) async fn begin_replacement(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> ActResult<EnrollmentToken> {
    let (session, token) = (step_up.session.clone(), step_up.token().clone());
    run_act(request, session, move |engine, owner| {
        let mut enrollment = engine.enrollment();
        enrollment.issue_replacement_enrollment_token(owner.session, &token, owner.now)
    })
    .await
}

/// Begins the enrollment of a second factor, and is refused if there is one.
pub(crate) async fn begin_enabling(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> ActResult<EnrollmentToken> {
    let (session, token) = (step_up.session.clone(), step_up.token().clone());
    let run = request.run(move |engine, client, now| {
        engine
            .enrollment()
            .issue_first_enrollment_token(&session, &token, &client.origin, now)
    });
    let begun = run
        .await
        .map_err(|error| request.refuse_unprocessed(&error))?;
    let text = || request.text("already-enrolled");
    begun.ok_or_else(|| ActRefused::conflict("already_enrolled", text()))
}

/// Content of the page that confirms the enrollment of a second factor.
pub(crate) fn confirm_turn_on(language: &Language, _form: &PageForm) -> Confirmation {
    Confirmation {
        act: "turn-on",
        title: language.text("enroll"),
        lines: vec![
            language.text("turn-on-line"),
            language.text("app-password-needed"),
        ],
        button: language.text("continue"),
        hidden: Vec::new(),
        is_destructive: false,
    }
}

/// Begins the enrollment of a second factor.
pub(crate) async fn submit_turn_on(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let step_up = step_up::verify_form(request, form).await?;
    let token = begin_enabling(request, &step_up).await?;
    Ok(enroll::redirect_to_enrollment(request, &token)?)
}
