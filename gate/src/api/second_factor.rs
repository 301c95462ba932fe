//! The second factor as a whole, the recovery codes, and the password: turned on, replaced, renewed, turned off.

use super::account::{EndedAccountSessions, ended, proved};
use super::body::{IfAny, Needed, Proof, text};
use super::endpoint::{Call, Endpoint, EndpointAccess, EndpointReply};
use super::enrollment::{NewRecoveryCodes, Saved};
use super::login::{Next, setup_required};
use crate::web::login::RequestContext;
use crate::web::refusal::ActRefused;
use crate::web::step_up::FreshStepUp;
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
            |call, IfAny(proof)| Box::pin(turn_on(call.guest, proof)),
        ),
        Endpoint::tells(
            (Method::POST, "second-factor/replacement"),
            SignedIn,
            "Begins an enrollment that replaces the second factor.",
            |call, IfAny(proof)| Box::pin(replace(call.guest, proof)),
        ),
        Endpoint::tells(
            (Method::DELETE, "second-factor"),
            SignedIn,
            "Turns the second factor off.",
            |call, IfAny(proof)| Box::pin(turn_off(call.guest, proof)),
        ),
        Endpoint::tells(
            (Method::POST, "recovery-codes"),
            SignedIn,
            "Makes new recovery codes; the old ones are valid until the new ones are confirmed as saved.",
            |call, IfAny(proof)| Box::pin(make_recovery_codes(call.guest, proof)),
        ),
        Endpoint::does(
            (Method::POST, "recovery-codes/confirm"),
            SignedIn,
            "Confirms that new recovery codes are saved; they replace the old ones.",
            |call, Needed(saved)| Box::pin(keep_recovery_codes(call, saved)),
        ),
        Endpoint::tells(
            (Method::PUT, "password"),
            SignedIn,
            "Changes the password that Postern keeps.",
            |call, Needed(given)| Box::pin(set_password(call.guest, given)),
        ),
    ]
}

async fn turn_on(
    guest: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<Next>, ActRefused> {
    let proven = guest.prove(&FreshStepUp::from(proof)).await?;
    let done = setup_required(guest, &guest.begin_turning_on(&proven).await?)?;
    Ok(EndpointReply {
        reply: guest.with_proof(done.reply, &proven),
        ..done
    })
}

async fn replace(
    guest: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<Next>, ActRefused> {
    let proven = guest.prove(&FreshStepUp::from(proof)).await?;
    let done = setup_required(guest, &guest.begin_replacement(&proven).await?)?;
    Ok(EndpointReply {
        reply: guest.with_proof(done.reply, &proven),
        ..done
    })
}

async fn turn_off(
    guest: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let proven = guest.prove(&FreshStepUp::from(proof)).await?;
    let (after, opened) = guest.turn_second_factor_off(&proven).await?;
    Ok(ended(guest, Some(&proven), opened.as_ref(), after))
}

async fn make_recovery_codes(
    guest: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<NewRecoveryCodes>, ActRefused> {
    let proven = guest.prove(&FreshStepUp::from(proof)).await?;
    let new = guest.begin_recovery_codes(&proven).await?;
    let answer = NewRecoveryCodes {
        recovery_codes: new.codes,
        pending: new.ticket,
    };
    Ok(EndpointReply {
        reply: proved(guest, &proven),
        answer,
    })
}

async fn keep_recovery_codes(
    call: &Call<'_>,
    saved: Saved,
) -> Result<EndpointReply<()>, ActRefused> {
    call.guest
        .keep_recovery_codes(&call.guest.signed_in()?, saved.pending)
        .await?;
    Ok(EndpointReply::saying(()))
}

async fn set_password(
    guest: &RequestContext<'_>,
    given: NewPassword,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let new = text(Some(given.new));
    // before a code is spent on it
    Password::new(new.clone())
        .map_err(|error| ActRefused::act(guest.t, &AdministrationError::Password(error)))?;
    let proven = guest
        .prove(&FreshStepUp::from(Proof {
            password: given.password,
            code: given.code,
        }))
        .await?;
    let (after, opened) = guest.set_password(&proven, new).await?;
    Ok(ended(guest, Some(&proven), opened.as_ref(), after))
}
