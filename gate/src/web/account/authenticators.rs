//! Authenticators beside the first: added, with a code that they show, and removed.

use crate::http::form::Form;
use crate::http::reply::HttpReply;
use crate::live::store_pool::separate_engine_error;
use crate::web::account;
use crate::web::enroll;
use crate::web::notice;
use crate::web::pages::account::Confirmation;
use crate::web::pages::{self, html};
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::{OwnedBrowserContext, RequestContext};
use crate::web::step_up;
use crate::web::step_up::{StepUpInput, StepUpProof};
use hyper::StatusCode;
use shared::account::name::Label;
use shared::credential::totp::Algorithm;
use shared::engine::{
    AdministrationError, Engine, LoginError, OpenedSession, Principal, Requester, ShownEnrollment,
};
use shared::protocol::command_request::{
    AuthenticatorKind, ChangeOperation, CommandRequest, EnrollmentOperation, FinishOperation,
    Operation, ReplyBody, TypedText,
};
use shared::token::session::Session;
use shared::verify::decision::Refusal;

/// Where the code of a new one goes.
const CONFIRM: &str = "authenticators/confirm";

/// What came of a new one's code.
pub(crate) enum ConfirmedAuthenticator {
    /// It is live; the session to go on in.
    Live(Option<Box<OpenedSession>>),
    /// The code is not of it, and why; another one may be.
    Not(Refusal),
}

/// Makes a new authenticator, which nothing keeps yet.
pub(crate) async fn begin_authenticator(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    setup: EnrollmentOperation,
) -> Result<TypedText, ActRefused> {
    let change = ChangeOperation::BeginEnrollment(setup);
    match account::run_operation(request, step_up, Operation::Change { code: None, change }).await?
    {
        ReplyBody::NewAuthenticator { ticket, .. } => Ok(ticket),
        _ => Err(ActRefused::new(
            StatusCode::CONFLICT,
            "stale",
            request.t.say("stale"),
        )),
    }
}

/// What is shown of it.
pub(crate) async fn find_pending_authenticator(
    request: &RequestContext<'_>,
    session: &Session,
    ticket: TypedText,
) -> Result<ShownEnrollment, ActRefused> {
    let (session, client) = (session.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        let caller = Requester::SteppedUp(&session, &client.origin);
        let shown = engine.reopen_enrollment(caller, &session.name, &ticket, client.now()?);
        separate_engine_error(shown).map_err(LoginError::Engine)
    });
    let shown = run
        .await
        .map_err(|error| refusal::refuse_unprocessed(request, &error))?;
    refusal::check_act(request, shown)
}

/// Confirms it by its code; then it is live, and every other session of the account has ended.
pub(crate) async fn confirm_authenticator(
    request: &RequestContext<'_>,
    session: &Session,
    ticket: TypedText,
    code: TypedText,
) -> Result<ConfirmedAuthenticator, ActRefused> {
    let (session, client) = (session.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        let now = client.now()?;
        let caller = Requester::SteppedUp(&session, &client.origin);
        let errand = |finish| CommandRequest {
            account: session.name.clone(),
            operation: Operation::Finish(finish),
        };
        let confirm = errand(FinishOperation::Confirm { ticket, code });
        let ticket = match separate_engine_error(engine.execute_request(caller, &confirm, now))
            .map_err(LoginError::Engine)?
        {
            Err(error) => return Ok::<_, LoginError>(Err(error)),
            Ok(reply) => match reply.answer {
                ReplyBody::Confirmed { ticket } => ticket,
                ReplyBody::NotConfirmed(why) => {
                    return Ok(Ok(ConfirmedAuthenticator::Not(why)));
                }
                _ => return Ok(Err(AdministrationError::Stale)),
            },
        };
        let activate = errand(FinishOperation::Activate { ticket });
        if let Err(error) = separate_engine_error(engine.execute_request(caller, &activate, now))
            .map_err(LoginError::Engine)?
        {
            return Ok(Err(error));
        }
        let opened = engine.reopen_session(&client.browser(), &session, now)?;
        Ok(Ok(ConfirmedAuthenticator::Live(opened.map(Box::new))))
    });
    let confirmed = run
        .await
        .map_err(|error| refusal::refuse_unprocessed(request, &error))?;
    refusal::check_act(request, confirmed)
}

/// Removes an authenticator that is not the only one.
pub(crate) async fn remove_authenticator(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    label: Label,
) -> Result<Option<OpenedSession>, ActRefused> {
    let name = step_up.session.name.clone();
    let remove = move |engine: &mut Engine, actor: Principal<'_>, now| {
        engine.remove_authenticator(&name, &label, actor, now)
    };
    Ok(
        account::run_act_and_continue(request, &step_up.session, remove)
            .await?
            .1,
    )
}

/// GET authenticators/add
pub(crate) async fn show_add_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let proof = match account::required_step_up_now(request).await {
        Ok(proof) => proof,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let page = pages::account::AddAuthenticatorPage {
        frame: request.frame(),
        proof,
        message: refused.map(|refused| refused.text.as_str()),
    };
    notice::page_with_refusal(html(&page), refused)
}

/// POST authenticators/add
pub(crate) async fn submit_new_authenticator(
    request: &RequestContext<'_>,
    form: &Form,
) -> HttpReply {
    match begin_from_form(request, form).await {
        Err(refused) => show_add_page(request, Some(&refused)).await,
        Ok((step_up, shown)) => {
            let name = &step_up.session.name;
            let page = enroll::render_new_authenticator(
                request,
                StatusCode::OK,
                CONFIRM,
                name,
                &shown,
                None,
            );
            step_up::with_step_up_cookie(request, page, &step_up)
        }
    }
}

async fn begin_from_form(
    request: &RequestContext<'_>,
    form: &Form,
) -> Result<(StepUpProof, ShownEnrollment), ActRefused> {
    let setup = parse_enrollment(request, form)?;
    let step_up = step_up::verify_step_up(request, &StepUpInput::of(form)).await?;
    let ticket = begin_authenticator(request, &step_up, setup).await?;
    let shown = find_pending_authenticator(request, &step_up.session, ticket).await?;
    Ok((step_up, shown))
}

/// What the form says that it is to be like: an app's unless a token's seed is given.
fn parse_enrollment(
    request: &RequestContext<'_>,
    form: &Form,
) -> Result<EnrollmentOperation, ActRefused> {
    let name = form.field("name").trim().parse::<Label>();
    let name = name.map_err(|_| ActRefused::unreadable(request.t.say("name-invalid")))?;
    let seed: String = form.field("secret").split_whitespace().collect();
    let mut setup = EnrollmentOperation {
        kind: AuthenticatorKind::Further,
        name,
        seed: None,
        counter: None,
        algorithm: None,
        digits: None,
        period: None,
    };
    if seed.is_empty() {
        return Ok(setup);
    }
    setup.seed = Some(seed.into());
    setup.digits = Some(if form.field("digits") == "8" { 8 } else { 6 });
    setup.algorithm = Some(match form.field("algorithm") {
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => Algorithm::Sha1,
    });
    match form.field("type") {
        "counter" => setup.counter = Some(0),
        "60" => setup.period = Some(60),
        _ => setup.period = Some(30),
    }
    Ok(setup)
}

/// POST authenticators/confirm
pub(crate) async fn submit_first_code(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let session = match request.require_session() {
        Ok(session) => session,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    // of the session as it is: the act ends it
    let step_up = step_up::recent_step_up(request);
    let typed = |field| TypedText::from(form.field(field).to_owned());
    let ticket = typed("pending");
    match confirm_authenticator(request, &session, ticket.clone(), typed("code")).await {
        Err(refused) => notice::show_refusal(request, &refused),
        Ok(ConfirmedAuthenticator::Not(why)) => {
            match find_pending_authenticator(request, &session, ticket).await {
                Err(refused) => notice::show_refusal(request, &refused),
                Ok(shown) => {
                    let (status, text) = (StatusCode::FORBIDDEN, request.t.refusal(why));
                    enroll::render_new_authenticator(
                        request,
                        status,
                        CONFIRM,
                        &session.name,
                        &shown,
                        Some(&text),
                    )
                }
            }
        }
        Ok(ConfirmedAuthenticator::Live(opened)) => {
            let (title, lines) = (
                request.t.say("authenticator-added"),
                [request.t.say("authenticator-added-line")],
            );
            account::show_sessions_ended(
                request,
                step_up.as_ref(),
                opened.as_deref(),
                title,
                &lines,
            )
        }
    }
}

/// GET authenticators/remove
pub(crate) async fn show_removal_page(
    request: &RequestContext<'_>,
    label: &str,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let asked = Confirmation {
        act: "authenticators/remove",
        title: request.t.say("remove-authenticator"),
        lines: vec![
            request
                .t
                .say_of("remove-authenticator-line", "name", label.to_owned()),
        ],
        button: request.t.say("remove"),
        hidden: vec![("name", label.to_owned())],
    };
    account::show_confirmation(request, asked, refused).await
}

/// POST authenticators/remove
pub(crate) async fn submit_removal(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let label = form.field("name");
    match remove_from_form(request, form, label).await {
        Err(refused) => show_removal_page(request, label, Some(&refused)).await,
        Ok((step_up, opened)) => {
            let (title, line) = (
                request.t.say("authenticator-removed"),
                request.t.say("authenticator-removed-line"),
            );
            account::show_sessions_ended(request, Some(&step_up), opened.as_ref(), title, &[line])
        }
    }
}

async fn remove_from_form(
    request: &RequestContext<'_>,
    form: &Form,
    label: &str,
) -> Result<(StepUpProof, Option<OpenedSession>), ActRefused> {
    let name = label
        .parse::<Label>()
        .map_err(|_| ActRefused::unreadable(request.t.say("name-invalid")))?;
    let step_up = step_up::verify_step_up(request, &StepUpInput::of(form)).await?;
    let opened = remove_authenticator(request, &step_up, name).await?;
    Ok((step_up, opened))
}
