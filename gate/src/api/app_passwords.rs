//! App passwords, for programs that can show no page.

use super::account::proved;
use super::body::{NoBody, Proof, RequiredBody};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use crate::web::account::AppPasswordRequest;
use crate::web::account::app_passwords;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::StepUpInput;
use hyper::Method;
use serde::{Deserialize, Serialize};
use shared::credential::scope::{AppPasswordScope, ScopeError};
use shared::protocol::command_request::TypedText;
use shared::system::clock::Timestamp;
use utoipa::ToSchema;

/// The account's.
#[derive(Serialize, ToSchema)]
struct AppPasswords {
    app_passwords: Vec<AppPasswordState>,
}

/// One of them.
#[derive(Serialize, ToSchema)]
struct AppPasswordState {
    name: String,
    /// Where it is good.
    scope: Vec<String>,
    /// When it was made, in seconds since 1970.
    created: u64,
    /// When it ends by itself.
    expires: Option<u64>,
    /// The minute of its last use.
    last_used: Option<u64>,
}

/// A new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddAppPassword {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Where it is to be good: `pam:SERVICE`, `web:HOST/PATH METHOD,…`, or the name of a scope of the gate's.
    scope: Vec<String>,
    /// When it is to end by itself, in seconds since 1970.
    expires: Option<u64>,
    #[schema(value_type = Option<String>)]
    password: Option<TypedText>,
    #[schema(value_type = Option<String>)]
    code: Option<TypedText>,
}

/// The new one, said this once.
#[derive(Serialize, ToSchema)]
struct MadeAppPassword {
    name: String,
    #[schema(value_type = String)]
    app_password: TypedText,
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rename {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::SignedIn;
    vec![
        Endpoint::tells(
            (Method::GET, "app-passwords"),
            SignedIn,
            "Lists the account's app passwords.",
            |call, NoBody| Box::pin(list(call.request)),
        ),
        Endpoint::tells(
            (Method::POST, "app-passwords"),
            SignedIn,
            "Makes an app password.",
            |call, RequiredBody(given)| Box::pin(add(call.request, given)),
        ),
        Endpoint::does(
            (Method::PATCH, "app-passwords/{name}"),
            SignedIn,
            "Renames an app password.",
            |call, RequiredBody(given)| Box::pin(rename(call, given)),
        ),
        Endpoint::does(
            (Method::DELETE, "app-passwords/{name}"),
            SignedIn,
            "Revokes an app password.",
            |call, NoBody| Box::pin(revoke(call)),
        ),
    ]
}

async fn list(request: &RequestContext<'_>) -> Result<EndpointReply<AppPasswords>, ActRefused> {
    let all = app_passwords::list_app_passwords(request, &request.require_session()?).await?;
    let app_passwords = all.into_iter().map(|one| AppPasswordState {
        name: one.name.as_str().to_owned(),
        scope: one.scope.terms().iter().map(ToString::to_string).collect(),
        created: one.created.0,
        expires: one.expires.map(|at| at.0),
        last_used: one.last_used.map(|at| at.0),
    });
    Ok(EndpointReply::saying(AppPasswords {
        app_passwords: app_passwords.collect(),
    }))
}

async fn add(
    request: &RequestContext<'_>,
    given: AddAppPassword,
) -> Result<EndpointReply<MadeAppPassword>, ActRefused> {
    let name = app_passwords::parse_label(request, &given.name)?;
    let scope: AppPasswordScope = given
        .scope
        .join("\n")
        .parse()
        .map_err(|error: ScopeError| {
            ActRefused::unreadable(request.t.say_of("scope-invalid", "why", error.to_string()))
        })?;
    let expires = match given.expires.map(i64::try_from) {
        None => None,
        Some(Ok(at)) => Some(Timestamp(at.unsigned_abs())),
        Some(Err(_)) => return Err(ActRefused::unreadable(request.t.say("expiry-too-far"))),
    };
    let step_up = step_up::verify_step_up(
        request,
        &StepUpInput::from(Proof {
            password: given.password,
            code: given.code,
        }),
    )
    .await?;
    let new = AppPasswordRequest {
        name: name.clone(),
        scope,
        expires,
    };
    let made = app_passwords::create_app_password(request, &step_up, new).await?;
    let answer = MadeAppPassword {
        name: name.as_str().to_owned(),
        app_password: made.grouped().to_string().into(),
    };
    Ok(EndpointReply {
        reply: proved(request, &step_up),
        answer,
    })
}

async fn rename(call: &Call<'_>, given: Rename) -> Result<EndpointReply<()>, ActRefused> {
    let request = call.request;
    let (name, new) = (
        call.label()?,
        app_passwords::parse_label(request, &given.name)?,
    );
    app_passwords::rename_app_password(request, &request.require_session()?, name, new).await?;
    Ok(EndpointReply::saying(()))
}

async fn revoke(call: &Call<'_>) -> Result<EndpointReply<()>, ActRefused> {
    let request = call.request;
    app_passwords::revoke_app_passwords(request, &request.require_session()?, Some(call.label()?))
        .await?;
    Ok(EndpointReply::saying(()))
}
