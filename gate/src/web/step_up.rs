//! Critical acts take more than a session: the password again and a fresh code, given with the act or a short time
//! before it in the same session. A sign-in with a recovery code, or with an administrator's one-time code, counts as
//! such a proof, so that whoever lost the phone can mend that at once.
//!
//! On a path of the protected host no proof is remembered, since the application's scripts share the gate's origin
//! there: each critical act takes its own.

use super::login::{LoginRequest, RequestContext};
use super::refusal::ActRefused;
use crate::check::forward_auth;
use crate::http::cookies::{MAX_SESSION_COOKIES, scan_cookies};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::observe::log;
use hyper::StatusCode;
use shared::account::second_factor::Enrolled;
use shared::config::gate::FirstFactorSource;
use shared::credential::input::Input;
use shared::crypto::password::Password;
use shared::engine::{AfterStepUp, OpenedSession};
use shared::protocol::host_password::HostPasswordReply;
use shared::system::clock;
use shared::token::StepUpToken;
use shared::token::session::Session;
use zeroize::Zeroizing;

/// A session in which its person proved themselves afresh. Only this file makes one.
pub(crate) struct StepUpProof {
    pub(crate) session: Session,
    ticket: StepUpToken,
}

impl StepUpProof {
    /// What proves it.
    pub(crate) fn token(&self) -> &StepUpToken {
        &self.ticket
    }
}

/// What a proof would take; nothing, if one was given a short time ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StepUpInput {
    pub(crate) password: bool,
    pub(crate) code: bool,
}

/// A proof as typed.
pub(crate) struct FreshStepUp {
    pub(crate) password: Zeroizing<String>,
    pub(crate) code: Zeroizing<String>,
}

impl FreshStepUp {
    /// In the fields of a form.
    pub(crate) fn of(form: &Form) -> FreshStepUp {
        let field = |name| Zeroizing::new(form.field(name).to_owned());
        FreshStepUp {
            password: field("password"),
            code: field("code"),
        }
    }

    fn is_nothing(&self) -> bool {
        self.password.is_empty() && self.code.is_empty()
    }
}

impl RequestContext<'_> {
    /// Whether what opened a session is proof enough for critical acts.
    pub(crate) fn steps_up(&self, opened: &OpenedSession) -> bool {
        self.site.url.has_own_host() && opened.step_up.is_some()
    }

    /// Adds the proof to the page that follows.
    pub(crate) fn with_step_up(&self, page: HttpReply, opened: &OpenedSession) -> HttpReply {
        match &opened.step_up {
            Some(token) => self.remembering(page, token, &opened.keys),
            None => page,
        }
    }

    /// The session, if a fresh proof was given in it.
    pub(crate) fn stepped_up(&self) -> Option<StepUpProof> {
        let (session, now) = (self.session()?, clock::now().ok()?);
        // it is for this session alone, so that one is as good as another
        let line = forward_auth::cookie_line(self.headers).ok()?;
        let values = scan_cookies(line.as_bytes(), self.site.cookies.names.step_up).values;
        let keys = self.site.revocation_cache.token_keys();
        let read = |value| StepUpToken::read(value, &keys, &session, now);
        let ticket = values
            .into_iter()
            .take(MAX_SESSION_COOKIES)
            .find_map(read)?;
        self.site
            .url
            .has_own_host()
            .then_some(StepUpProof { session, ticket })
    }

    /// What a proof in this session takes now.
    pub(crate) async fn proof(&self, session: &Session) -> Result<StepUpInput, ActRefused> {
        if self.stepped_up().is_some() {
            return Ok(StepUpInput::default());
        }
        let name = session.name.clone();
        let known = self
            .judge()
            .with_engine(move |door| door.load_policy_facts(&name))
            .await;
        let known = known.map_err(|error| self.not_run(&error))?;
        Ok(StepUpInput {
            password: self.site.gate().first_factor != FirstFactorSource::Header,
            code: known.enrolled == Enrolled::Yes,
        })
    }

    /// A proof: the one given a short time ago, or the one given now.
    pub(crate) async fn prove(&self, fresh: &FreshStepUp) -> Result<StepUpProof, ActRefused> {
        if let Some(proven) = self.stepped_up() {
            return Ok(proven);
        }
        let session = self
            .session()
            .ok_or_else(|| ActRefused::signed_out(self.t))?;
        if fresh.is_nothing() {
            return Err(ActRefused::step_up_required(self.t));
        }
        let answer = Input::read(fresh.code.as_bytes());
        let judged = match self.site.gate().first_factor {
            FirstFactorSource::Password => self.ask_store_again(&session, fresh, answer).await,
            FirstFactorSource::Pam => self.ask_host_again(&session, fresh, answer).await,
            FirstFactorSource::Header => {
                let (whose, visit) = (session.clone(), LoginRequest::of(self));
                let run = self.judge().with_engine(move |door| {
                    door.step_up_by_code(&visit.browser(), &whose, &answer, visit.now()?)
                });
                run.await
            }
        };
        let (refused, cause) = match judged.map_err(|error| self.not_run(&error))? {
            AfterStepUp::Verified(ticket) => {
                self.log(&session.name, "accepted", "step-up");
                return Ok(StepUpProof { session, ticket });
            }
            AfterStepUp::Password(refusal) => (
                ActRefused::password(self.t, refusal),
                format!("step-up-password-{refusal}"),
            ),
            AfterStepUp::Code(refusal) => (
                ActRefused::answer(self.t, refusal),
                format!("step-up-{refusal}"),
            ),
            AfterStepUp::Unasked => {
                let why = "postern-password did not ask PAM; its log says why".to_owned();
                return Err(self.not_run(&PoolError::Failed {
                    cause: "password-unavailable",
                    why,
                }));
            }
            AfterStepUp::SessionEnded => (
                ActRefused::signed_out(self.t),
                "step-up-session-over".to_owned(),
            ),
        };
        self.log(&session.name, "refused", &cause);
        Err(refused)
    }

    async fn ask_store_again(
        &self,
        session: &Session,
        fresh: &FreshStepUp,
        answer: Input,
    ) -> Result<AfterStepUp, PoolError> {
        let (whose, visit) = (session.clone(), LoginRequest::of(self));
        let password = Password::typed(fresh.password.clone());
        let run = self.judge().with_hashing_engine(move |door| {
            door.step_up(
                &visit.browser(),
                &whose,
                password.as_ref(),
                &answer,
                visit.now()?,
            )
        });
        run.await
    }

    /// As at the sign-in, the host is asked between two doors.
    async fn ask_host_again(
        &self,
        session: &Session,
        fresh: &FreshStepUp,
        answer: Input,
    ) -> Result<AfterStepUp, PoolError> {
        let (name, visit) = (session.name.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            door.charge_first_factor(&visit.browser(), &name, &Input::Unfit, visit.now()?)
        });
        let tried = match run.await? {
            Ok(tried) => tried,
            Err(refusal) => return Ok(AfterStepUp::Password(refusal)),
        };
        let said = self
            .host_says(&self.judge().client, &session.name, &fresh.password)
            .await?;
        let said = said.unwrap_or_else(|why| {
            log::write_message(why);
            HostPasswordReply::Unasked
        });
        let (whose, visit) = (session.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            door.settle_step_up(
                &visit.browser(),
                &whose,
                &tried,
                said,
                &answer,
                visit.now()?,
            )
        });
        run.await
    }

    /// Remembers a proof that was given with an act.
    pub(crate) fn with_proof(&self, page: HttpReply, proven: &StepUpProof) -> HttpReply {
        self.remembering(
            page,
            &proven.ticket,
            &self.site.revocation_cache.token_keys(),
        )
    }

    /// The session that goes on after an act that ended all, with the same proof for the time that is left.
    pub(crate) fn going_on(
        &self,
        page: HttpReply,
        proven: &StepUpProof,
        opened: &OpenedSession,
    ) -> HttpReply {
        self.remembering(
            self.with_session(page, opened),
            &proven
                .ticket
                .clone()
                .going_on(&opened.session, &opened.keys),
            &opened.keys,
        )
    }

    /// The session that begins.
    pub(crate) fn with_session(&self, page: HttpReply, opened: &OpenedSession) -> HttpReply {
        let seconds = clock::now().map_or(0, |now| opened.session.expires.since(now));
        let value = opened.session.to_cookie(&opened.keys);
        reply::with_cookie(page, &self.site.cookies.session_cookie(&value, seconds))
    }

    fn remembering(
        &self,
        page: HttpReply,
        ticket: &StepUpToken,
        keys: &shared::crypto::vault::TokenKeys,
    ) -> HttpReply {
        let (Ok(now), true) = (clock::now(), self.site.url.has_own_host()) else {
            return page;
        };
        match ticket.seal(keys) {
            Ok(value) => {
                let jar = &self.site.cookies;
                reply::with_cookie(
                    page,
                    &jar.strict_cookie(jar.names.step_up, &value, ticket.left(now)),
                )
            }
            // asked again next time
            Err(_) => page,
        }
    }

    /// What no door could judge: the log says why.
    pub(crate) fn not_run(&self, error: &PoolError) -> ActRefused {
        if let PoolError::Failed { cause, why } = error {
            log::event("refused")
                .with("cause", cause)
                .with("address", self.address)
                .write_with_message(why);
        }
        ActRefused::not_judged(self.t, error)
    }

    /// For a request that no page made.
    pub(crate) fn refused(&self, refused: &ActRefused) -> HttpReply {
        if refused.status == StatusCode::UNAUTHORIZED {
            return reply::see_other(&self.at("sign-in"));
        }
        let page = self.notice(
            refused.status,
            &self.t.say("act-failed-title"),
            std::slice::from_ref(&refused.text),
        );
        match refused.retry_after {
            Some(wait) => reply::with_retry_after(page, wait),
            None => page,
        }
    }
}
