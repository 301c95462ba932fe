//! Further authenticators: added, activated by their first code, and removed.

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
use postern_shared::account::name::Label;
use postern_shared::credential::totp::Algorithm;
use postern_shared::engine::{
    AdministrationError, Engine, LoginError, OpenedSession, Principal, Requester, ShownEnrollment,
};
use postern_shared::protocol::command_request::{
    AuthenticatorKind, ChangeOperation, CommandRequest, EnrollmentOperation, FinishOperation,
    Operation, ReplyBody, TypedText,
};
use postern_shared::token::session::Session;
use postern_shared::verify::decision::Refusal;

/// Path that receives the first code of a new authenticator.
const CONFIRM: &str = "authenticators/confirm";

pub(crate) enum ConfirmedAuthenticator {
    /// The authenticator is active. The session replaces the one of the request.
    Activated(Option<Box<OpenedSession>>),
    /// The code is wrong; another one can be entered.
    Refused(Refusal),
}

/// Makes a pending authenticator, which is not stored.
pub(crate) async fn begin_authenticator(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    operation: EnrollmentOperation,
) -> Result<TypedText, ActRefused> {
    let change = ChangeOperation::BeginEnrollment(operation);
    match account::run_change(request, step_up, change).await? {
        ReplyBody::NewAuthenticator(shown) => Ok(shown.token),
        _ => Err(ActRefused::act(
            request.language,
            &AdministrationError::Stale,
        )),
    }
}

/// Returns what the page shows of a pending authenticator.
pub(crate) async fn find_pending_authenticator(
    request: &RequestContext<'_>,
    session: &Session,
    token: TypedText,
) -> Result<ShownEnrollment, ActRefused> {
    account::run_work(request, session, move |engine, session, origin, now| {
        let requester = Requester::SteppedUp(session, origin);
        engine
            .enrollment()
            .reopen_enrollment(requester, &session.name, token, now)
    })
    .await
}

/// Activates an authenticator by its first code. Every other session of the account is revoked.
pub(crate) async fn confirm_authenticator(
    request: &RequestContext<'_>,
    session: &Session,
    token: TypedText,
    code: TypedText,
) -> Result<ConfirmedAuthenticator, ActRefused> {
    let (session, client) = (session.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        let now = client.now()?;
        let requester = Requester::SteppedUp(&session, &client.origin);
        let command = |finish| CommandRequest {
            account: session.name.clone(),
            operation: Operation::Finish(finish),
        };
        let confirm = command(FinishOperation::Confirm { token, code });
        let token = match separate_engine_error(
            engine.commands().execute_request(requester, &confirm, now),
        )
        .map_err(LoginError::Engine)?
        {
            Err(error) => return Ok::<_, LoginError>(Err(error)),
            Ok(reply) => match reply.answer {
                ReplyBody::Confirmed { token } => token,
                ReplyBody::NotConfirmed(why) => {
                    return Ok(Ok(ConfirmedAuthenticator::Refused(why)));
                }
                _ => return Ok(Err(AdministrationError::Stale)),
            },
        };
        let activate = command(FinishOperation::Activate { token });
        if let Err(error) =
            separate_engine_error(engine.commands().execute_request(requester, &activate, now))
                .map_err(LoginError::Engine)?
        {
            return Ok(Err(error));
        }
        let opened = engine
            .login()
            .reopen_session(&client.browser(), &session, now)?;
        Ok(Ok(ConfirmedAuthenticator::Activated(opened.map(Box::new))))
    });
    refusal::check_act(request, run.await)
}

/// Removes an authenticator that is not the only one.
pub(crate) async fn remove_authenticator(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    label: Label,
) -> Result<Option<OpenedSession>, ActRefused> {
    let name = step_up.session.name.clone();
    let remove = move |engine: &mut Engine, principal: Principal<'_>, now| {
        engine
            .enrollment()
            .remove_authenticator(&name, &label, principal, now)
    };
    Ok(
        account::run_act_and_continue(request, &step_up.session, remove)
            .await?
            .1,
    )
}

/// Handles a GET request for authenticators/add.
pub(crate) async fn show_add_page(
    request: &RequestContext<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let step_up = match account::required_step_up_now(request).await {
        Ok(step_up) => step_up,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let page = pages::account::AddAuthenticatorPage {
        frame: request.frame(),
        step_up,
        message: refused.map(|refused| refused.text.as_str()),
    };
    notice::page_with_refusal(html(&page), refused)
}

/// Handles a POST request for authenticators/add.
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
    let operation = parse_enrollment(request, form)?;
    let step_up = step_up::verify_step_up(request, &StepUpInput::from_form(form)).await?;
    let token = begin_authenticator(request, &step_up, operation).await?;
    let shown = find_pending_authenticator(request, &step_up.session, token).await?;
    Ok((step_up, shown))
}

/// Parses the form: an authenticator app, unless the seed of a hardware token is given.
fn parse_enrollment(
    request: &RequestContext<'_>,
    form: &Form,
) -> Result<EnrollmentOperation, ActRefused> {
    let name = form.field("name").trim().parse::<Label>();
    let name =
        name.map_err(|_| ActRefused::invalid_value(request.language.text("name-invalid")))?;
    let seed: String = form.field("secret").split_whitespace().collect();
    let mut operation = EnrollmentOperation {
        kind: AuthenticatorKind::Further,
        name,
        seed: None,
        counter: None,
        algorithm: None,
        digits: None,
        period: None,
    };
    if seed.is_empty() {
        return Ok(operation);
    }
    operation.seed = Some(seed.into());
    operation.digits = Some(if form.field("digits") == "8" { 8 } else { 6 });
    operation.algorithm = Some(match form.field("algorithm") {
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => Algorithm::Sha1,
    });
    match form.field("type") {
        "counter" => operation.counter = Some(0),
        "60" => operation.period = Some(60),
        _ => operation.period = Some(30),
    }
    Ok(operation)
}

/// Handles a POST request for authenticators/confirm.
pub(crate) async fn submit_first_code(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let session = match request.require_session() {
        Ok(session) => session,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    // read before the act, which revokes the session
    let step_up = step_up::recent_step_up(request);
    let typed = |field| TypedText::from(form.field(field).to_owned());
    let token = typed("pending");
    match confirm_authenticator(request, &session, token.clone(), typed("code")).await {
        Err(refused) => notice::show_refusal(request, &refused),
        Ok(ConfirmedAuthenticator::Refused(why)) => {
            match find_pending_authenticator(request, &session, token).await {
                Err(refused) => notice::show_refusal(request, &refused),
                Ok(shown) => {
                    let (status, text) = (StatusCode::FORBIDDEN, request.language.refusal(why));
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
        Ok(ConfirmedAuthenticator::Activated(opened)) => {
            let (title, lines) = (
                request.language.text("authenticator-added"),
                [request.language.text("authenticator-added-line")],
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

/// Handles a GET request for authenticators/remove.
pub(crate) async fn show_removal_page(
    request: &RequestContext<'_>,
    label: &str,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let confirmation = Confirmation {
        act: "authenticators/remove",
        title: request.language.text("remove-authenticator"),
        lines: vec![request.language.text_with(
            "remove-authenticator-line",
            "name",
            label.to_owned(),
        )],
        button: request.language.text("remove"),
        hidden: vec![("name", label.to_owned())],
    };
    account::show_confirmation(request, confirmation, refused).await
}

/// Handles a POST request for authenticators/remove.
pub(crate) async fn submit_removal(request: &RequestContext<'_>, form: &Form) -> HttpReply {
    let label = form.field("name");
    match remove_from_form(request, form, label).await {
        Err(refused) => show_removal_page(request, label, Some(&refused)).await,
        Ok((step_up, opened)) => {
            let (title, line) = (
                request.language.text("authenticator-removed"),
                request.language.text("authenticator-removed-line"),
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
        .map_err(|_| ActRefused::invalid_value(request.language.text("name-invalid")))?;
    let step_up = step_up::verify_step_up(request, &StepUpInput::from_form(form)).await?;
    let opened = remove_authenticator(request, &step_up, name).await?;
    Ok((step_up, opened))
}
