//! Step-up: critical acts require the password and a new code, given with the act or a short time
//! before it in the same session. A sign-in with a recovery code or an administrator's one-time
//! code counts as a step-up, so that a user without the phone can set up a new authenticator at
//! once.
//!
//! On a path of the protected host no step-up is remembered, since the application's scripts have
//! the same origin as the gate there: each critical act requires its own.

use super::refusal::{ActRefused, ActResult};
use super::request::RequestContext;
use crate::check::forward_auth;
use crate::http::cookies::{MAX_SESSION_COOKIES, TokenChange, TokenChanges, scan_cookies};
use crate::http::form::Form;
use crate::live::store_pool::{PoolError, WorkKind};
use crate::observe::log;
use crate::web::account::run_act;
use crate::web::login::password;
use crate::web::passkey;
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::credential::input::Input;
use postern_shared::credential::passkey::response::AssertionResponse;
use postern_shared::crypto::password::Password;
use postern_shared::crypto::vault::TokenKeys;
use postern_shared::engine::{AfterStepUp, OpenedSession, PasskeyOptions};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::protocol::host_password::HostPasswordReply;
use postern_shared::system::clock;
use postern_shared::token::session::{SecondFactorMethod, Session};
use postern_shared::token::{PasskeyPurpose, PasskeyToken, StepUpToken};
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

    /// Returns the step-up token, for further acts.
    pub(crate) fn tokens(&self, request: &RequestContext<'_>) -> TokenChanges {
        let keys = request.site.revocation_cache.token_keys();
        TokenChanges {
            step_up: issue_step_up(request, &self.token, &keys),
            ..TokenChanges::default()
        }
    }
}

/// What a critical act requires now. Both are false for a short time after a step-up.
#[derive(Clone, Default, Serialize, ToSchema)]
#[schema(as = ProofNeeded)]
pub(crate) struct StepUpRequirement {
    pub(crate) password: bool,
    pub(crate) code: bool,
    /// Seconds until the next code, if the sign-in has used the one that the app still shows.
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) next_code: Option<u64>,
    /// The request to the account's passkeys, one of which replaces both.
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) passkey: Option<PasskeyPrompt>,
}

/// A request to the passkeys of an account, for a page.
#[derive(Clone)]
pub(crate) struct PasskeyPrompt {
    pub(crate) token: String,
    /// JSON.
    pub(crate) options: String,
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
    pub(crate) fn new(password: Option<TypedText>, code: Option<TypedText>) -> StepUpInput {
        StepUpInput { password, code }
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

/// Returns what a step-up in the session of this request requires now.
pub(crate) async fn required_step_up(request: &RequestContext<'_>) -> ActResult<StepUpRequirement> {
    let session = request.require_session()?;
    if recent_step_up(request).is_some() {
        return Ok(StepUpRequirement::default());
    }
    let next_code = seconds_to_next_code(request, &session);
    let name = session.name.clone();
    let pool = request.store_pool();
    let facts = pool
        .run(WorkKind::Plain, move |engine| {
            engine.load_policy_facts(&name)
        })
        .await;
    let facts = facts.map_err(|error| request.refuse_unprocessed(&error))?;
    Ok(StepUpRequirement {
        password: request.site.gate().first_factor != FirstFactorSource::Header,
        code: facts.enrolled == Enrolled::Yes,
        next_code,
        passkey: find_passkeys(request, session, PasskeyPurpose::StepUp).await,
    })
}

/// Returns the request to the passkeys of the session's account, if it has any that may answer it.
/// `None` where they cannot be read: the page of a step-up asks for password and code.
pub(crate) async fn find_passkeys(
    request: &RequestContext<'_>,
    session: Session,
    purpose: PasskeyPurpose,
) -> Option<PasskeyPrompt> {
    let (token, options) = request_passkey(request, session, purpose).await?;
    let options = passkey::request_options(&options).to_string();
    Some(PasskeyPrompt { token, options })
}

/// Begins a request to the passkeys of the session's account, and returns its token.
pub(crate) async fn request_passkey(
    request: &RequestContext<'_>,
    session: Session,
    purpose: PasskeyPurpose,
) -> Option<(String, PasskeyOptions)> {
    if !passkey::are_available(request) {
        return None;
    }
    let keys = request.site.revocation_cache.token_keys();
    let begun = run_act(request, session, move |engine, owner| {
        engine
            .passkeys()
            .request_in_session(owner.session, purpose, owner.now)
    });
    let (token, options) = begun.await.ok().flatten()?;
    let token = token.seal(&keys).ok()?.to_string();
    (!options.ids.is_empty()).then_some((token, options))
}

/// Returns how long the code of this session's sign-in is still shown, by the time step of new
/// authenticators. It is used, so that the user must wait for the next one.
fn seconds_to_next_code(request: &RequestContext<'_>, session: &Session) -> Option<u64> {
    let (now, period) = (
        clock::now().ok()?,
        request.site.config.totp.period.seconds(),
    );
    let is_same_step = session.issued.0 / period == now.0 / period;
    let by_code = session.passed.second == SecondFactorMethod::Code;
    (by_code && is_same_step).then_some(period - now.0 % period)
}

/// Returns the step-up of a short time ago, or verifies the one in a form.
pub(crate) async fn verify_form(
    request: &RequestContext<'_>,
    form: &Form,
) -> ActResult<StepUpProof> {
    if form.field("passkey").is_empty() {
        let (password, code) = (form.typed("password"), form.typed("code"));
        let input = StepUpInput::new(Some(password), Some(code));
        return verify_step_up(request, &input).await;
    }
    match recent_step_up(request) {
        Some(step_up) => Ok(step_up),
        None => verify_passkey(request, form.field("passkey_token"), form.field("passkey")).await,
    }
}

/// Verifies a passkey for an act in the session of this request. Its authenticator has verified the
/// user, so that it replaces password and code.
pub(crate) async fn verify_passkey(
    request: &RequestContext<'_>,
    token: &str,
    response: &str,
) -> ActResult<StepUpProof> {
    let session = request.require_session()?;
    let keys = request.site.revocation_cache.token_keys();
    let purpose = PasskeyPurpose::StepUp;
    let open = |now| PasskeyToken::open_in(token, &keys, &session, purpose, now);
    let token = clock::now().ok().and_then(open);
    let token = token.filter(|_| passkey::are_available(request));
    let refused = || ActRefused::passkey(request.language);
    let (Some(token), Some(response)) = (token, AssertionResponse::parse(response)) else {
        return Err(refused());
    };
    let step_up_session = session.clone();
    let run = request.run(move |engine, client, now| {
        let browser = client.browser();
        engine
            .login()
            .step_up_by_passkey(&browser, &step_up_session, &token, &response, now)
    });
    let verified = run
        .await
        .map_err(|error| request.refuse_unprocessed(&error))?;
    match verified {
        Some(token) => {
            request.log_sign_in(&session.name, "accepted", "step-up");
            Ok(StepUpProof { session, token })
        }
        None => {
            request.log_sign_in(&session.name, "refused", "step-up-passkey");
            Err(refused())
        }
    }
}

/// Returns the step-up of a short time ago, or verifies the one in `input`.
pub(crate) async fn verify_step_up(
    request: &RequestContext<'_>,
    input: &StepUpInput,
) -> ActResult<StepUpProof> {
    if let Some(step_up) = recent_step_up(request) {
        return Ok(step_up);
    }
    let session = request.require_session()?;
    if input.password().is_empty() && input.code().is_empty() {
        let text = request.text("step-up-required");
        return Err(ActRefused::forbidden("step_up_required", text));
    }
    let code = Input::parse(input.code().as_bytes());
    let result = match request.site.gate().first_factor {
        FirstFactorSource::Password => verify_in_store(request, &session, input, code).await,
        FirstFactorSource::Pam => verify_on_host(request, &session, input, code).await,
        FirstFactorSource::Header => {
            let session = session.clone();
            let run = request.run(move |engine, client, now| {
                engine
                    .login()
                    .step_up_by_code(&client.browser(), &session, &code, now)
            });
            run.await
        }
    };
    let language = request.language;
    let (refused, cause) = match result.map_err(|error| request.refuse_unprocessed(&error))? {
        AfterStepUp::Verified(token) => {
            request.log_sign_in(&session.name, "accepted", "step-up");
            return Ok(StepUpProof { session, token });
        }
        AfterStepUp::Password(refusal) => (
            ActRefused::password(language, refusal),
            format!("step-up-password-{refusal}"),
        ),
        AfterStepUp::Code(refusal) => (
            ActRefused::code(language, refusal),
            format!("step-up-{refusal}"),
        ),
        AfterStepUp::Unasked => {
            return Err(request.refuse_unprocessed(&password::not_asked()));
        }
        AfterStepUp::SessionEnded => (
            ActRefused::signed_out(language),
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
    let session = session.clone();
    let password = Password::from_input(Zeroizing::new(input.password().to_owned()));
    let run = request.run_in(WorkKind::Hashing, move |engine, client, now| {
        engine
            .login()
            .step_up(&client.browser(), &session, password.as_ref(), &code, now)
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
    let name = session.name.clone();
    let run = request.run(move |engine, client, now| {
        engine
            .login()
            .charge_first_factor(&client.browser(), &name, &Input::Malformed, now)
    });
    let attempt = match run.await? {
        Ok(attempt) => attempt,
        Err(refusal) => return Ok(AfterStepUp::Password(refusal)),
    };
    let pool_client = request.store_pool().client;
    let typed = input.password();
    let reply = password::check_host_password(request, &pool_client, &session.name, typed).await?;
    let reply = reply.unwrap_or_else(|why| {
        log::write_message(why);
        HostPasswordReply::NotVerified
    });
    let session = session.clone();
    let run = request.run(move |engine, client, now| {
        engine
            .login()
            .settle_step_up(&client.browser(), &session, &attempt, reply, &code, now)
    });
    run.await
}

/// Returns the tokens of the session that replaces one that an act revoked, with the same step-up
/// for its remaining time.
pub(crate) fn continued_session_tokens(
    request: &RequestContext<'_>,
    step_up: Option<&StepUpProof>,
    opened: &OpenedSession,
) -> TokenChanges {
    let (session, keys) = (&opened.session, &opened.keys);
    let same = step_up.map(|step_up| step_up.token.clone().rebind(session, keys));
    TokenChanges {
        session: Some(issue_session(opened)),
        step_up: same.and_then(|token| issue_step_up(request, &token, keys)),
        ..TokenChanges::default()
    }
}

/// Returns the tokens of a sign-in: those of its session, and of its step-up if it counts as one.
/// The token of the first factor is cleared.
pub(crate) fn sign_in_tokens(request: &RequestContext<'_>, opened: &OpenedSession) -> TokenChanges {
    let lifetime = request.site.gate().trusted_browser_lifetime.seconds();
    let browser = opened.browser_cookie.as_ref();
    let step_up = opened.step_up.as_ref();
    TokenChanges {
        session: Some(issue_session(opened)),
        login: Some(TokenChange::Cleared),
        trusted_browser: browser.map(|value| TokenChange::Issued(value.clone(), lifetime)),
        step_up: step_up.and_then(|token| issue_step_up(request, token, &opened.keys)),
        enrollment: None,
    }
}

fn issue_session(opened: &OpenedSession) -> TokenChange {
    let seconds = clock::now().map_or(0, |now| opened.session.expires.since(now));
    TokenChange::Issued(opened.session.to_cookie(&opened.keys).into(), seconds)
}

fn issue_step_up(
    request: &RequestContext<'_>,
    token: &StepUpToken,
    keys: &TokenKeys,
) -> Option<TokenChange> {
    if !request.site.url.has_own_host() {
        return None;
    }
    let seconds = token.seconds_left(clock::now().ok()?);
    // without the token the next critical act requires a new step-up
    Some(TokenChange::Issued(token.seal(keys).ok()?, seconds))
}
