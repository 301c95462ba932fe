//! Further authenticators.

use super::account::{EndedAccountSessions, sessions_ended_reply, step_up_reply};
use super::body::{NoBody, OptionalBody, RequiredBody, optional_text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::enrollment::{FirstCode, NewAuthenticator, describe_new_authenticator};
use crate::web::account::ConfirmedAuthenticator;
use crate::web::account::app_passwords;
use crate::web::account::authenticators;
use crate::web::account::overview;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::StepUpInput;
use hyper::Method;
use postern_shared::credential::totp::{Algorithm, OtpKind};
use postern_shared::engine::AppPasswordsAfter;
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

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::SignedIn;
    vec![
        Endpoint::with_answer(
            (Method::GET, "authenticators"),
            SignedIn,
            "Lists the account's authenticators.",
            |call, NoBody| Box::pin(list_authenticators(call.request)),
        ),
        Endpoint::with_answer(
            (Method::POST, "authenticators"),
            SignedIn,
            "Adds an authenticator, which its first code activates.",
            |call, RequiredBody(body)| Box::pin(add_authenticator(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::POST, "authenticators/confirm"),
            SignedIn,
            "Activates an authenticator with its first code.",
            |call, RequiredBody(body)| Box::pin(confirm_authenticator(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::DELETE, "authenticators/{name}"),
            SignedIn,
            "Removes an authenticator that is not the only one.",
            |call, OptionalBody(input)| Box::pin(remove_authenticator(call, input)),
        ),
    ]
}

async fn list_authenticators(
    request: &RequestContext<'_>,
) -> Result<EndpointReply<Authenticators>, ActRefused> {
    let overview = overview::read_overview(request, &request.require_session()?).await?;
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
    Ok(EndpointReply::new(Authenticators {
        authenticators: authenticators.collect(),
    }))
}

async fn add_authenticator(
    request: &RequestContext<'_>,
    body: AddAuthenticator,
) -> Result<EndpointReply<NewAuthenticator>, ActRefused> {
    let name = app_passwords::parse_label(request, &body.name)?;
    let seed: String = optional_text(body.secret).split_whitespace().collect();
    let is_described = body.algorithm.is_some()
        || body.digits.is_some()
        || body.period.is_some()
        || body.counter.is_some();
    if seed.is_empty() && is_described {
        return Err(ActRefused::invalid_value(
            request.language.text("seed-missing"),
        ));
    }
    let setup = EnrollmentOperation {
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
    let step_up = step_up::verify_step_up(
        request,
        &StepUpInput {
            password: body.password,
            code: body.code,
        },
    )
    .await?;
    let token = authenticators::begin_authenticator(request, &step_up, setup).await?;
    let shown =
        authenticators::find_pending_authenticator(request, &step_up.session, token).await?;
    Ok(EndpointReply {
        reply: step_up_reply(request, &step_up),
        answer: describe_new_authenticator(request, shown)?,
    })
}

async fn confirm_authenticator(
    request: &RequestContext<'_>,
    body: FirstCode,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let session = request.require_session()?;
    // read before the act, which revokes the session
    let step_up = step_up::recent_step_up(request);
    match authenticators::confirm_authenticator(request, &session, body.pending, body.code).await? {
        ConfirmedAuthenticator::Refused(refusal) => {
            Err(ActRefused::code(request.language, refusal))
        }
        ConfirmedAuthenticator::Activated(opened) => Ok(sessions_ended_reply(
            request,
            step_up.as_ref(),
            opened.as_deref(),
            AppPasswordsAfter::None,
        )),
    }
}

async fn remove_authenticator(
    call: &Call<'_>,
    input: StepUpInput,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let request = call.request;
    let name = call.label_argument()?;
    let step_up = step_up::verify_step_up(request, &input).await?;
    let opened = authenticators::remove_authenticator(request, &step_up, name).await?;
    Ok(sessions_ended_reply(
        request,
        Some(&step_up),
        opened.as_ref(),
        AppPasswordsAfter::None,
    ))
}
