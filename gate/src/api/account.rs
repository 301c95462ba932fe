//! The state of the account, and step-up.

use super::body::{NoBody, RequiredBody};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use crate::http::reply::{self, HttpReply};
use crate::web::account::overview;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::{StepUpInput, StepUpProof, StepUpRequirement};
use hyper::{Method, StatusCode};
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::engine::{AppPasswordsAfter, OpenedSession};
use postern_shared::protocol::status::SecondFactorState;
use serde::Serialize;
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

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::with_answer(
            (Method::GET, "account"),
            EndpointAccess::SignedIn,
            "Returns the state of the account.",
            |call, NoBody| Box::pin(read_account(call.request)),
        ),
        Endpoint::without_answer(
            (Method::POST, "step-up"),
            EndpointAccess::SignedIn,
            "Gives a proof for critical acts, which is valid for 15 minutes.",
            |call, RequiredBody(input)| Box::pin(submit_step_up(call.request, input)),
        ),
    ]
}

async fn read_account(request: &RequestContext<'_>) -> Result<EndpointReply<Account>, ActRefused> {
    let session = request.require_session()?;
    let (overview, step_up) = (
        overview::read_overview(request, &session).await?,
        step_up::required_step_up(request, &session).await?,
    );
    Ok(EndpointReply::new(Account {
        user: session.name.to_string(),
        second_factor: match overview.status.state {
            SecondFactorState::Off => SecondFactor::Off,
            SecondFactorState::On => SecondFactor::On,
            SecondFactorState::Declared => SecondFactor::Declared,
        },
        since: overview.status.tally.since.map(|since| since.0),
        authenticators: overview.authenticators.len(),
        recovery_codes: overview.status.tally.recovery_codes,
        app_passwords: overview.app_passwords,
        sessions: overview.sessions,
        browsers: overview.browsers,
        can_mail: request.site.config.email.is_enabled(),
        has_password: request.site.gate().first_factor == FirstFactorSource::Password,
        step_up,
    }))
}

async fn submit_step_up(
    request: &RequestContext<'_>,
    input: StepUpInput,
) -> Result<EndpointReply<()>, ActRefused> {
    if !request.site.url.has_own_host() {
        let text = request.language.text("proof-not-kept");
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "step_up_not_kept",
            text,
        ));
    }
    let step_up = step_up::verify_step_up(request, &input).await?;
    Ok(EndpointReply {
        reply: step_up_reply(request, &step_up),
        answer: (),
    })
}

/// Returns an empty reply with the step-up cookie.
pub(super) fn step_up_reply(request: &RequestContext<'_>, step_up: &StepUpProof) -> HttpReply {
    step_up::with_step_up_cookie(request, reply::bare(StatusCode::OK), step_up)
}

/// Returns the result of an act that revoked every session, with the cookies of the new one.
pub(super) fn sessions_ended_reply(
    request: &RequestContext<'_>,
    step_up: Option<&StepUpProof>,
    opened: Option<&OpenedSession>,
    after: AppPasswordsAfter,
) -> EndpointReply<EndedAccountSessions> {
    let reply = reply::bare(StatusCode::OK);
    let reply = match (step_up, opened) {
        (Some(step_up), Some(opened)) => {
            step_up::with_continued_session(request, reply, step_up, opened)
        }
        (None, Some(opened)) => step_up::with_session_cookie(request, reply, opened),
        (_, None) => reply,
    };
    let notices = request.language.app_passwords(after).into_iter().collect();
    EndpointReply {
        reply,
        answer: EndedAccountSessions {
            signed_in: opened.is_some(),
            notices,
        },
    }
}
