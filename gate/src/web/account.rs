//! A person's own account at the gate: how it stands, and what they change of it. Each room has the acts, which the
//! pages and the API share, and the pages. What is critical takes a [`Proven`].

pub(crate) mod app_passwords;
pub(crate) mod authenticators;
pub(crate) mod email;
pub(crate) mod overview;
pub(crate) mod password;
pub(crate) mod recovery_codes;
pub(crate) mod second_factor;
pub(crate) mod sessions;

pub(crate) use app_passwords::AppPasswordRequest;
pub(crate) use authenticators::ConfirmedAuthenticator;

use super::pages::account::Confirmation;
use super::pages::{self, html};
use super::refusal::ActRefused;
use super::request::{OwnedBrowserContext, RequestContext};
use super::step_up::{StepUpProof, StepUpRequirement};
use crate::http::reply::HttpReply;
use crate::live::store_pool::separate_engine_error;
use crate::web::notice;
use crate::web::refusal;
use crate::web::step_up;
use hyper::StatusCode;
use shared::engine::{AdministrationError, Engine, LoginError, OpenedSession, Principal};
use shared::protocol::command_request::{CommandRequest, Operation, ReplyBody};
use shared::system::clock::Timestamp;
use shared::token::session::Session;

/// What comes of an act, and the session that goes on after it.
type ContinuedSession<T> =
    Result<Result<(T, Option<OpenedSession>), AdministrationError>, LoginError>;

/// Runs an act of this session's at a door.
pub(crate) async fn run_act<T: Send + 'static>(
    request: &RequestContext<'_>,
    session: &Session,
    work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
    + Send
    + 'static,
) -> Result<T, ActRefused> {
    let (session, client) = (session.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        let now = client.now()?;
        let actor = Principal::Session(&session.name, &client.origin, session.id);
        separate_engine_error(work(engine, actor, now)).map_err(LoginError::Engine)
    });
    refusal::check_act(
        request,
        run.await
            .map_err(|error| refusal::refuse_unprocessed(request, &error))?,
    )
}

/// The same of an act that ends every session of the account: this browser goes on in a new one.
pub(crate) async fn run_act_and_continue<T: Send + 'static>(
    request: &RequestContext<'_>,
    session: &Session,
    work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
    + Send
    + 'static,
) -> Result<(T, Option<OpenedSession>), ActRefused> {
    let run = request
        .store_pool()
        .with_engine(then_continue(request, session, work));
    refusal::check_act(
        request,
        run.await
            .map_err(|error| refusal::refuse_unprocessed(request, &error))?,
    )
}

/// The same of an act that hashes a password.
pub(crate) async fn hash_and_continue<T: Send + 'static>(
    request: &RequestContext<'_>,
    session: &Session,
    work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
    + Send
    + 'static,
) -> Result<(T, Option<OpenedSession>), ActRefused> {
    let run = request
        .store_pool()
        .with_hashing_engine(then_continue(request, session, work));
    refusal::check_act(
        request,
        run.await
            .map_err(|error| refusal::refuse_unprocessed(request, &error))?,
    )
}

fn then_continue<T, F>(
    request: &RequestContext<'_>,
    session: &Session,
    work: F,
) -> impl FnOnce(&mut Engine) -> ContinuedSession<T> + use<T, F>
where
    F: FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>,
{
    let (session, client) = (session.clone(), OwnedBrowserContext::new(request));
    move |engine| {
        let now = client.now()?;
        let actor = Principal::Session(&session.name, &client.origin, session.id);
        let done =
            match separate_engine_error(work(engine, actor, now)).map_err(LoginError::Engine)? {
                Ok(done) => done,
                Err(error) => return Ok(Err(error)),
            };
        let opened = engine.reopen_session(&client.browser(), &session, now)?;
        Ok(Ok((done, opened)))
    }
}

/// An errand of whoever stepped up.
pub(crate) async fn run_operation(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    task: Operation,
) -> Result<ReplyBody, ActRefused> {
    let (session, client) = (step_up.session.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        let caller = shared::engine::Requester::SteppedUp(&session, &client.origin);
        let errand = CommandRequest {
            account: session.name.clone(),
            operation: task,
        };
        separate_engine_error(engine.execute_request(caller, &errand, client.now()?))
            .map_err(LoginError::Engine)
    });
    Ok(refusal::check_act(
        request,
        run.await
            .map_err(|error| refusal::refuse_unprocessed(request, &error))?,
    )?
    .answer)
}

/// What a critical act would take of whoever is here.
pub(crate) async fn required_step_up_now(
    request: &RequestContext<'_>,
) -> Result<StepUpRequirement, ActRefused> {
    step_up::required_step_up(request, &request.require_session()?).await
}

/// The page of a critical act, with what went wrong the last time.
pub(crate) async fn show_confirmation(
    request: &RequestContext<'_>,
    asked: Confirmation<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let proof = match required_step_up_now(request).await {
        Ok(proof) => proof,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let page = pages::account::ConfirmationPage {
        frame: request.frame(),
        asked: &asked,
        proof,
        message: refused.map(|refused| refused.text.as_str()),
    };
    notice::page_with_refusal(html(&page), refused)
}

/// The page after an act that ended every session: the new session's cookies, or the way to sign in.
pub(crate) fn show_sessions_ended(
    request: &RequestContext<'_>,
    step_up: Option<&StepUpProof>,
    opened: Option<&OpenedSession>,
    title: String,
    lines: &[String],
) -> HttpReply {
    match (step_up, opened) {
        (Some(step_up), Some(opened)) => step_up::with_continued_session(
            request,
            notice::show_done(request, &title, lines),
            step_up,
            opened,
        ),
        (None, Some(opened)) => {
            step_up::with_session_cookie(request, notice::show_done(request, &title, lines), opened)
        }
        (_, None) => notice::show_notice(request, StatusCode::OK, &title, lines),
    }
}
