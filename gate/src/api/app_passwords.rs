//! App passwords, for programs that cannot show a page.

use super::account::step_up_reply;
use super::body::{Json, NoBody};
use super::endpoint::{Call, Done, Endpoint, EndpointAccess, EndpointResult, endpoint, restrict};
use crate::http::route_table::Route;
use crate::web::account::{app_passwords, parse_label};
use crate::web::refusal::ActRefused;
use crate::web::step_up::{self, StepUpInput};
use hyper::Method;
use postern_shared::protocol::command_request::TypedText;
use postern_shared::system::clock::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The account's app passwords.
#[derive(Serialize, ToSchema)]
struct AppPasswordList {
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
pub(super) struct Rename {
    #[schema(min_length = 1, max_length = 64)]
    pub(super) name: String,
}

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    let endpoints = [
        endpoint(Method::GET, "app-passwords", list_app_passwords)
            .summary("Lists the account's app passwords."),
        endpoint(Method::POST, "app-passwords", create_app_password)
            .summary("Makes an app password."),
        endpoint(Method::PATCH, "app-passwords/{name}", rename_app_password)
            .summary("Renames an app password."),
        endpoint(Method::DELETE, "app-passwords/{name}", revoke_app_password)
            .summary("Revokes an app password."),
    ];
    restrict(EndpointAccess::SignedIn, endpoints)
}

async fn list_app_passwords(call: &Call<'_>, _: NoBody) -> EndpointResult<AppPasswordList> {
    let all = app_passwords::list_app_passwords(call.request).await?;
    let app_passwords = all.into_iter().map(|one| AppPasswordState {
        name: one.name.as_str().to_owned(),
        scope: one.scope.terms().iter().map(ToString::to_string).collect(),
        created: one.created.0,
        expires: one.expires.map(|at| at.0),
        last_used: one.last_used.map(|at| at.0),
    });
    let app_passwords = app_passwords.collect();
    Ok(AppPasswordList { app_passwords }.into())
}

async fn create_app_password(
    call: &Call<'_>,
    Json(body): Json<AddAppPassword>,
) -> EndpointResult<MadeAppPassword> {
    let request = call.request;
    let name = parse_label(request, &body.name)?;
    let scope = app_passwords::parse_scope(request, &body.scope.join("\n"))?;
    let expires = match body.expires.map(i64::try_from) {
        None => None,
        Some(Ok(at)) => Some(Timestamp(at.unsigned_abs())),
        Some(Err(_)) => {
            return Err(ActRefused::invalid_value(request.text("expiry-too-far")).into());
        }
    };
    let input = StepUpInput::new(body.password, body.code);
    let step_up = step_up::verify_step_up(request, &input).await?;
    let label = name.clone();
    let made = app_passwords::create_app_password(request, &step_up, label, scope, expires).await?;
    let answer = MadeAppPassword {
        name: name.as_str().to_owned(),
        app_password: made.grouped().to_string().into(),
    };
    Ok(step_up_reply(call, &step_up, answer))
}

async fn rename_app_password(call: &Call<'_>, body: Json<Rename>) -> EndpointResult<Done> {
    let (request, name) = (call.request, call.label_argument()?);
    let new = parse_label(request, &body.0.name)?;
    app_passwords::rename_app_password(request, name, new).await?;
    Ok(Done {}.into())
}

async fn revoke_app_password(call: &Call<'_>, _: NoBody) -> EndpointResult<Done> {
    let name = call.label_argument()?;
    app_passwords::revoke_app_passwords(call.request, Some(name)).await?;
    Ok(Done {}.into())
}
