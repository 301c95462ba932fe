//! The address that codes are mailed to.

use super::account::{EndedAccountSessions, ended, proved};
use super::body::{IfAny, Needed, Nothing, Proof};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use crate::web::login::RequestContext;
use crate::web::refusal::ActRefused;
use crate::web::step_up::FreshStepUp;
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
            |call, Nothing| Box::pin(read(call.guest)),
        ),
        Endpoint::does(
            (Method::PUT, "email"),
            SignedIn,
            "Mails a code to a new address, which that code confirms.",
            |call, Needed(given)| Box::pin(set(call.guest, given)),
        ),
        Endpoint::tells(
            (Method::POST, "email/confirm"),
            SignedIn,
            "Confirms a new address with the code that was mailed to it.",
            |call, Needed(given)| Box::pin(confirm(call.guest, given)),
        ),
        Endpoint::tells(
            (Method::DELETE, "email"),
            SignedIn,
            "Removes the address.",
            |call, IfAny(proof)| Box::pin(remove(call.guest, proof)),
        ),
    ]
}

async fn read(guest: &RequestContext<'_>) -> Result<EndpointReply<Email>, ActRefused> {
    let addresses = guest.addresses(&guest.signed_in()?).await?;
    let text = |address: Option<EmailAddress>| address.map(|address| address.as_str().to_owned());
    Ok(EndpointReply::saying(Email {
        confirmed: text(addresses.confirmed),
        pending: text(addresses.pending),
    }))
}

async fn set(guest: &RequestContext<'_>, given: NewEmail) -> Result<EndpointReply<()>, ActRefused> {
    let to = given.address.trim().parse::<EmailAddress>();
    let to = to.map_err(|_| ActRefused::unreadable(guest.t.say("address-invalid")))?;
    let proven = guest
        .prove(&FreshStepUp::from(Proof {
            password: given.password,
            code: given.code,
        }))
        .await?;
    guest.set_email(&proven, to).await?;
    Ok(EndpointReply {
        reply: proved(guest, &proven),
        answer: (),
    })
}

async fn confirm(
    guest: &RequestContext<'_>,
    given: MailedCode,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let session = guest.signed_in()?;
    // of the session as it is: the act ends it
    let proven = guest.stepped_up();
    let (after, opened) = guest
        .confirm_email(&session, Input::parse(given.code.as_bytes()))
        .await?;
    Ok(ended(guest, proven.as_ref(), opened.as_ref(), after))
}

async fn remove(
    guest: &RequestContext<'_>,
    proof: Proof,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let proven = guest.prove(&FreshStepUp::from(proof)).await?;
    let (_, after, opened) = guest.remove_email(&proven).await?;
    Ok(ended(guest, Some(&proven), opened.as_ref(), after))
}
