//! New recovery codes: shown once, and valid once the user confirms that they are saved.

use crate::http::reply;
use crate::web::account::run_act;
use crate::web::enroll;
use crate::web::language::Language;
use crate::web::notice;
use crate::web::pages::account::Confirmation;
use crate::web::refusal::{ActResult, HandlerError, PageForm, PageResult};
use crate::web::request::RequestContext;
use crate::web::step_up::{self, StepUpProof};
use hyper::StatusCode;
use postern_shared::engine::ShownRecoveryCodes;
use postern_shared::protocol::command_request::TypedText;

/// Makes new recovery codes, which are not stored.
pub(crate) async fn begin_recovery_codes(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> ActResult<ShownRecoveryCodes> {
    let (session, token) = (step_up.session.clone(), step_up.token().clone());
    run_act(request, session, move |engine, owner| {
        let mut enrollment = engine.enrollment();
        enrollment.begin_recovery_code_renewal(owner.session, owner.origin(), &token, owner.now)
    })
    .await
}

/// Stores the new recovery codes in place of the earlier ones.
pub(crate) async fn activate_recovery_codes(
    request: &RequestContext<'_>,
    token: TypedText,
) -> ActResult<()> {
    run_act(request, request.require_session()?, move |engine, owner| {
        let mut enrollment = engine.enrollment();
        enrollment.finish_recovery_code_renewal(owner.session, owner.origin(), &token, owner.now)
    })
    .await
}

/// Content of the page that confirms new recovery codes.
pub(crate) fn confirm_renewal(language: &Language, _form: &PageForm) -> Confirmation {
    Confirmation {
        act: "recovery-codes",
        title: language.text("new-codes"),
        lines: vec![language.text("new-codes-line")],
        button: language.text("new-codes"),
        hidden: Vec::new(),
        is_destructive: false,
    }
}

/// Makes new recovery codes, and shows them in the reply to the form itself. A redirect to a page
/// would need them a second time: in the store, in a cookie or in a URL, from where they could be
/// read again. They are not in force before the next form confirms them, so a reply that is loaded
/// again changes nothing.
pub(crate) async fn submit_renewal(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let step_up = step_up::verify_form(request, form).await?;
    let new = begin_recovery_codes(request, &step_up).await?;
    let (act, button) = ("recovery-codes/confirm", request.text("use-new-codes"));
    let page = enroll::render_recovery_codes(request, &new.codes, act, &new.token, button);
    Ok(request.with_tokens(page, &step_up.tokens(request)))
}

/// Confirms that the recovery codes are saved.
pub(crate) async fn submit_codes_saved(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    if form.field("saved") != "yes" {
        return Ok(reply::bare(StatusCode::BAD_REQUEST));
    }
    activate_recovery_codes(request, form.typed("confirmed")).await?;
    Err(HandlerError::Done(request.text("codes-renewed-line")))
}

/// Says that the new recovery codes are in force.
pub(crate) async fn show_renewed_page(request: &RequestContext<'_>, form: &PageForm) -> PageResult {
    let title = request.text("codes-renewed");
    Ok(notice::show_outcome(request, form, &title))
}
