//! Passkeys of the account. Requests and responses have the JSON forms of W3C Web Authentication
//! Level 3 (`parseCreationOptionsFromJSON`, `parseRequestOptionsFromJSON`, `toJSON`).

use super::account::{EndedAccountSessions, sessions_ended_reply, step_up_reply};
use super::app_passwords::Rename;
use super::body::{Json, NoBody, OptionalJson};
use super::endpoint::{Call, Done, Endpoint, EndpointAccess, EndpointResult, endpoint, restrict};
use crate::http::route_table::Route;
use crate::web::account::{parse_label, passkeys};
use crate::web::passkey::creation_options;
use crate::web::step_up::{self, StepUpInput};
use hyper::Method;
use postern_shared::store::PasskeyRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The account's passkeys.
#[derive(Serialize, ToSchema)]
pub(super) struct Passkeys {
    passkeys: Vec<PasskeyState>,
}

impl From<Vec<PasskeyRecord>> for Passkeys {
    fn from(kept: Vec<PasskeyRecord>) -> Passkeys {
        let passkeys = kept.into_iter().map(|one| PasskeyState {
            name: one.name.as_str().to_owned(),
            created: one.created.0,
            last_used: one.last_used.map(|at| at.0),
            verifies_user: one.passkey.verifies_user,
            backed_up: one.passkey.is_backed_up,
        });
        Passkeys {
            passkeys: passkeys.collect(),
        }
    }
}

/// One passkey. Times are in seconds since 1970.
#[derive(Serialize, ToSchema)]
struct PasskeyState {
    name: String,
    created: u64,
    last_used: Option<u64>,
    /// Whether its authenticator verifies its user, so that it can replace password and code at a
    /// critical act.
    verifies_user: bool,
    /// Whether it is copied to other devices.
    backed_up: bool,
}

/// A registration that has begun.
#[derive(Serialize, ToSchema)]
struct PasskeyRegistration {
    /// For the request that completes it, within 10 minutes and once.
    token: String,
    /// For `navigator.credentials.create`.
    #[schema(value_type = Object)]
    options: Value,
}

/// A new passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddPasskey {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    token: String,
    /// What `navigator.credentials.create` returned.
    #[schema(value_type = Object)]
    credential: Value,
}

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    let endpoints = [
        endpoint(Method::GET, "passkeys", list_passkeys).summary("Lists the account's passkeys."),
        endpoint(Method::POST, "passkeys/request", begin_registration)
            .summary("Begins the registration of a passkey."),
        endpoint(Method::POST, "passkeys", register_passkey).summary("Registers a passkey."),
        endpoint(Method::PATCH, "passkeys/{name}", rename_passkey).summary("Renames a passkey."),
        endpoint(Method::DELETE, "passkeys/{name}", remove_passkey).summary("Removes a passkey."),
    ];
    restrict(EndpointAccess::SignedIn, endpoints)
}

async fn list_passkeys(call: &Call<'_>, _: NoBody) -> EndpointResult<Passkeys> {
    let all = passkeys::list_passkeys(call.request).await?;
    Ok(Passkeys::from(all).into())
}

async fn begin_registration(
    call: &Call<'_>,
    OptionalJson(input): OptionalJson<StepUpInput>,
) -> EndpointResult<PasskeyRegistration> {
    let request = call.request;
    let step_up = step_up::verify_step_up(request, &input).await?;
    let begun = passkeys::begin_registration(request, &step_up).await?;
    let service = &request.site.branding.name;
    let answer = PasskeyRegistration {
        token: begun.token.to_string(),
        options: creation_options(&begun.options, service, &step_up.session.name),
    };
    Ok(step_up_reply(call, &step_up, answer))
}

async fn register_passkey(call: &Call<'_>, Json(body): Json<AddPasskey>) -> EndpointResult<Done> {
    let request = call.request;
    let name = parse_label(request, &body.name)?;
    let credential = body.credential.to_string();
    passkeys::register_passkey(request, &body.token, &credential, name).await?;
    Ok(Done {}.into())
}

async fn rename_passkey(call: &Call<'_>, body: Json<Rename>) -> EndpointResult<Done> {
    let (request, name) = (call.request, call.label_argument()?);
    let new = parse_label(request, &body.0.name)?;
    passkeys::rename_passkey(request, name, new).await?;
    Ok(Done {}.into())
}

async fn remove_passkey(
    call: &Call<'_>,
    OptionalJson(input): OptionalJson<StepUpInput>,
) -> EndpointResult<EndedAccountSessions> {
    let name = call.label_argument()?;
    let step_up = step_up::verify_step_up(call.request, &input).await?;
    let ended = passkeys::remove_passkey(call.request, step_up, name).await?;
    Ok(sessions_ended_reply(call, &ended))
}
