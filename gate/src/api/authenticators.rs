//! Authenticators beside the first.

use super::account::{EndedAccountSessions, ended, proved};
use super::body::{IfAny, Needed, Nothing, Proof, text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::enrollment::{FirstCode, NewAuthenticator, new_authenticator};
use crate::web::account::ConfirmedAuthenticator;
use crate::web::login::RequestContext;
use crate::web::refusal::ActRefused;
use crate::web::step_up::FreshStepUp;
use hyper::Method;
use serde::{Deserialize, Serialize};
use shared::credential::totp::{Algorithm, OtpKind};
use shared::engine::AppPasswordsAfter;
use shared::protocol::command_request::{AuthenticatorKind, EnrollmentOperation, TypedText};
use utoipa::ToSchema;

/// What makes the account's codes.
#[derive(Serialize, ToSchema)]
struct Authenticators {
    authenticators: Vec<Authenticator>,
}

/// One of them.
#[derive(Serialize, ToSchema)]
struct Authenticator {
    /// What the person calls it; none if the administrator keeps it in a file.
    name: Option<String>,
    algorithm: HashAlgorithm,
    digits: u32,
    /// Length of a time step in seconds; none if it counts.
    period: Option<u64>,
    /// Since when, in seconds since 1970.
    since: Option<u64>,
    /// When it was last used.
    last_used: Option<u64>,
}

/// The hash of its codes.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HashAlgorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// A new one: an app's, for which a secret is made, or a token, whose seed is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddAuthenticator {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// The seed of a hardware token, hex or Base32. What stands below goes with it.
    #[schema(value_type = Option<String>)]
    secret: Option<TypedText>,
    algorithm: Option<HashAlgorithm>,
    /// 6 or 8.
    digits: Option<u32>,
    /// Length of a time step in seconds.
    period: Option<u64>,
    /// The next count of a token that counts.
    counter: Option<u64>,
    #[schema(value_type = Option<String>)]
    password: Option<TypedText>,
    #[schema(value_type = Option<String>)]
    code: Option<TypedText>,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::SignedIn;
    vec![
        Endpoint::tells(
            (Method::GET, "authenticators"),
            SignedIn,
            "Lists the account's authenticators.",
            |call, Nothing| Box::pin(list(call.guest)),
        ),
        Endpoint::tells(
            (Method::POST, "authenticators"),
            SignedIn,
            "Adds an authenticator, which its first code activates.",
            |call, Needed(given)| Box::pin(add(call.guest, given)),
        ),
        Endpoint::tells(
            (Method::POST, "authenticators/confirm"),
            SignedIn,
            "Activates an authenticator with its first code.",
            |call, Needed(given)| Box::pin(confirm(call.guest, given)),
        ),
        Endpoint::tells(
            (Method::DELETE, "authenticators/{name}"),
            SignedIn,
            "Removes an authenticator that is not the only one.",
            |call, IfAny(proof)| Box::pin(remove(call, proof)),
        ),
    ]
}

async fn list(guest: &RequestContext<'_>) -> Result<EndpointReply<Authenticators>, ActRefused> {
    let standing = guest.standing(&guest.signed_in()?).await?;
    let authenticators = standing
        .authenticators
        .into_iter()
        .map(|one| Authenticator {
            name: one.label.map(|label| label.as_str().to_owned()),
            algorithm: match one.parameters.algorithm {
                Algorithm::Sha1 => HashAlgorithm::Sha1,
                Algorithm::Sha256 => HashAlgorithm::Sha256,
                Algorithm::Sha512 => HashAlgorithm::Sha512,
            },
            digits: one.parameters.digits,
            period: match one.parameters.moving {
                OtpKind::Time { period } => Some(period),
                OtpKind::Counter => None,
            },
            since: one.created.map(|at| at.0),
            last_used: one.last_used.map(|at| at.0),
        });
    Ok(EndpointReply::saying(Authenticators {
        authenticators: authenticators.collect(),
    }))
}

async fn add(
    guest: &RequestContext<'_>,
    given: AddAuthenticator,
) -> Result<EndpointReply<NewAuthenticator>, ActRefused> {
    let name = guest.label(&given.name)?;
    let seed: String = text(given.secret).split_whitespace().collect();
    let is_described = given.algorithm.is_some()
        || given.digits.is_some()
        || given.period.is_some()
        || given.counter.is_some();
    if seed.is_empty() && is_described {
        return Err(ActRefused::unreadable(guest.t.say("seed-missing")));
    }
    let setup = EnrollmentOperation {
        kind: AuthenticatorKind::Further,
        name,
        seed: (!seed.is_empty()).then(|| seed.into()),
        counter: given.counter,
        algorithm: given.algorithm.map(|hash| match hash {
            HashAlgorithm::Sha1 => Algorithm::Sha1,
            HashAlgorithm::Sha256 => Algorithm::Sha256,
            HashAlgorithm::Sha512 => Algorithm::Sha512,
        }),
        digits: given.digits,
        period: given.period,
    };
    let proven = guest
        .prove(&FreshStepUp::from(Proof {
            password: given.password,
            code: given.code,
        }))
        .await?;
    let ticket = guest.begin_authenticator(&proven, setup).await?;
    let shown = guest.shown(&proven.session, ticket).await?;
    Ok(EndpointReply {
        reply: proved(guest, &proven),
        answer: new_authenticator(guest, shown)?,
    })
}

async fn confirm(
    guest: &RequestContext<'_>,
    given: FirstCode,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let session = guest.signed_in()?;
    // of the session as it is: the act ends it
    let proven = guest.stepped_up();
    match guest
        .confirm_authenticator(&session, given.pending, given.code)
        .await?
    {
        ConfirmedAuthenticator::Not(refusal) => Err(ActRefused::answer(guest.t, refusal)),
        ConfirmedAuthenticator::Live(opened) => Ok(ended(
            guest,
            proven.as_ref(),
            opened.as_deref(),
            AppPasswordsAfter::None,
        )),
    }
}

async fn remove(
    call: &Call<'_>,
    proof: Proof,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let guest = call.guest;
    let name = call.label()?;
    let proven = guest.prove(&FreshStepUp::from(proof)).await?;
    let opened = guest.remove_authenticator(&proven, name).await?;
    Ok(ended(
        guest,
        Some(&proven),
        opened.as_ref(),
        AppPasswordsAfter::None,
    ))
}
