//! The address that codes are mailed to.

use super::account::{EndedSessions, ended, proved};
use super::body::{NoBody, OptionalBody, Proof, RequiredBody};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use crate::web::account::email;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::StepUpInput;
use hyper::Method;
use serde::{Deserialize, Serialize};
use shared::account::email::EmailAddress;
use shared::credential::input::Input;
use shared::protocol::command_request::TypedText;
use utoipa::ToSchema;

/// The account's addresses.
#[derive(Serialize, ToSchema)]
struct Email {
    /// Codes go there.
    confirmed: Option<String>,
    /// A code was mailed there, and is to come back.
    pending: Option<String>,
}

/// Another address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEmail {
    address: String,
    #[schema(value_type = Option<String>)]
    password: Option<TypedText>,
    #[schema(value_type = Option<String>)]
    code: Option<TypedText>,
}

/// The code that was mailed to it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MailedCode {
    #[schema(value_type = String)]
    code: TypedText,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::SignedIn;
    vec![
        Endpoint::tells(
            (Method::GET, "email"),
            SignedIn,
            "Returns the address that codes are mailed to.",
            |call, NoBody| Box::pin(read(call.request)),
        ),
        Endpoint::does(
            (Method::PUT, "email"),
            SignedIn,
            "Mails a code to a new address, which that code confirms.",
            |call, RequiredBody(given)| Box::pin(set(call.request, given)),
        ),
        Endpoint::tells(
            (Method::POST, "email/confirm"),
            SignedIn,
            "Confirms a new address with the code that was mailed to it.",
            |call, RequiredBody(given)| Box::pin(confirm(call.request, given)),
        ),
        Endpoint::tells(
            (Method::DELETE, "email"),
            SignedIn,
            "Removes the address.",
            |call, OptionalBody(proof)| Box::pin(remove(call.request, proof)),
        ),
    ]
}

async fn read(request: &RequestContext<'_>) -> Result<EndpointReply<Email>, ActRefused> {
    let addresses = email::find_addresses(request, &request.require_session()?).await?;
    let text = |address: Option<EmailAddress>| address.map(|address| address.as_str().to_owned());
    Ok(EndpointReply::saying(Email {
        confirmed: text(addresses.confirmed),
        pending: text(addresses.pending),
    }))
}

async fn set(
    request: &RequestContext<'_>,
    given: NewEmail,
) -> Result<EndpointReply<()>, ActRefused> {
    let to = given.address.trim().parse::<EmailAddress>();
    let to = to.map_err(|_| ActRefused::unreadable(request.t.say("address-invalid")))?;
    let step_up = step_up::verify_step_up(
        request,
        &StepUpInput::from(Proof {
            password: given.password,
            code: given.code,
        }),
    )
    .await?;
    email::set_email(request, &step_up, to).await?;
    Ok(EndpointReply {
        reply: proved(request, &step_up),
        answer: (),
    })
}

async fn confirm(
    request: &RequestContext<'_>,
    given: MailedCode,
) -> Result<EndpointReply<EndedSessions>, ActRefused> {
    let session = request.require_session()?;
    // of the session as it is: the act ends it
    let step_up = step_up::recent_step_up(request);
    let (after, opened) =
        email::confirm_email(request, &session, Input::parse(given.code.as_bytes())).await?;
    Ok(ended(request, step_up.as_ref(), opened.as_ref(), after))
}

async fn remove(
    request: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<EndedSessions>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &StepUpInput::from(proof)).await?;
    let (_, after, opened) = email::remove_email(request, &step_up).await?;
    Ok(ended(request, Some(&step_up), opened.as_ref(), after))
}
