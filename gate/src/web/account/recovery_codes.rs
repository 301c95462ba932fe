//! A new set of recovery codes: shown once, and in force when the person says that they are saved.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::separate_engine_error;
use crate::web::account;
use crate::web::enroll;
use crate::web::notice;
use crate::web::pages::account::Confirmation;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::{OwnedBrowserContext, RequestContext};
use crate::web::step_up;
use crate::web::step_up::{StepUpInput, StepUpProof};
use hyper::StatusCode;
use shared::engine::{LoginError, Requester};
use shared::protocol::command_request::{
    ChangeOperation, CommandRequest, FinishOperation, Operation, ReplyBody, TypedText,
};
use shared::token::session::Session;

/// New codes as people read them, and what makes them good.
pub(crate) struct RenewedCodes {
    pub(crate) codes: Vec<TypedText>,
    pub(crate) ticket: TypedText,
}

/// Makes new codes, which nothing keeps yet.
pub(crate) async fn begin_recovery_codes(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
) -> Result<RenewedCodes, ActRefused> {
    let change = ChangeOperation::BeginRecoveryCodes;
    match account::run_operation(request, step_up, Operation::Change { code: None, change }).await?
    {
        ReplyBody::RecoveryCodes { codes, ticket } => Ok(RenewedCodes { codes, ticket }),
        _ => Err(ActRefused::new(
            StatusCode::CONFLICT,
            "stale",
            request.t.say("stale"),
        )),
    }
}

/// They take the place of the old ones.
pub(crate) async fn activate_recovery_codes(
    request: &RequestContext<'_>,
    session: &Session,
    ticket: TypedText,
) -> Result<(), ActRefused> {
    let (session, client) = (session.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        let task = Operation::Finish(FinishOperation::ReplaceRecoveryCodes { ticket });
        let errand = CommandRequest {
            account: session.name.clone(),
            operation: task,
        };
        let caller = Requester::SteppedUp(&session, &client.origin);
        separate_engine_error(engine.execute_request(caller, &errand, client.now()?))
            .map_err(LoginError::Engine)
    });
    let kept = run
        .await
        .map_err(|error| refusal::refuse_unprocessed(request, &error))?;
    refusal::check_act(request, kept.map(|_| ()))
}

/// GET recovery-codes
pub(crate) async fn show_recovery_codes_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let asked = Confirmation {
        act: "recovery-codes",
        title: request.t.say("new-codes"),
        lines: vec![request.t.say("new-codes-line")],
        button: request.t.say("new-codes"),
        hidden: Vec::new(),
    };
    account::show_confirmation(request, asked, refused).await
}

/// POST recovery-codes
pub(crate) async fn submit_renewal(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let made = match step_up::verify_step_up(request, &StepUpInput::of(form)).await {
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
                &new.ticket,
                request.t.say("use-new-codes"),
            );
            step_up::with_step_up_cookie(request, page, &step_up)
        }
    }
}

/// POST recovery-codes/confirm
pub(crate) async fn submit_codes_saved(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    if form.field("saved") != "yes" {
        return reply::bare(StatusCode::BAD_REQUEST);
    }
    let ticket = TypedText::from(form.field("confirmed").to_owned());
    let kept = match request.require_session() {
        Ok(session) => activate_recovery_codes(request, &session, ticket).await,
        Err(refused) => Err(refused),
    };
    match kept {
        Err(refused) => notice::show_refusal(request, &refused),
        Ok(()) => notice::show_done(
            request,
            &request.t.say("codes-renewed"),
            &[request.t.say("codes-renewed-line")],
        ),
    }
}
