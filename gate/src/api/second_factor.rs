//! The second factor as a whole, the recovery codes, and the password: turned on, replaced, renewed, turned off.

use super::account::{EndedSessions, ended, proved};
use super::body::{OptionalBody, Proof, RequiredBody, text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::enrollment::{NewRecoveryCodes, Saved};
use super::login::{Next, setup_required};
use crate::web::account::password;
use crate::web::account::recovery_codes;
use crate::web::account::second_factor;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::StepUpInput;
use hyper::Method;
use serde::Deserialize;
use shared::crypto::password::Password;
use shared::engine::AdministrationError;
use shared::protocol::command_request::TypedText;
use utoipa::ToSchema;

/// A new password, with a proof by the one of now.
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
        Endpoint::tells(
            (Method::POST, "second-factor"),
            SignedIn,
            "Begins the enrollment of a second factor, which continues at setup.",
            |call, OptionalBody(proof)| Box::pin(turn_on(call.request, proof)),
        ),
        Endpoint::tells(
            (Method::POST, "second-factor/replacement"),
            SignedIn,
            "Begins an enrollment that replaces the second factor.",
            |call, OptionalBody(proof)| Box::pin(replace(call.request, proof)),
        ),
        Endpoint::tells(
            (Method::DELETE, "second-factor"),
            SignedIn,
            "Turns the second factor off.",
            |call, OptionalBody(proof)| Box::pin(turn_off(call.request, proof)),
        ),
        Endpoint::tells(
            (Method::POST, "recovery-codes"),
            SignedIn,
            "Makes new recovery codes; the old ones are valid until the new ones are confirmed as saved.",
            |call, OptionalBody(proof)| Box::pin(make_recovery_codes(call.request, proof)),
        ),
        Endpoint::does(
            (Method::POST, "recovery-codes/confirm"),
            SignedIn,
            "Confirms that new recovery codes are saved; they replace the old ones.",
            |call, RequiredBody(saved)| Box::pin(keep_recovery_codes(call, saved)),
        ),
        Endpoint::tells(
            (Method::PUT, "password"),
            SignedIn,
            "Changes the password that Postern keeps.",
            |call, RequiredBody(given)| Box::pin(set_password(call.request, given)),
        ),
    ]
}

async fn turn_on(
    request: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<Next>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &StepUpInput::from(proof)).await?;
    let done = setup_required(
        request,
        &second_factor::begin_enabling(request, &step_up).await?,
    )?;
    Ok(EndpointReply {
        reply: step_up::with_step_up_cookie(request, done.reply, &step_up),
        ..done
    })
}

async fn replace(
    request: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<Next>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &StepUpInput::from(proof)).await?;
    let done = setup_required(
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
    proof: Proof,
) -> Result<EndpointReply<EndedSessions>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &StepUpInput::from(proof)).await?;
    let (after, opened) = second_factor::disable_second_factor(request, &step_up).await?;
    Ok(ended(request, Some(&step_up), opened.as_ref(), after))
}

async fn make_recovery_codes(
    request: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<NewRecoveryCodes>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &StepUpInput::from(proof)).await?;
    let new = recovery_codes::begin_recovery_codes(request, &step_up).await?;
    let answer = NewRecoveryCodes {
        recovery_codes: new.codes,
        pending: new.ticket,
    };
    Ok(EndpointReply {
        reply: proved(request, &step_up),
        answer,
    })
}

async fn keep_recovery_codes(
    call: &Call<'_>,
    saved: Saved,
) -> Result<EndpointReply<()>, ActRefused> {
    recovery_codes::activate_recovery_codes(
        call.request,
        &call.request.require_session()?,
        saved.pending,
    )
    .await?;
    Ok(EndpointReply::saying(()))
}

async fn set_password(
    request: &RequestContext<'_>,
    given: NewPassword,
) -> Result<EndpointReply<EndedSessions>, ActRefused> {
    let new = text(Some(given.new));
    // before a code is spent on it
    Password::new(new.clone())
        .map_err(|error| ActRefused::act(request.t, &AdministrationError::Password(error)))?;
    let step_up = step_up::verify_step_up(
        request,
        &StepUpInput::from(Proof {
            password: given.password,
            code: given.code,
        }),
    )
    .await?;
    let (after, opened) = password::set_password(request, &step_up, new).await?;
    Ok(ended(request, Some(&step_up), opened.as_ref(), after))
}
