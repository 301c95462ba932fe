//! Authenticators beside the first.

use super::account::{EndedSessions, ended, proved};
use super::body::{NoBody, OptionalBody, Proof, RequiredBody, text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::enrollment::{FirstCode, NewAuthenticator, new_authenticator};
use crate::web::account::ConfirmedAuthenticator;
use crate::web::account::app_passwords;
use crate::web::account::authenticators;
use crate::web::account::overview;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::StepUpInput;
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
            |call, NoBody| Box::pin(list(call.request)),
        ),
        Endpoint::tells(
            (Method::POST, "authenticators"),
            SignedIn,
            "Adds an authenticator, which its first code activates.",
            |call, RequiredBody(given)| Box::pin(add(call.request, given)),
        ),
        Endpoint::tells(
            (Method::POST, "authenticators/confirm"),
            SignedIn,
            "Activates an authenticator with its first code.",
            |call, RequiredBody(given)| Box::pin(confirm(call.request, given)),
        ),
        Endpoint::tells(
            (Method::DELETE, "authenticators/{name}"),
            SignedIn,
            "Removes an authenticator that is not the only one.",
            |call, OptionalBody(proof)| Box::pin(remove(call, proof)),
        ),
    ]
}

async fn list(request: &RequestContext<'_>) -> Result<EndpointReply<Authenticators>, ActRefused> {
    let standing = overview::read_overview(request, &request.require_session()?).await?;
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
    request: &RequestContext<'_>,
    given: AddAuthenticator,
) -> Result<EndpointReply<NewAuthenticator>, ActRefused> {
    let name = app_passwords::parse_label(request, &given.name)?;
    let seed: String = text(given.secret).split_whitespace().collect();
    let is_described = given.algorithm.is_some()
        || given.digits.is_some()
        || given.period.is_some()
        || given.counter.is_some();
    if seed.is_empty() && is_described {
        return Err(ActRefused::unreadable(request.t.say("seed-missing")));
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
    let step_up = step_up::verify_step_up(
        request,
        &StepUpInput::from(Proof {
            password: given.password,
            code: given.code,
        }),
    )
    .await?;
    let ticket = authenticators::begin_authenticator(request, &step_up, setup).await?;
    let shown =
        authenticators::find_pending_authenticator(request, &step_up.session, ticket).await?;
    Ok(EndpointReply {
        reply: proved(request, &step_up),
        answer: new_authenticator(request, shown)?,
    })
}

async fn confirm(
    request: &RequestContext<'_>,
    given: FirstCode,
) -> Result<EndpointReply<EndedSessions>, ActRefused> {
    let session = request.require_session()?;
    // of the session as it is: the act ends it
    let step_up = step_up::recent_step_up(request);
    match authenticators::confirm_authenticator(request, &session, given.pending, given.code)
        .await?
    {
        ConfirmedAuthenticator::Not(refusal) => Err(ActRefused::answer(request.t, refusal)),
        ConfirmedAuthenticator::Live(opened) => Ok(ended(
            request,
            step_up.as_ref(),
            opened.as_deref(),
            AppPasswordsAfter::None,
        )),
    }
}

async fn remove(call: &Call<'_>, proof: Proof) -> Result<EndpointReply<EndedSessions>, ActRefused> {
    let request = call.request;
    let name = call.label()?;
    let step_up = step_up::verify_step_up(request, &StepUpInput::from(proof)).await?;
    let opened = authenticators::remove_authenticator(request, &step_up, name).await?;
    Ok(ended(
        request,
        Some(&step_up),
        opened.as_ref(),
        AppPasswordsAfter::None,
    ))
}
