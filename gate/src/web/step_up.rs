//! Critical acts take more than a session: the password again and a fresh code, given with the act or a short time
//! before it in the same session. A sign-in with a recovery code, or with an administrator's one-time code, counts as
//! such a proof, so that whoever lost the phone can mend that at once.
//!
//! On a path of the protected host no proof is remembered, since the application's scripts share the gate's origin
//! there: each critical act takes its own.

use super::refusal::ActRefused;
use super::request::{OwnedBrowserContext, RequestContext};
use crate::check::forward_auth;
use crate::http::cookies::{MAX_SESSION_COOKIES, scan_cookies};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use crate::observe::log;
use crate::web::login::password;
use crate::web::refusal;
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
pub(crate) struct StepUpRequirement {
    pub(crate) password: bool,
    pub(crate) code: bool,
}

/// A proof as typed.
pub(crate) struct StepUpInput {
    pub(crate) password: Zeroizing<String>,
    pub(crate) code: Zeroizing<String>,
}

impl StepUpInput {
    /// In the fields of a form.
    pub(crate) fn of(form: &Form) -> StepUpInput {
        let field = |name| Zeroizing::new(form.field(name).to_owned());
        StepUpInput {
            password: field("password"),
            code: field("code"),
        }
    }

    fn is_nothing(&self) -> bool {
        self.password.is_empty() && self.code.is_empty()
    }
}

/// Whether what opened a session is proof enough for critical acts.
pub(crate) fn counts_as_step_up(request: &RequestContext<'_>, opened: &OpenedSession) -> bool {
    request.site.url.has_own_host() && opened.step_up.is_some()
}

/// Adds the proof to the page that follows.
pub(crate) fn with_step_up_of_sign_in(
    request: &RequestContext<'_>,
    page: HttpReply,
    opened: &OpenedSession,
) -> HttpReply {
    match &opened.step_up {
        Some(token) => with_sealed_token(request, page, token, &opened.keys),
        None => page,
    }
}

/// The session, if a fresh proof was given in it.
pub(crate) fn recent_step_up(request: &RequestContext<'_>) -> Option<StepUpProof> {
    let (session, now) = (request.session()?, clock::now().ok()?);
    // it is for this session alone, so that one is as good as another
    let line = forward_auth::cookie_line(request.headers).ok()?;
    let values = scan_cookies(line.as_bytes(), request.site.cookies.names.step_up).values;
    let keys = request.site.revocation_cache.token_keys();
    let open_step_up = |value| StepUpToken::open_step_up(value, &keys, &session, now);
    let ticket = values
        .into_iter()
        .take(MAX_SESSION_COOKIES)
        .find_map(open_step_up)?;
    request
        .site
        .url
        .has_own_host()
        .then_some(StepUpProof { session, ticket })
}

/// What a proof in this session takes now.
pub(crate) async fn required_step_up(
    request: &RequestContext<'_>,
    session: &Session,
) -> Result<StepUpRequirement, ActRefused> {
    if recent_step_up(request).is_some() {
        return Ok(StepUpRequirement::default());
    }
    let name = session.name.clone();
    let known = request
        .store_pool()
        .with_engine(move |engine| engine.load_policy_facts(&name))
        .await;
    let known = known.map_err(|error| refusal::refuse_unprocessed(request, &error))?;
    Ok(StepUpRequirement {
        password: request.site.gate().first_factor != FirstFactorSource::Header,
        code: known.enrolled == Enrolled::Yes,
    })
}

/// A proof: the one given a short time ago, or the one given now.
pub(crate) async fn verify_step_up(
    request: &RequestContext<'_>,
    fresh: &StepUpInput,
) -> Result<StepUpProof, ActRefused> {
    if let Some(step_up) = recent_step_up(request) {
        return Ok(step_up);
    }
    let session = request
        .session()
        .ok_or_else(|| ActRefused::signed_out(request.t))?;
    if fresh.is_nothing() {
        return Err(ActRefused::step_up_required(request.t));
    }
    let answer = Input::parse(fresh.code.as_bytes());
    let judged = match request.site.gate().first_factor {
        FirstFactorSource::Password => verify_in_store(request, &session, fresh, answer).await,
        FirstFactorSource::Pam => verify_on_host(request, &session, fresh, answer).await,
        FirstFactorSource::Header => {
            let (whose, client) = (session.clone(), OwnedBrowserContext::new(request));
            let run = request.store_pool().with_engine(move |engine| {
                engine.step_up_by_code(&client.browser(), &whose, &answer, client.now()?)
            });
            run.await
        }
    };
    let (refused, cause) =
        match judged.map_err(|error| refusal::refuse_unprocessed(request, &error))? {
            AfterStepUp::Verified(ticket) => {
                request.log_sign_in(&session.name, "accepted", "step-up");
                return Ok(StepUpProof { session, ticket });
            }
            AfterStepUp::Password(refusal) => (
                ActRefused::password(request.t, refusal),
                format!("step-up-password-{refusal}"),
            ),
            AfterStepUp::Code(refusal) => (
                ActRefused::answer(request.t, refusal),
                format!("step-up-{refusal}"),
            ),
            AfterStepUp::Unasked => {
                let why = "postern-password did not ask PAM; its log says why".to_owned();
                return Err(refusal::refuse_unprocessed(
                    request,
                    &PoolError::Failed {
                        cause: "password-unavailable",
                        why,
                    },
                ));
            }
            AfterStepUp::SessionEnded => (
                ActRefused::signed_out(request.t),
                "step-up-session-over".to_owned(),
            ),
        };
    request.log_sign_in(&session.name, "refused", &cause);
    Err(refused)
}

async fn verify_in_store(
    request: &RequestContext<'_>,
    session: &Session,
    fresh: &StepUpInput,
    answer: Input,
) -> Result<AfterStepUp, PoolError> {
    let (whose, client) = (session.clone(), OwnedBrowserContext::new(request));
    let password = Password::from_input(fresh.password.clone());
    let run = request.store_pool().with_hashing_engine(move |engine| {
        engine.step_up(
            &client.browser(),
            &whose,
            password.as_ref(),
            &answer,
            client.now()?,
        )
    });
    run.await
}

/// As at the sign-in, the host is asked between two doors.
async fn verify_on_host(
    request: &RequestContext<'_>,
    session: &Session,
    fresh: &StepUpInput,
    answer: Input,
) -> Result<AfterStepUp, PoolError> {
    let (name, client) = (session.name.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.charge_first_factor(&client.browser(), &name, &Input::Malformed, client.now()?)
    });
    let tried = match run.await? {
        Ok(tried) => tried,
        Err(refusal) => return Ok(AfterStepUp::Password(refusal)),
    };
    let said = password::check_host_password(
        request,
        &request.store_pool().client,
        &session.name,
        &fresh.password,
    )
    .await?;
    let said = said.unwrap_or_else(|why| {
        log::write_message(why);
        HostPasswordReply::NotVerified
    });
    let (whose, client) = (session.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.settle_step_up(
            &client.browser(),
            &whose,
            &tried,
            said,
            &answer,
            client.now()?,
        )
    });
    run.await
}

/// Remembers a proof that was given with an act.
pub(crate) fn with_step_up_cookie(
    request: &RequestContext<'_>,
    page: HttpReply,
    step_up: &StepUpProof,
) -> HttpReply {
    with_sealed_token(
        request,
        page,
        &step_up.ticket,
        &request.site.revocation_cache.token_keys(),
    )
}

/// The session that goes on after an act that ended all, with the same proof for the time that is seconds_left.
pub(crate) fn with_continued_session(
    request: &RequestContext<'_>,
    page: HttpReply,
    step_up: &StepUpProof,
    opened: &OpenedSession,
) -> HttpReply {
    with_sealed_token(
        request,
        with_session_cookie(request, page, opened),
        &step_up
            .ticket
            .clone()
            .going_on(&opened.session, &opened.keys),
        &opened.keys,
    )
}

/// The session that begins.
pub(crate) fn with_session_cookie(
    request: &RequestContext<'_>,
    page: HttpReply,
    opened: &OpenedSession,
) -> HttpReply {
    let seconds = clock::now().map_or(0, |now| opened.session.expires.since(now));
    let value = opened.session.to_cookie(&opened.keys);
    reply::with_cookie(page, &request.site.cookies.session_cookie(&value, seconds))
}

fn with_sealed_token(
    request: &RequestContext<'_>,
    page: HttpReply,
    ticket: &StepUpToken,
    keys: &shared::crypto::vault::TokenKeys,
) -> HttpReply {
    let (Ok(now), true) = (clock::now(), request.site.url.has_own_host()) else {
        return page;
    };
    match ticket.seal(keys) {
        Ok(value) => {
            let cookies = &request.site.cookies;
            reply::with_cookie(
                page,
                &cookies.strict_cookie(cookies.names.step_up, &value, ticket.seconds_left(now)),
            )
        }
        // asked again next time
        Err(_) => page,
    }
}
