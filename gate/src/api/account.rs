//! The account at a glance, and the proof that critical acts take.

use super::body::{Needed, Nothing, Proof};
use super::endpoint::{Access, Done, Endpoint};
use crate::http::reply::{self, Reply};
use crate::web::login::Guest;
use crate::web::refusal::Refused;
use crate::web::step_up::{Fresh, Proven};
use hyper::{Method, StatusCode};
use serde::Serialize;
use shared::config::gate::FirstFactor;
use shared::engine::{AppPasswordsAfter, Opened};
use shared::protocol::status::State;
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
pub(super) struct Ended {
    /// Whether this session goes on; a new cookie comes along.
    signed_in: bool,
    /// What became of the app passwords.
    notices: Vec<String>,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::tells(
            (Method::GET, "account"),
            Access::SignedIn,
            "Returns the state of the account.",
            |call, Nothing| Box::pin(account(call.guest)),
        ),
        Endpoint::does(
            (Method::POST, "step-up"),
            Access::SignedIn,
            "Gives a proof for critical acts, which is valid for 15 minutes.",
            |call, Needed(proof)| Box::pin(step_up(call.guest, proof)),
        ),
    ]
}

async fn account(guest: &Guest<'_>) -> Result<Done<Account>, Refused> {
    let session = guest.signed_in()?;
    let (standing, proof) = (
        guest.standing(&session).await?,
        guest.proof(&session).await?,
    );
    Ok(Done::saying(Account {
        user: session.name.to_string(),
        second_factor: match standing.status.state {
            State::Off => SecondFactor::Off,
            State::On => SecondFactor::On,
            State::Declared => SecondFactor::Declared,
        },
        since: standing.status.tally.since.map(|since| since.0),
        authenticators: standing.authenticators.len(),
        recovery_codes: standing.status.tally.recovery_codes,
        app_passwords: standing.app_passwords,
        sessions: standing.sessions,
        browsers: standing.browsers,
        can_mail: guest.site.config.email.is_on(),
        has_password: guest.site.gate().first_factor == FirstFactor::Password,
        step_up: ProofNeeded {
            password: proof.password,
            code: proof.code,
        },
    }))
}

async fn step_up(guest: &Guest<'_>, proof: Proof) -> Result<Done<()>, Refused> {
    if !guest.site.url.has_own_host() {
        let text = guest.t.say("proof-not-kept");
        return Err(Refused::new(StatusCode::CONFLICT, "step_up_not_kept", text));
    }
    let proven = guest.prove(&Fresh::from(proof)).await?;
    Ok(Done {
        reply: proved(guest, &proven),
        answer: (),
    })
}

/// An empty reply that remembers a proof.
pub(super) fn proved(guest: &Guest<'_>, proven: &Proven) -> Reply {
    guest.with_proof(reply::bare(StatusCode::OK), proven)
}

/// After an act that ended every session: the new one's cookies.
pub(super) fn ended(
    guest: &Guest<'_>,
    proven: Option<&Proven>,
    opened: Option<&Opened>,
    after: AppPasswordsAfter,
) -> Done<Ended> {
    let reply = reply::bare(StatusCode::OK);
    let reply = match (proven, opened) {
        (Some(proven), Some(opened)) => guest.going_on(reply, proven, opened),
        (None, Some(opened)) => guest.with_session(reply, opened),
        (_, None) => reply,
    };
    let notices = guest.t.app_passwords(after).into_iter().collect();
    Done {
        reply,
        answer: Ended {
            signed_in: opened.is_some(),
            notices,
        },
    }
}
