//! The account at a glance, and the proof that critical acts take.

use super::body::{NoBody, Proof, RequiredBody};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use crate::http::reply::{self, HttpReply};
use crate::web::account::overview;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::{StepUpInput, StepUpProof};
use hyper::{Method, StatusCode};
use serde::Serialize;
use shared::config::gate::FirstFactorSource;
use shared::engine::{AppPasswordsAfter, OpenedSession};
use shared::protocol::status::SecondFactorState;
use utoipa::ToSchema;

/// How an account stands.
#[derive(Serialize, ToSchema)]
struct Account {
    user: String,
    second_factor: SecondFactor,
    /// Since when, in seconds since 1970.
    since: Option<u64>,
    authenticators: usize,
    recovery_codes: u64,
    app_passwords: usize,
    sessions: usize,
    browsers: usize,
    /// Whether codes can be mailed.
    can_mail: bool,
    /// Whether the password is Postern's and can be changed here.
    has_password: bool,
    step_up: ProofNeeded,
}

/// The second factor.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SecondFactor {
    Off,
    On,
    /// The administrator keeps it in a file; nothing of it can be changed here.
    Declared,
}

/// What a critical act would take now.
#[derive(Serialize, ToSchema)]
struct ProofNeeded {
    password: bool,
    code: bool,
}

/// What an act has ended beside what it was for: every other session, and every trusted browser.
#[derive(Serialize, ToSchema)]
pub(super) struct EndedSessions {
    /// Whether this session goes on; a new cookie comes along.
    signed_in: bool,
    /// What became of the app passwords.
    notices: Vec<String>,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::tells(
            (Method::GET, "account"),
            EndpointAccess::SignedIn,
            "Returns the state of the account.",
            |call, NoBody| Box::pin(account(call.request)),
        ),
        Endpoint::does(
            (Method::POST, "step-up"),
            EndpointAccess::SignedIn,
            "Gives a proof for critical acts, which is valid for 15 minutes.",
            |call, RequiredBody(proof)| Box::pin(step_up(call.request, proof)),
        ),
    ]
}

async fn account(request: &RequestContext<'_>) -> Result<EndpointReply<Account>, ActRefused> {
    let session = request.require_session()?;
    let (standing, proof) = (
        overview::read_overview(request, &session).await?,
        step_up::required_step_up(request, &session).await?,
    );
    Ok(EndpointReply::saying(Account {
        user: session.name.to_string(),
        second_factor: match standing.status.state {
            SecondFactorState::Off => SecondFactor::Off,
            SecondFactorState::On => SecondFactor::On,
            SecondFactorState::Declared => SecondFactor::Declared,
        },
        since: standing.status.tally.since.map(|since| since.0),
        authenticators: standing.authenticators.len(),
        recovery_codes: standing.status.tally.recovery_codes,
        app_passwords: standing.app_passwords,
        sessions: standing.sessions,
        browsers: standing.browsers,
        can_mail: request.site.config.email.is_enabled(),
        has_password: request.site.gate().first_factor == FirstFactorSource::Password,
        step_up: ProofNeeded {
            password: proof.password,
            code: proof.code,
        },
    }))
}

async fn step_up(
    request: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<()>, ActRefused> {
    if !request.site.url.has_own_host() {
        let text = request.t.say("proof-not-kept");
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "step_up_not_kept",
            text,
        ));
    }
    let step_up = step_up::verify_step_up(request, &StepUpInput::from(proof)).await?;
    Ok(EndpointReply {
        reply: proved(request, &step_up),
        answer: (),
    })
}

/// An empty reply that remembers a proof.
pub(super) fn proved(request: &RequestContext<'_>, step_up: &StepUpProof) -> HttpReply {
    step_up::with_step_up_cookie(request, reply::bare(StatusCode::OK), step_up)
}

/// After an act that ended every session: the new one's cookies.
pub(super) fn ended(
    request: &RequestContext<'_>,
    step_up: Option<&StepUpProof>,
    opened: Option<&OpenedSession>,
    after: AppPasswordsAfter,
) -> EndpointReply<EndedSessions> {
    let reply = reply::bare(StatusCode::OK);
    let reply = match (step_up, opened) {
        (Some(step_up), Some(opened)) => {
            step_up::with_continued_session(request, reply, step_up, opened)
        }
        (None, Some(opened)) => step_up::with_session_cookie(request, reply, opened),
        (_, None) => reply,
    };
    let notices = request.t.app_passwords(after).into_iter().collect();
    EndpointReply {
        reply,
        answer: EndedSessions {
            signed_in: opened.is_some(),
            notices,
        },
    }
}
