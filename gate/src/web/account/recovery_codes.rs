//! New recovery codes: shown once, and valid once the user confirms that they are saved.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::web::account;
use crate::web::enroll;
use crate::web::notice;
use crate::web::pages::account::Confirmation;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::{StepUpInput, StepUpProof};
use hyper::StatusCode;
use postern_shared::engine::AdministrationError;
use postern_shared::protocol::command_request::{
    ChangeOperation, FinishOperation, Operation, ReplyBody, TypedText,
};
use postern_shared::token::session::Session;

/// New recovery codes, and the token that activates them.
pub(crate) struct RenewedCodes {
    pub(crate) codes: Vec<TypedText>,
    pub(crate) token: TypedText,
}

/// Makes new recovery codes, which are not stored.
pub(crate) async fn begin_recovery_codes(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> Result<RenewedCodes, ActRefused> {
    let change = ChangeOperation::BeginRecoveryCodes;
    match account::run_change(request, step_up, change).await? {
        ReplyBody::RecoveryCodes { codes, token } => Ok(RenewedCodes { codes, token }),
        _ => Err(ActRefused::act(
            request.language,
            &AdministrationError::Stale,
        )),
    }
}

/// Stores the new recovery codes in place of the earlier ones.
pub(crate) async fn activate_recovery_codes(
    request: &RequestContext<'_>,
    session: &Session,
    token: TypedText,
) -> Result<(), ActRefused> {
    let operation = Operation::Finish(FinishOperation::ReplaceRecoveryCodes { token });
    account::run_operation(request, session, operation).await?;
    Ok(())
}

/// Handles a GET request for recovery-codes.
pub(crate) async fn show_recovery_codes_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let confirmation = Confirmation {
        act: "recovery-codes",
        title: request.language.text("new-codes"),
        lines: vec![request.language.text("new-codes-line")],
        button: request.language.text("new-codes"),
        hidden: Vec::new(),
    };
    account::show_confirmation(request, confirmation, refused).await
}

/// Handles a POST request for recovery-codes.
pub(crate) async fn submit_renewal(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let made = match step_up::verify_step_up(request, &StepUpInput::from_form(form)).await {
        Ok(step_up) => begin_recovery_codes(request, &step_up)
            .await
            .map(|new| (step_up, new)),
        Err(refused) => Err(refused),
    };
    match made {
        Err(refused) => show_recovery_codes_page(request, Some(&refused)).await,
        Ok((step_up, new)) => {
            let codes: Vec<&str> = new.codes.iter().map(|code| &**code).collect();
            let page = enroll::render_recovery_codes(
                request,
                &codes,
                "recovery-codes/confirm",
                &new.token,
                request.language.text("use-new-codes"),
            );
            step_up::with_step_up_cookie(request, page, &step_up)
        }
    }
}

/// Handles a POST request for recovery-codes/confirm.
pub(crate) async fn submit_codes_saved(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    if form.field("saved") != "yes" {
        return reply::bare(StatusCode::BAD_REQUEST);
    }
    let token = TypedText::from(form.field("confirmed").to_owned());
    let result = match request.require_session() {
        Ok(session) => activate_recovery_codes(request, &session, token).await,
        Err(refused) => Err(refused),
    };
    match result {
        Err(refused) => notice::show_refusal(request, &refused),
        Ok(()) => notice::show_done(
            request,
            &request.language.text("codes-renewed"),
            &[request.language.text("codes-renewed-line")],
        ),
    }
}
