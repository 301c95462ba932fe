//! The second factor as a whole, the recovery codes, and the password: turned on, replaced,
//! renewed, turned off.

use super::account::{EndedAccountSessions, sessions_ended_reply, step_up_reply};
use super::body::{OptionalBody, RequiredBody, optional_text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::enrollment::{NewRecoveryCodes, Saved};
use super::login::{Next, require_enrollment};
use crate::web::account::password;
use crate::web::account::recovery_codes;
use crate::web::account::second_factor;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::StepUpInput;
use hyper::Method;
use postern_shared::crypto::password::Password;
use postern_shared::engine::AdministrationError;
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

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::SignedIn;
    vec![
        Endpoint::with_answer(
            (Method::POST, "second-factor"),
            SignedIn,
            "Begins the enrollment of a second factor, which continues at setup.",
            |call, OptionalBody(input)| Box::pin(turn_on(call.request, input)),
        ),
        Endpoint::with_answer(
            (Method::POST, "second-factor/replacement"),
            SignedIn,
            "Begins an enrollment that replaces the second factor.",
            |call, OptionalBody(input)| Box::pin(replace_second_factor(call.request, input)),
        ),
        Endpoint::with_answer(
            (Method::DELETE, "second-factor"),
            SignedIn,
            "Turns the second factor off.",
            |call, OptionalBody(input)| Box::pin(turn_off(call.request, input)),
        ),
        Endpoint::with_answer(
            (Method::POST, "recovery-codes"),
            SignedIn,
            "Makes new recovery codes; the old ones are valid until the new ones are confirmed as saved.",
            |call, OptionalBody(input)| Box::pin(make_recovery_codes(call.request, input)),
        ),
        Endpoint::without_answer(
            (Method::POST, "recovery-codes/confirm"),
            SignedIn,
            "Confirms that new recovery codes are saved; they replace the old ones.",
            |call, RequiredBody(saved)| Box::pin(confirm_recovery_codes(call, saved)),
        ),
        Endpoint::with_answer(
            (Method::PUT, "password"),
            SignedIn,
            "Changes the password that Postern keeps.",
            |call, RequiredBody(body)| Box::pin(set_password(call.request, body)),
        ),
    ]
}

async fn turn_on(
    request: &RequestContext<'_>,
    input: StepUpInput,
) -> Result<EndpointReply<Next>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &input).await?;
    let done = require_enrollment(
        request,
        &second_factor::begin_enabling(request, &step_up).await?,
    )?;
    Ok(EndpointReply {
        reply: step_up::with_step_up_cookie(request, done.reply, &step_up),
        ..done
    })
}

async fn replace_second_factor(
    request: &RequestContext<'_>,
    input: StepUpInput,
) -> Result<EndpointReply<Next>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &input).await?;
    let done = require_enrollment(
        request,
        &second_factor::begin_replacement(request, &step_up).await?,
    )?;
    Ok(EndpointReply {
        reply: step_up::with_step_up_cookie(request, done.reply, &step_up),
        ..done
    })
}

async fn turn_off(
    request: &RequestContext<'_>,
    input: StepUpInput,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &input).await?;
    let (after, opened) = second_factor::disable_second_factor(request, &step_up).await?;
    Ok(sessions_ended_reply(
        request,
        Some(&step_up),
        opened.as_ref(),
        after,
    ))
}

async fn make_recovery_codes(
    request: &RequestContext<'_>,
    input: StepUpInput,
) -> Result<EndpointReply<NewRecoveryCodes>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &input).await?;
    let new = recovery_codes::begin_recovery_codes(request, &step_up).await?;
    let answer = NewRecoveryCodes {
        recovery_codes: new.codes,
        pending: new.token,
    };
    Ok(EndpointReply {
        reply: step_up_reply(request, &step_up),
        answer,
    })
}

async fn confirm_recovery_codes(
    call: &Call<'_>,
    saved: Saved,
) -> Result<EndpointReply<()>, ActRefused> {
    recovery_codes::activate_recovery_codes(
        call.request,
        &call.request.require_session()?,
        saved.pending,
    )
    .await?;
    Ok(EndpointReply::new(()))
}

async fn set_password(
    request: &RequestContext<'_>,
    body: NewPassword,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let new = optional_text(Some(body.new));
    // checked before the step-up consumes a code
    Password::new(new.clone()).map_err(|error| {
        ActRefused::act(request.language, &AdministrationError::Password(error))
    })?;
    let step_up = step_up::verify_step_up(
        request,
        &StepUpInput {
            password: body.password,
            code: body.code,
        },
    )
    .await?;
    let (after, opened) = password::set_password(request, &step_up, new).await?;
    Ok(sessions_ended_reply(
        request,
        Some(&step_up),
        opened.as_ref(),
        after,
    ))
}
