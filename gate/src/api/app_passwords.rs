//! App passwords, for programs that cannot show a page.

use super::account::step_up_reply;
use super::body::{NoBody, RequiredBody};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use crate::web::account::AppPasswordRequest;
use crate::web::account::app_passwords;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::StepUpInput;
use hyper::Method;
use postern_shared::credential::scope::{AppPasswordScope, ScopeError};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::system::clock::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The account's app passwords.
#[derive(Serialize, ToSchema)]
struct AppPasswords {
    app_passwords: Vec<AppPasswordState>,
}

/// One app password. Times are in seconds since 1970.
#[derive(Serialize, ToSchema)]
struct AppPasswordState {
    name: String,
    /// Terms of the scope, in which the app password is valid.
    scope: Vec<String>,
    created: u64,
    /// Absent if the app password does not expire.
    expires: Option<u64>,
    /// Last use, to the minute.
    last_used: Option<u64>,
}

/// A new app password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddAppPassword {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// Scope: `pam:SERVICE`, `web:HOST/PATH METHOD,…`, or a name under gate.scope.
    scope: Vec<String>,
    /// When it expires, in seconds since 1970.
    expires: Option<u64>,
    #[schema(value_type = Option<String>)]
    password: Option<TypedText>,
    #[schema(value_type = Option<String>)]
    code: Option<TypedText>,
}

/// A new app password, which is shown once.
#[derive(Serialize, ToSchema)]
struct MadeAppPassword {
    name: String,
    #[schema(value_type = String)]
    app_password: TypedText,
}

/// A new name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rename {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::SignedIn;
    vec![
        Endpoint::with_answer(
            (Method::GET, "app-passwords"),
            SignedIn,
            "Lists the account's app passwords.",
            |call, NoBody| Box::pin(list_app_passwords(call.request)),
        ),
        Endpoint::with_answer(
            (Method::POST, "app-passwords"),
            SignedIn,
            "Makes an app password.",
            |call, RequiredBody(body)| Box::pin(create_app_password(call.request, body)),
        ),
        Endpoint::without_answer(
            (Method::PATCH, "app-passwords/{name}"),
            SignedIn,
            "Renames an app password.",
            |call, RequiredBody(body)| Box::pin(rename_app_password(call, body)),
        ),
        Endpoint::without_answer(
            (Method::DELETE, "app-passwords/{name}"),
            SignedIn,
            "Revokes an app password.",
            |call, NoBody| Box::pin(revoke_app_password(call)),
        ),
    ]
}

async fn list_app_passwords(
    request: &RequestContext<'_>,
) -> Result<EndpointReply<AppPasswords>, ActRefused> {
    let all = app_passwords::list_app_passwords(request, &request.require_session()?).await?;
    let app_passwords = all.into_iter().map(|one| AppPasswordState {
        name: one.name.as_str().to_owned(),
        scope: one.scope.terms().iter().map(ToString::to_string).collect(),
        created: one.created.0,
        expires: one.expires.map(|at| at.0),
        last_used: one.last_used.map(|at| at.0),
    });
    Ok(EndpointReply::new(AppPasswords {
        app_passwords: app_passwords.collect(),
    }))
}

async fn create_app_password(
    request: &RequestContext<'_>,
    body: AddAppPassword,
) -> Result<EndpointReply<MadeAppPassword>, ActRefused> {
    let name = app_passwords::parse_label(request, &body.name)?;
    let scope: AppPasswordScope = body.scope.join("\n").parse().map_err(|error: ScopeError| {
        ActRefused::invalid_value(request.language.text_with(
            "scope-invalid",
            "why",
            error.to_string(),
        ))
    })?;
    let expires = match body.expires.map(i64::try_from) {
        None => None,
        Some(Ok(at)) => Some(Timestamp(at.unsigned_abs())),
        Some(Err(_)) => {
            return Err(ActRefused::invalid_value(
                request.language.text("expiry-too-far"),
            ));
        }
    };
    let step_up = step_up::verify_step_up(
        request,
        &StepUpInput {
            password: body.password,
            code: body.code,
        },
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
        reply: step_up_reply(request, &step_up),
        answer,
    })
}

async fn rename_app_password(
    call: &Call<'_>,
    body: Rename,
) -> Result<EndpointReply<()>, ActRefused> {
    let request = call.request;
    let (name, new) = (
        call.label_argument()?,
        app_passwords::parse_label(request, &body.name)?,
    );
    app_passwords::rename_app_password(request, &request.require_session()?, name, new).await?;
    Ok(EndpointReply::new(()))
}

async fn revoke_app_password(call: &Call<'_>) -> Result<EndpointReply<()>, ActRefused> {
    let request = call.request;
    app_passwords::revoke_app_passwords(
        request,
        &request.require_session()?,
        Some(call.label_argument()?),
    )
    .await?;
    Ok(EndpointReply::new(()))
}
