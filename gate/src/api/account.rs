//! The state of the account, and step-up.

use super::body::{Json, NoBody};
use super::endpoint::{
    Call, Done, Endpoint, EndpointAccess, EndpointReply, EndpointResult, endpoint, restrict,
};
use crate::http::route_table::Route;
use crate::web::account::{ContinuedSession, overview};
use crate::web::passkey::request_options;
use crate::web::refusal::{ActRefused, ActResult};
use crate::web::step_up::{self, StepUpInput, StepUpProof, StepUpRequirement};
use hyper::Method;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::protocol::status::SecondFactorState;
use postern_shared::token::PasskeyPurpose;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// State of the account.
#[derive(Serialize, ToSchema)]
struct Account {
    user: String,
    second_factor: SecondFactor,
    /// When the second factor was turned on, in seconds since 1970.
    since: Option<u64>,
    authenticators: usize,
    recovery_codes: u64,
    app_passwords: usize,
    sessions: usize,
    browsers: usize,
    /// Whether codes can be mailed.
    can_mail: bool,
    /// Whether Postern keeps the password, so that it can be changed here.
    has_password: bool,
    step_up: StepUpRequirement,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SecondFactor {
    Off,
    On,
    /// The authenticator is declared in a file, and cannot be changed here.
    Declared,
}

/// Result of an act that revoked every other session and every trusted browser.
#[derive(Serialize, ToSchema)]
pub(super) struct EndedAccountSessions {
    /// Whether this session continues, with a new cookie.
    signed_in: bool,
    /// What happened to the app passwords.
    notices: Vec<String>,
}

/// A request to the account's passkeys, for a step-up.
#[derive(Serialize, ToSchema)]
struct PasskeyStepUpRequest {
    /// For the request that completes it, within 10 minutes and once; absent if no passkey of the
    /// account can replace password and code.
    token: Option<String>,
    /// For `navigator.credentials.get`; absent as well.
    #[schema(value_type = Option<Object>)]
    options: Option<Value>,
}

/// A passkey in the place of password and code. Its authenticator verifies its user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasskeyStepUp {
    token: String,
    /// What `navigator.credentials.get` returned.
    #[schema(value_type = Object)]
    credential: Value,
}

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    let endpoints = [
        endpoint(Method::GET, "account", read_account).summary("Returns the state of the account."),
        endpoint(Method::POST, "step-up", submit_step_up)
            .summary("Gives a proof for critical acts, which is valid for 15 minutes."),
        endpoint(Method::POST, "step-up/passkey/request", request_passkey)
            .summary("Asks for a passkey in the place of password and code."),
        endpoint(Method::POST, "step-up/passkey", submit_passkey)
            .summary("Gives the same proof by a passkey alone."),
    ];
    restrict(EndpointAccess::SignedIn, endpoints)
}

async fn read_account(call: &Call<'_>, _: NoBody) -> EndpointResult<Account> {
    let request = call.request;
    let session = request.require_session()?;
    let (overview, step_up) = (
        overview::read_overview(request).await?,
        step_up::required_step_up(request).await?,
    );
    let (state, tally) = (overview.status.state, overview.status.tally);
    let account = Account {
        user: session.name.to_string(),
        second_factor: match state {
            SecondFactorState::Off => SecondFactor::Off,
            SecondFactorState::On => SecondFactor::On,
            SecondFactorState::Declared => SecondFactor::Declared,
        },
        since: tally.since.map(|since| since.0),
        authenticators: overview.authenticators.len(),
        recovery_codes: tally.recovery_codes,
        app_passwords: overview.app_passwords,
        sessions: overview.sessions,
        browsers: overview.browsers,
        can_mail: request.site.config.email.is_enabled(),
        has_password: request.site.gate().first_factor == FirstFactorSource::Password,
        step_up,
    };
    Ok(account.into())
}

/// Refuses where no step-up is remembered.
fn refuse_not_kept(call: &Call<'_>) -> ActResult<()> {
    if call.request.site.url.has_own_host() {
        return Ok(());
    }
    let text = call.request.text("proof-not-kept");
    Err(ActRefused::conflict("step_up_not_kept", text))
}

async fn request_passkey(call: &Call<'_>, _: NoBody) -> EndpointResult<PasskeyStepUpRequest> {
    refuse_not_kept(call)?;
    let request = call.request;
    let session = request.require_session()?;
    let begun = step_up::request_passkey(request, session, PasskeyPurpose::StepUp).await;
    let (token, options) = begun.unzip();
    let options = options.as_ref().map(request_options);
    Ok(PasskeyStepUpRequest { token, options }.into())
}

async fn submit_passkey(call: &Call<'_>, Json(body): Json<PasskeyStepUp>) -> EndpointResult<Done> {
    refuse_not_kept(call)?;
    let credential = body.credential.to_string();
    let step_up = step_up::verify_passkey(call.request, &body.token, &credential).await?;
    Ok(step_up_reply(call, &step_up, Done {}))
}

async fn submit_step_up(call: &Call<'_>, input: Json<StepUpInput>) -> EndpointResult<Done> {
    refuse_not_kept(call)?;
    let step_up = step_up::verify_step_up(call.request, &input.0).await?;
    Ok(step_up_reply(call, &step_up, Done {}))
}

/// Returns an answer with the step-up token.
pub(super) fn step_up_reply<A>(
    call: &Call<'_>,
    step_up: &StepUpProof,
    answer: A,
) -> EndpointReply<A> {
    let tokens = step_up.tokens(call.request);
    EndpointReply { answer, tokens }
}

/// Returns the result of an act that revoked every session, with the tokens of the new one.
pub(super) fn sessions_ended_reply(
    call: &Call<'_>,
    ended: &ContinuedSession,
) -> EndpointReply<EndedAccountSessions> {
    let notices = call.request.language.app_passwords(ended.app_passwords);
    let answer = EndedAccountSessions {
        signed_in: ended.is_signed_in(),
        notices: notices.into_iter().collect(),
    };
    let tokens = ended.tokens(call.request);
    EndpointReply { answer, tokens }
}
