//! An account's own pages: its state, and what its owner can change. Each file has the acts, which
//! pages and API share, and the pages. Critical acts require a [`StepUpProof`].

pub(crate) mod app_passwords;
pub(crate) mod authenticators;
pub(crate) mod email;
pub(crate) mod language;
pub(crate) mod overview;
pub(crate) mod passkey_code;
pub(crate) mod passkeys;
pub(crate) mod password;
pub(crate) mod recovery_codes;
pub(crate) mod second_factor;
pub(crate) mod sessions;

use super::pages::account::{Confirmation, ConfirmationPage};
use super::refusal::{ActRefused, ActResult, PageForm, PageResult};
use super::request::{OwnedBrowserContext, RequestContext};
use super::step_up::{self, StepUpProof};
use crate::http::cookies::TokenChanges;
use crate::http::reply::HttpReply;
use crate::live::store_pool::{WorkKind, separate_engine_error};
use crate::web::notice;
use hyper::StatusCode;
use postern_shared::account::name::{Label, UserName};
use postern_shared::engine::{
    AdministrationError, AppPasswordsAfter, Engine, LoginError, OpenedSession, Principal,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::Session;
use postern_shared::verify::origin::Origin;

/// A session's owner at work, on a worker thread.
pub(crate) struct Owner<'a> {
    pub(crate) session: &'a Session,
    client: &'a OwnedBrowserContext,
    pub(crate) now: Timestamp,
}

impl<'a> Owner<'a> {
    fn new(session: &'a Session, client: &'a OwnedBrowserContext, now: Timestamp) -> Owner<'a> {
        Owner {
            session,
            client,
            now,
        }
    }

    pub(crate) fn name(&self) -> &UserName {
        &self.session.name
    }

    pub(crate) fn principal(&self) -> Principal<'_> {
        Principal::SignedIn(self.session, &self.client.origin)
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.client.origin
    }

    /// Opens a new session for this browser, after an act that revoked every session.
    fn reopen_session(&self, engine: &mut Engine) -> Result<Option<OpenedSession>, LoginError> {
        engine
            .login()
            .reopen_session(&self.client.browser(), self.session, self.now)
    }
}

/// Result of an act that revoked every session of the account, and every trusted browser.
pub(crate) struct ContinuedSession {
    /// Step-up of the request, before its session was revoked.
    step_up: Option<StepUpProof>,
    /// The session that replaces the one of the request, if it continues.
    opened: Option<OpenedSession>,
    pub(crate) app_passwords: AppPasswordsAfter,
}

impl ContinuedSession {
    pub(crate) fn is_signed_in(&self) -> bool {
        self.opened.is_some()
    }

    pub(crate) fn tokens(&self, request: &RequestContext<'_>) -> TokenChanges {
        let (step_up, opened) = (self.step_up.as_ref(), self.opened.as_ref());
        opened.map_or_else(TokenChanges::default, |opened| {
            step_up::continued_session_tokens(request, step_up, opened)
        })
    }
}

/// Runs an act of the session's owner on a worker thread. A critical act MUST pass the session of
/// its [`StepUpProof`], since the request may have another valid one by now.
pub(crate) async fn run_act<T: Send + 'static>(
    request: &RequestContext<'_>,
    session: Session,
    work: impl FnOnce(&mut Engine, &Owner<'_>) -> Result<T, AdministrationError> + Send + 'static,
) -> ActResult<T> {
    let run = request.run(move |engine, client, now| {
        let owner = Owner::new(&session, client, now);
        separate_engine_error(work(engine, &owner))
    });
    request.check_act(run.await)
}

/// Runs an act that revokes every session of the account, and opens a new session for this browser.
/// `step_up` is that of the request, if it has one; the act runs in its session.
pub(crate) async fn run_act_and_continue<T: Send + 'static>(
    request: &RequestContext<'_>,
    kind: WorkKind,
    step_up: Option<StepUpProof>,
    work: impl FnOnce(&mut Engine, &Owner<'_>) -> Result<(T, AppPasswordsAfter), AdministrationError>
    + Send
    + 'static,
) -> ActResult<(T, ContinuedSession)> {
    let session = match &step_up {
        Some(proof) => proof.session.clone(),
        None => request.require_session()?,
    };
    let run = request.run_in(kind, move |engine, client, now| {
        let owner = Owner::new(&session, client, now);
        Ok::<_, LoginError>(match separate_engine_error(work(engine, &owner))? {
            Ok(done) => Ok((done, owner.reopen_session(engine)?)),
            Err(error) => Err(error),
        })
    });
    let ((done, app_passwords), opened) = request.check_act(run.await)?;
    Ok((
        done,
        ContinuedSession {
            step_up,
            opened,
            app_passwords,
        },
    ))
}

/// Parses a name of an authenticator or an app password.
pub(crate) fn parse_label(request: &RequestContext<'_>, text: &str) -> ActResult<Label> {
    let invalid = |_| ActRefused::invalid_value(request.text("name-invalid"));
    text.trim().parse().map_err(invalid)
}

/// Renders the page that confirms a critical act, with the refusal of the attempt before.
pub(crate) async fn show_confirmation(
    request: &RequestContext<'_>,
    confirmation: Confirmation,
    form: &PageForm,
) -> PageResult {
    let page = ConfirmationPage {
        frame: request.frame(form.message()),
        confirmation: &confirmation,
        step_up: step_up::required_step_up(request).await?,
    };
    Ok(notice::page_with_refusal(&page, form))
}

/// Renders the result of an act that revoked every session: with the tokens of the new session, or
/// with a link to the sign-in page.
pub(crate) fn show_sessions_ended(
    request: &RequestContext<'_>,
    ended: &ContinuedSession,
    [title, line]: [String; 2],
) -> HttpReply {
    let notice = request.language.app_passwords(ended.app_passwords);
    let lines: Vec<String> = std::iter::once(line).chain(notice).collect();
    match ended.is_signed_in() {
        true => request.with_tokens(
            notice::show_done(request, &title, &lines),
            &ended.tokens(request),
        ),
        false => notice::show_notice(request, StatusCode::OK, &title, &lines),
    }
}
