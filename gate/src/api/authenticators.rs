//! Further authenticators.

use super::account::{EndedAccountSessions, sessions_ended_reply, step_up_reply};
use super::body::{Json, NoBody, OptionalJson, optional_text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointResult, endpoint, restrict};
use super::enrollment::{FirstCode, NewAuthenticator, describe_new_authenticator};
use crate::http::route_table::Route;
use crate::web::account::authenticators::{self, ConfirmedAuthenticator};
use crate::web::account::{overview, parse_label};
use crate::web::refusal::ActRefused;
use crate::web::step_up::{self, StepUpInput};
use hyper::Method;
use postern_shared::credential::otp::totp::{Algorithm, OtpKind};
use postern_shared::protocol::command_request::{
    AuthenticatorKind, EnrollmentOperation, TypedText,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The account's authenticators.
#[derive(Serialize, ToSchema)]
struct Authenticators {
    authenticators: Vec<Authenticator>,
}

/// One authenticator.
#[derive(Serialize, ToSchema)]
struct Authenticator {
    /// Absent if the authenticator is declared in a file.
    name: Option<String>,
    algorithm: HashAlgorithm,
    digits: u32,
    /// Seconds of a time step; absent for a counter.
    period: Option<u64>,
    /// When it was activated, in seconds since 1970.
    since: Option<u64>,
    /// When it was last used, in seconds since 1970.
    last_used: Option<u64>,
}

/// Hash function of the codes.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum HashAlgorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// A new authenticator: an app, for which a secret is made, or a hardware token with its seed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddAuthenticator {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Seed of a hardware token, hex or Base32. The fields below describe it.
    #[schema(value_type = Option<String>)]
    secret: Option<TypedText>,
    algorithm: Option<HashAlgorithm>,
    /// 6 or 8.
    digits: Option<u32>,
    /// Seconds of a time step.
    period: Option<u64>,
    /// Next counter of a counter-based token.
    counter: Option<u64>,
    #[schema(value_type = Option<String>)]
    password: Option<TypedText>,
    #[schema(value_type = Option<String>)]
    code: Option<TypedText>,
}

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    let endpoints = [
        endpoint(Method::GET, "authenticators", list_authenticators)
            .summary("Lists the account's authenticators."),
        endpoint(Method::POST, "authenticators", add_authenticator)
            .summary("Adds an authenticator, which its first code activates."),
        endpoint(
            Method::POST,
            "authenticators/confirm",
            confirm_authenticator,
        )
        .summary("Activates an authenticator with its first code."),
        endpoint(
            Method::DELETE,
            "authenticators/{name}",
            remove_authenticator,
        )
        .summary("Removes an authenticator that is not the only one."),
    ];
    restrict(EndpointAccess::SignedIn, endpoints)
}

async fn list_authenticators(call: &Call<'_>, _: NoBody) -> EndpointResult<Authenticators> {
    let overview = overview::read_overview(call.request).await?;
    let authenticators = overview
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
    let authenticators = authenticators.collect();
    Ok(Authenticators { authenticators }.into())
}

async fn add_authenticator(
    call: &Call<'_>,
    Json(body): Json<AddAuthenticator>,
) -> EndpointResult<NewAuthenticator> {
    let request = call.request;
    let name = parse_label(request, &body.name)?;
    let seed: String = optional_text(body.secret).split_whitespace().collect();
    let is_described = body.algorithm.is_some()
        || body.digits.is_some()
        || body.period.is_some()
        || body.counter.is_some();
    if seed.is_empty() && is_described {
        return Err(ActRefused::invalid_value(request.text("seed-missing")).into());
    }
    let operation = EnrollmentOperation {
        kind: AuthenticatorKind::Further,
        name,
        seed: (!seed.is_empty()).then(|| seed.into()),
        counter: body.counter,
        algorithm: body.algorithm.map(|hash| match hash {
            HashAlgorithm::Sha1 => Algorithm::Sha1,
            HashAlgorithm::Sha256 => Algorithm::Sha256,
            HashAlgorithm::Sha512 => Algorithm::Sha512,
        }),
        digits: body.digits,
        period: body.period,
    };
    let input = StepUpInput::new(body.password, body.code);
    let step_up = step_up::verify_step_up(request, &input).await?;
    let shown = authenticators::begin_authenticator(request, &step_up, operation).await?;
    Ok(step_up_reply(
        call,
        &step_up,
        describe_new_authenticator(request, shown)?,
    ))
}

async fn confirm_authenticator(
    call: &Call<'_>,
    Json(body): Json<FirstCode>,
) -> EndpointResult<EndedAccountSessions> {
    let request = call.request;
    let FirstCode { pending, code } = body;
    match authenticators::confirm_authenticator(request, pending, code).await? {
        ConfirmedAuthenticator::Refused(refusal) => {
            Err(ActRefused::code(request.language, refusal).into())
        }
        ConfirmedAuthenticator::Activated(ended) => Ok(sessions_ended_reply(call, &ended)),
    }
}

async fn remove_authenticator(
    call: &Call<'_>,
    OptionalJson(input): OptionalJson<StepUpInput>,
) -> EndpointResult<EndedAccountSessions> {
    let name = call.label_argument()?;
    let step_up = step_up::verify_step_up(call.request, &input).await?;
    let ended = authenticators::remove_authenticator(call.request, step_up, name).await?;
    Ok(sessions_ended_reply(call, &ended))
}
