//! The second factor as a whole, the recovery codes, and the password: turned on, replaced,
//! renewed, turned off.

use super::account::{EndedAccountSessions, sessions_ended_reply, step_up_reply};
use super::body::{Json, OptionalJson};
use super::endpoint::{Call, Done, Endpoint, EndpointAccess, EndpointResult, endpoint, restrict};
use super::enrollment::{NewRecoveryCodes, Saved};
use super::login::{Next, require_enrollment};
use crate::http::route_table::Route;
use crate::web::account::{password, recovery_codes, second_factor};
use crate::web::step_up::{self, StepUpInput, StepUpProof};
use hyper::Method;
use postern_shared::engine::EnrollmentToken;
use postern_shared::protocol::command_request::TypedText;
use serde::Deserialize;
use utoipa::ToSchema;

/// A new password, with the current one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    #[schema(value_type = String, format = Password, min_length = 8)]
    new: TypedText,
    #[schema(value_type = Option<String>)]
    password: Option<TypedText>,
    #[schema(value_type = Option<String>)]
    code: Option<TypedText>,
}

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    let endpoints = [
        endpoint(Method::POST, "second-factor", turn_on)
            .summary("Begins the enrollment of a second factor, which continues at setup."),
        endpoint(Method::POST, "second-factor/replacement", replace_second_factor)
            .summary("Begins an enrollment that replaces the second factor."),
        endpoint(Method::DELETE, "second-factor", turn_off)
            .summary("Turns the second factor off."),
        endpoint(Method::POST, "recovery-codes", make_recovery_codes).summary(
            "Makes new recovery codes; the old ones are valid until the new ones are confirmed as saved.",
        ),
        endpoint(Method::POST, "recovery-codes/confirm", confirm_recovery_codes)
            .summary("Confirms that new recovery codes are saved; they replace the old ones."),
        endpoint(Method::PUT, "password", set_password)
            .summary("Changes the password that Postern keeps."),
    ];
    restrict(EndpointAccess::SignedIn, endpoints)
}

async fn turn_on(call: &Call<'_>, input: OptionalJson<StepUpInput>) -> EndpointResult<Next> {
    let step_up = step_up::verify_step_up(call.request, &input.0).await?;
    let token = second_factor::begin_enabling(call.request, &step_up).await?;
    begin_enrollment(call, &step_up, &token)
}

async fn replace_second_factor(
    call: &Call<'_>,
    OptionalJson(input): OptionalJson<StepUpInput>,
) -> EndpointResult<Next> {
    let step_up = step_up::verify_step_up(call.request, &input).await?;
    let token = second_factor::begin_replacement(call.request, &step_up).await?;
    begin_enrollment(call, &step_up, &token)
}

fn begin_enrollment(
    call: &Call<'_>,
    step_up: &StepUpProof,
    token: &EnrollmentToken,
) -> EndpointResult<Next> {
    let mut reply = require_enrollment(call.request, token)?;
    reply.tokens.step_up = step_up.tokens(call.request).step_up;
    Ok(reply)
}

async fn turn_off(
    call: &Call<'_>,
    OptionalJson(input): OptionalJson<StepUpInput>,
) -> EndpointResult<EndedAccountSessions> {
    let step_up = step_up::verify_step_up(call.request, &input).await?;
    let ended = second_factor::disable_second_factor(call.request, step_up).await?;
    Ok(sessions_ended_reply(call, &ended))
}

async fn make_recovery_codes(
    call: &Call<'_>,
    OptionalJson(input): OptionalJson<StepUpInput>,
) -> EndpointResult<NewRecoveryCodes> {
    let step_up = step_up::verify_step_up(call.request, &input).await?;
    let shown = recovery_codes::begin_recovery_codes(call.request, &step_up).await?;
    let answer = NewRecoveryCodes {
        recovery_codes: shown.codes,
        pending: shown.token,
    };
    Ok(step_up_reply(call, &step_up, answer))
}

async fn confirm_recovery_codes(call: &Call<'_>, saved: Json<Saved>) -> EndpointResult<Done> {
    recovery_codes::activate_recovery_codes(call.request, saved.0.pending).await?;
    Ok(Done {}.into())
}

async fn set_password(
    call: &Call<'_>,
    Json(body): Json<NewPassword>,
) -> EndpointResult<EndedAccountSessions> {
    let new = password::parse_new_password(call.request, &body.new)?;
    let input = StepUpInput::new(body.password, body.code);
    let step_up = step_up::verify_step_up(call.request, &input).await?;
    let ended = password::set_password(call.request, step_up, new).await?;
    Ok(sessions_ended_reply(call, &ended))
}
