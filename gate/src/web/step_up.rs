//! Step-up: critical acts require the password and a new code, given with the act or a short time
//! before it in the same session. A sign-in with a recovery code or an administrator's one-time
//! code counts as a step-up, so that a user without the phone can set up a new authenticator at
//! once.
//!
//! On a path of the protected host no step-up is remembered, since the application's scripts have
//! the same origin as the gate there: each critical act requires its own.

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
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::credential::input::Input;
use postern_shared::crypto::password::Password;
use postern_shared::engine::{AfterStepUp, OpenedSession};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::protocol::host_password::HostPasswordReply;
use postern_shared::system::clock;
use postern_shared::token::StepUpToken;
use postern_shared::token::session::Session;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// A session with a valid step-up. Only this file makes one, so that a critical act cannot forget
/// to ask for it.
pub(crate) struct StepUpProof {
    pub(crate) session: Session,
    token: StepUpToken,
}

impl StepUpProof {
    pub(crate) fn token(&self) -> &StepUpToken {
        &self.token
    }
}

/// What a critical act requires now. Both are false for a short time after a step-up.
#[derive(Clone, Copy, Default, Serialize, ToSchema)]
#[schema(as = ProofNeeded)]
pub(crate) struct StepUpRequirement {
    pub(crate) password: bool,
    pub(crate) code: bool,
}

/// The account's own password and a new code. Neither is required for 15 minutes after a step-up
/// in the same session, where the gate has a host of its own.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Proof)]
pub(crate) struct StepUpInput {
    #[schema(value_type = Option<String>)]
    pub(crate) password: Option<TypedText>,
    #[schema(value_type = Option<String>)]
    pub(crate) code: Option<TypedText>,
}

impl StepUpInput {
    pub(crate) fn from_form(form: &Form) -> StepUpInput {
        let field = |name| Some(TypedText::from(form.field(name).to_owned()));
        StepUpInput {
            password: field("password"),
            code: field("code"),
        }
    }

    fn password(&self) -> &str {
        self.password.as_deref().unwrap_or_default()
    }

    fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }
}

/// Whether the sign-in that opened a session counts as a step-up.
pub(crate) fn counts_as_step_up(request: &RequestContext<'_>, opened: &OpenedSession) -> bool {
    request.site.url.has_own_host() && opened.step_up.is_some()
}

/// Adds the step-up cookie of a sign-in, if the sign-in counts as a step-up.
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

/// Returns the session with its step-up, if the request has a valid one.
pub(crate) fn recent_step_up(request: &RequestContext<'_>) -> Option<StepUpProof> {
    let (session, now) = (request.session()?, clock::now().ok()?);
    // a step-up token is valid for this session only, so any valid one of several will do
    let line = forward_auth::cookie_line(request.headers).ok()?;
    let values = scan_cookies(line.as_bytes(), request.site.cookies.names.step_up).values;
    let keys = request.site.revocation_cache.token_keys();
    let open = |value| StepUpToken::open_step_up(value, &keys, &session, now);
    let token = values
        .into_iter()
        .take(MAX_SESSION_COOKIES)
        .find_map(open)?;
    request
        .site
        .url
        .has_own_host()
        .then_some(StepUpProof { session, token })
}

/// Returns what a step-up in this session requires now.
pub(crate) async fn required_step_up(
    request: &RequestContext<'_>,
    session: &Session,
) -> Result<StepUpRequirement, ActRefused> {
    if recent_step_up(request).is_some() {
        return Ok(StepUpRequirement::default());
    }
    let name = session.name.clone();
    let facts = request
        .store_pool()
        .with_engine(move |engine| engine.load_policy_facts(&name))
        .await;
    let facts = facts.map_err(|error| refusal::refuse_unprocessed(request, &error))?;
    Ok(StepUpRequirement {
        password: request.site.gate().first_factor != FirstFactorSource::Header,
        code: facts.enrolled == Enrolled::Yes,
    })
}

/// Returns the step-up of a short time ago, or verifies the one in `input`.
pub(crate) async fn verify_step_up(
    request: &RequestContext<'_>,
    input: &StepUpInput,
) -> Result<StepUpProof, ActRefused> {
    if let Some(step_up) = recent_step_up(request) {
        return Ok(step_up);
    }
    let session = request
        .session()
        .ok_or_else(|| ActRefused::signed_out(request.language))?;
    if input.password().is_empty() && input.code().is_empty() {
        return Err(ActRefused::step_up_required(request.language));
    }
    let code = Input::parse(input.code().as_bytes());
    let result = match request.site.gate().first_factor {
        FirstFactorSource::Password => verify_in_store(request, &session, input, code).await,
        FirstFactorSource::Pam => verify_on_host(request, &session, input, code).await,
        FirstFactorSource::Header => {
            let (account_session, client) = (session.clone(), OwnedBrowserContext::new(request));
            let run = request.store_pool().with_engine(move |engine| {
                engine.login().step_up_by_code(
                    &client.browser(),
                    &account_session,
                    &code,
                    client.now()?,
                )
            });
            run.await
        }
    };
    let (refused, cause) =
        match result.map_err(|error| refusal::refuse_unprocessed(request, &error))? {
            AfterStepUp::Verified(token) => {
                request.log_sign_in(&session.name, "accepted", "step-up");
                return Ok(StepUpProof { session, token });
            }
            AfterStepUp::Password(refusal) => (
                ActRefused::password(request.language, refusal),
                format!("step-up-password-{refusal}"),
            ),
            AfterStepUp::Code(refusal) => (
                ActRefused::code(request.language, refusal),
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
                ActRefused::signed_out(request.language),
                "step-up-session-over".to_owned(),
            ),
        };
    request.log_sign_in(&session.name, "refused", &cause);
    Err(refused)
}

async fn verify_in_store(
    request: &RequestContext<'_>,
    session: &Session,
    input: &StepUpInput,
    code: Input,
) -> Result<AfterStepUp, PoolError> {
    let (account_session, client) = (session.clone(), OwnedBrowserContext::new(request));
    let password = Password::from_input(Zeroizing::new(input.password().to_owned()));
    let run = request.store_pool().with_hashing_engine(move |engine| {
        engine.login().step_up(
            &client.browser(),
            &account_session,
            password.as_ref(),
            &code,
            client.now()?,
        )
    });
    run.await
}

/// Verifies the password by PAM. As at sign-in, no worker thread is occupied while PAM is asked.
async fn verify_on_host(
    request: &RequestContext<'_>,
    session: &Session,
    input: &StepUpInput,
    code: Input,
) -> Result<AfterStepUp, PoolError> {
    let (name, client) = (session.name.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.login().charge_first_factor(
            &client.browser(),
            &name,
            &Input::Malformed,
            client.now()?,
        )
    });
    let attempt = match run.await? {
        Ok(attempt) => attempt,
        Err(refusal) => return Ok(AfterStepUp::Password(refusal)),
    };
    let reply = password::check_host_password(
        request,
        &request.store_pool().client,
        &session.name,
        input.password(),
    )
    .await?;
    let reply = reply.unwrap_or_else(|why| {
        log::write_message(why);
        HostPasswordReply::NotVerified
    });
    let (account_session, client) = (session.clone(), OwnedBrowserContext::new(request));
    let run = request.store_pool().with_engine(move |engine| {
        engine.login().settle_step_up(
            &client.browser(),
            &account_session,
            &attempt,
            reply,
            &code,
            client.now()?,
        )
    });
    run.await
}

/// Adds the step-up cookie to a reply.
pub(crate) fn with_step_up_cookie(
    request: &RequestContext<'_>,
    page: HttpReply,
    step_up: &StepUpProof,
) -> HttpReply {
    with_sealed_token(
        request,
        page,
        &step_up.token,
        &request.site.revocation_cache.token_keys(),
    )
}

/// Adds the cookie of the session that replaces one that an act revoked, and the same step-up for
/// its remaining time.
pub(crate) fn with_continued_session(
    request: &RequestContext<'_>,
    page: HttpReply,
    step_up: &StepUpProof,
    opened: &OpenedSession,
) -> HttpReply {
    with_sealed_token(
        request,
        with_session_cookie(request, page, opened),
        &step_up.token.clone().rebind(&opened.session, &opened.keys),
        &opened.keys,
    )
}

/// Adds the session cookie of a new session.
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
    token: &StepUpToken,
    keys: &postern_shared::crypto::vault::TokenKeys,
) -> HttpReply {
    let (Ok(now), true) = (clock::now(), request.site.url.has_own_host()) else {
        return page;
    };
    match token.seal(keys) {
        Ok(value) => {
            let cookies = &request.site.cookies;
            reply::with_cookie(
                page,
                &cookies.strict_cookie(cookies.names.step_up, &value, token.seconds_left(now)),
            )
        }
        // without the cookie the next critical act requires a new step-up
        Err(_) => page,
    }
}
