//! An account's own pages: its state, and what its owner can change. Each file has the acts, which
//! pages and API share, and the pages. Critical acts require a [`StepUpProof`].

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
use postern_shared::engine::{
    AdministrationError, Engine, LoginError, OpenedSession, Principal, Requester,
};
use postern_shared::protocol::command_request::{
    ChangeOperation, CommandRequest, Operation, ReplyBody,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::Session;
use postern_shared::verify::origin::Origin;

/// Result of an act, with the session that replaces the one of the request.
type ContinuedSession<T> =
    Result<Result<(T, Option<OpenedSession>), AdministrationError>, LoginError>;

/// Runs work for a session's owner on a worker thread.
pub(crate) async fn run_work<T: Send + 'static>(
    request: &RequestContext<'_>,
    session: &Session,
    work: impl FnOnce(&mut Engine, &Session, &Origin, Timestamp) -> Result<T, AdministrationError>
    + Send
    + 'static,
) -> Result<T, ActRefused> {
    let (session, client) = (session.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        let result = work(engine, &session, &client.origin, client.now()?);
        separate_engine_error(result).map_err(LoginError::Engine)
    });
    refusal::check_act(request, run.await)
}

/// Runs an act whose principal is the session's owner.
pub(crate) async fn run_act<T: Send + 'static>(
    request: &RequestContext<'_>,
    session: &Session,
    work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
    + Send
    + 'static,
) -> Result<T, ActRefused> {
    run_work(request, session, |engine, session, origin, now| {
        let principal = Principal::Session(&session.name, origin, session.id);
        work(engine, principal, now)
    })
    .await
}

/// Runs an act that revokes every session of the account, and opens a new session for this browser.
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
    refusal::check_act(request, run.await)
}

/// The same for an act that hashes a password.
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
    refusal::check_act(request, run.await)
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
        let principal = Principal::Session(&session.name, &client.origin, session.id);
        let done = match separate_engine_error(work(engine, principal, now))
            .map_err(LoginError::Engine)?
        {
            Ok(done) => done,
            Err(error) => return Ok(Err(error)),
        };
        let opened = engine
            .login()
            .reopen_session(&client.browser(), &session, now)?;
        Ok(Ok((done, opened)))
    }
}

/// Runs an operation that requires a step-up.
pub(crate) async fn run_change(
    request: &RequestContext<'_>,
    step_up: &StepUpProof,
    change: ChangeOperation,
) -> Result<ReplyBody, ActRefused> {
    let operation = Operation::Change { code: None, change };
    run_operation(request, &step_up.session, operation).await
}

/// Runs an operation of a session's owner. A change requires [`run_change`].
pub(crate) async fn run_operation(
    request: &RequestContext<'_>,
    session: &Session,
    operation: Operation,
) -> Result<ReplyBody, ActRefused> {
    let reply = run_work(request, session, |engine, session, origin, now| {
        let command = CommandRequest {
            account: session.name.clone(),
            operation,
        };
        engine
            .commands()
            .execute_request(Requester::SteppedUp(session, origin), &command, now)
    });
    Ok(reply.await?.answer)
}

/// Returns what a step-up in the session of this request requires now.
pub(crate) async fn required_step_up_now(
    request: &RequestContext<'_>,
) -> Result<StepUpRequirement, ActRefused> {
    step_up::required_step_up(request, &request.require_session()?).await
}

/// Renders the page that confirms a critical act, with the refusal of the attempt before.
pub(crate) async fn show_confirmation(
    request: &RequestContext<'_>,
    confirmation: Confirmation<'_>,
    refused: Option<&ActRefused>,
) -> HttpReply {
    let step_up = match required_step_up_now(request).await {
        Ok(step_up) => step_up,
        Err(refused) => return notice::show_refusal(request, &refused),
    };
    let page = pages::account::ConfirmationPage {
        frame: request.frame(),
        confirmation: &confirmation,
        step_up,
        message: refused.map(|refused| refused.text.as_str()),
    };
    notice::page_with_refusal(html(&page), refused)
}

/// Renders the result of an act that revoked every session: with the cookies of the new session, or
/// with a link to the sign-in page.
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
