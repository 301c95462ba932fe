//! A person's own account at the gate: how it stands, and what they change of it. Each room has the acts, which the
//! pages and the API share, and the pages. What is critical takes a [`Proven`].

mod app_passwords;
mod authenticators;
mod email;
mod overview;
mod password;
mod recovery_codes;
mod second_factor;
mod sessions;

pub(crate) use app_passwords::CreatedAppPassword;
pub(crate) use authenticators::ConfirmedAuthenticator;

use super::login::{LoginRequest, RequestContext};
use super::pages::account::StepUpQuestion;
use super::pages::{self, html};
use super::refusal::ActRefused;
use super::step_up::{StepUpInput, StepUpProof};
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::separate_engine_error;
use crate::observe::log;
use hyper::StatusCode;
use shared::engine::{AdministrationError, Engine, LoginError, OpenedSession, Principal};
use shared::protocol::command_request::{CommandRequest, Operation, ReplyBody};
use shared::system::clock::Timestamp;
use shared::token::session::Session;

/// What comes of an act, and the session that goes on after it.
type ContinuedSession<T> =
    Result<Result<(T, Option<OpenedSession>), AdministrationError>, LoginError>;

impl RequestContext<'_> {
    /// Runs an act of this session's at a door.
    pub(crate) async fn act<T: Send + 'static>(
        &self,
        session: &Session,
        work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
        + Send
        + 'static,
    ) -> Result<T, ActRefused> {
        let (session, visit) = (session.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            let now = visit.now()?;
            let actor = Principal::Session(&session.name, &visit.origin, session.id);
            separate_engine_error(work(door, actor, now)).map_err(LoginError::Engine)
        });
        self.came_of(run.await.map_err(|error| self.not_run(&error))?)
    }

    /// The same of an act that ends every session of the account: this browser goes on in a new one.
    pub(crate) async fn act_and_go_on<T: Send + 'static>(
        &self,
        session: &Session,
        work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
        + Send
        + 'static,
    ) -> Result<(T, Option<OpenedSession>), ActRefused> {
        let run = self.judge().with_engine(self.and_go_on(session, work));
        self.came_of(run.await.map_err(|error| self.not_run(&error))?)
    }

    /// The same of an act that hashes a password.
    pub(crate) async fn hash_and_go_on<T: Send + 'static>(
        &self,
        session: &Session,
        work: impl FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>
        + Send
        + 'static,
    ) -> Result<(T, Option<OpenedSession>), ActRefused> {
        let run = self
            .judge()
            .with_hashing_engine(self.and_go_on(session, work));
        self.came_of(run.await.map_err(|error| self.not_run(&error))?)
    }

    fn and_go_on<T, F>(
        &self,
        session: &Session,
        work: F,
    ) -> impl FnOnce(&mut Engine) -> ContinuedSession<T> + use<T, F>
    where
        F: FnOnce(&mut Engine, Principal<'_>, Timestamp) -> Result<T, AdministrationError>,
    {
        let (session, visit) = (session.clone(), LoginRequest::of(self));
        move |door| {
            let now = visit.now()?;
            let actor = Principal::Session(&session.name, &visit.origin, session.id);
            let done =
                match separate_engine_error(work(door, actor, now)).map_err(LoginError::Engine)? {
                    Ok(done) => done,
                    Err(error) => return Ok(Err(error)),
                };
            let opened = door.reopen_session(&visit.browser(), &session, now)?;
            Ok(Ok((done, opened)))
        }
    }

    /// An errand of whoever stepped up.
    pub(crate) async fn errand(
        &self,
        proven: &StepUpProof,
        task: Operation,
    ) -> Result<ReplyBody, ActRefused> {
        let (session, visit) = (proven.session.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            let caller = shared::engine::Requester::SteppedUp(&session, &visit.origin);
            let errand = CommandRequest {
                account: session.name.clone(),
                task,
            };
            separate_engine_error(door.run_errand(caller, &errand, visit.now()?))
                .map_err(LoginError::Engine)
        });
        Ok(self
            .came_of(run.await.map_err(|error| self.not_run(&error))?)?
            .answer)
    }

    fn came_of<T>(&self, done: Result<T, AdministrationError>) -> Result<T, ActRefused> {
        done.map_err(|error| {
            let refused = ActRefused::act(self.t, &error);
            let line = log::event("refused")
                .with("cause", refused.code)
                .with("address", self.address);
            line.write_with_message(&error);
            refused
        })
    }

    /// The session, for pages of somebody's account.
    pub(crate) fn signed_in(&self) -> Result<Session, ActRefused> {
        self.session().ok_or_else(|| ActRefused::signed_out(self.t))
    }

    /// What a critical act would take of whoever is here.
    pub(crate) async fn asks_for_proof(&self) -> Result<StepUpInput, ActRefused> {
        self.proof(&self.signed_in()?).await
    }

    /// The page of a critical act, with what went wrong the last time.
    pub(crate) async fn ask(
        &self,
        asked: StepUpQuestion<'_>,
        refused: Option<&ActRefused>,
    ) -> HttpReply {
        let proof = match self.asks_for_proof().await {
            Ok(proof) => proof,
            Err(refused) => return self.refused(&refused),
        };
        let page = pages::account::Ask {
            frame: self.frame(),
            asked: &asked,
            proof,
            message: refused.map(|refused| refused.text.as_str()),
        };
        self.page_after(html(&page), refused)
    }

    /// A page of the account, with the status of what went wrong on it.
    pub(crate) fn page_after(&self, html: String, refused: Option<&ActRefused>) -> HttpReply {
        let page = reply::page(
            refused.map_or(StatusCode::OK, |refused| refused.status),
            html,
        );
        match refused.and_then(|refused| refused.retry_after) {
            Some(wait) => reply::with_retry_after(page, wait),
            None => page,
        }
    }

    /// What was done, and the way back to the account.
    pub(crate) fn done(&self, title: String, lines: &[String]) -> HttpReply {
        let home = self.at("");
        let page = pages::NoticePage {
            frame: self.frame(),
            title: &title,
            lines,
            link: Some((&home, self.t.say("to-account"))),
            signed_in: false,
            stepped_up: false,
        };
        reply::page(StatusCode::OK, html(&page))
    }

    /// The page after an act that ended every session: the new session's cookies, or the way to sign in.
    pub(crate) fn after_end(
        &self,
        proven: Option<&StepUpProof>,
        opened: Option<&OpenedSession>,
        title: String,
        lines: &[String],
    ) -> HttpReply {
        match (proven, opened) {
            (Some(proven), Some(opened)) => self.going_on(self.done(title, lines), proven, opened),
            (None, Some(opened)) => self.with_session(self.done(title, lines), opened),
            (_, None) => self.notice(StatusCode::OK, &title, lines),
        }
    }
}
