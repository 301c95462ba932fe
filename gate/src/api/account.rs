//! The account at a glance, and the proof that critical acts take.

use super::body::{Needed, Nothing, Proof};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use crate::http::reply::{self, HttpReply};
use crate::web::login::RequestContext;
use crate::web::refusal::ActRefused;
use crate::web::step_up::{FreshStepUp, StepUpProof};
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
pub(super) struct EndedAccountSessions {
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
            |call, Nothing| Box::pin(account(call.guest)),
        ),
        Endpoint::does(
            (Method::POST, "step-up"),
            EndpointAccess::SignedIn,
            "Gives a proof for critical acts, which is valid for 15 minutes.",
            |call, Needed(proof)| Box::pin(step_up(call.guest, proof)),
        ),
    ]
}

async fn account(guest: &RequestContext<'_>) -> Result<EndpointReply<Account>, ActRefused> {
    let session = guest.signed_in()?;
    let (standing, proof) = (
        guest.standing(&session).await?,
        guest.proof(&session).await?,
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
        can_mail: guest.site.config.email.is_enabled(),
        has_password: guest.site.gate().first_factor == FirstFactorSource::Password,
        step_up: ProofNeeded {
            password: proof.password,
            code: proof.code,
        },
    }))
}

async fn step_up(
    guest: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<()>, ActRefused> {
    if !guest.site.url.has_own_host() {
        let text = guest.t.say("proof-not-kept");
        return Err(ActRefused::new(
            StatusCode::CONFLICT,
            "step_up_not_kept",
            text,
        ));
    }
    let proven = guest.prove(&FreshStepUp::from(proof)).await?;
    Ok(EndpointReply {
        reply: proved(guest, &proven),
        answer: (),
    })
}

/// An empty reply that remembers a proof.
pub(super) fn proved(guest: &RequestContext<'_>, proven: &StepUpProof) -> HttpReply {
    guest.with_proof(reply::bare(StatusCode::OK), proven)
}

/// After an act that ended every session: the new one's cookies.
pub(super) fn ended(
    guest: &RequestContext<'_>,
    proven: Option<&StepUpProof>,
    opened: Option<&OpenedSession>,
    after: AppPasswordsAfter,
) -> EndpointReply<EndedAccountSessions> {
    let reply = reply::bare(StatusCode::OK);
    let reply = match (proven, opened) {
        (Some(proven), Some(opened)) => guest.going_on(reply, proven, opened),
        (None, Some(opened)) => guest.with_session(reply, opened),
        (_, None) => reply,
    };
    let notices = guest.t.app_passwords(after).into_iter().collect();
    EndpointReply {
        reply,
        answer: EndedAccountSessions {
            signed_in: opened.is_some(),
            notices,
        },
    }
}
