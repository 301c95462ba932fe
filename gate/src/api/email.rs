//! The address that codes are mailed to.

use super::account::{EndedAccountSessions, sessions_ended_reply, step_up_reply};
use super::body::{NoBody, OptionalBody, RequiredBody};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use crate::web::account::email;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use crate::web::step_up;
use crate::web::step_up::StepUpInput;
use hyper::Method;
use postern_shared::account::email::EmailAddress;
use postern_shared::credential::input::Input;
use postern_shared::protocol::command_request::TypedText;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The account's addresses.
#[derive(Serialize, ToSchema)]
struct Email {
    /// Address that codes are mailed to.
    confirmed: Option<String>,
    /// Address that waits for the code that was mailed to it.
    pending: Option<String>,
}

/// A new address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEmail {
    address: String,
    #[schema(value_type = Option<String>)]
    password: Option<TypedText>,
    #[schema(value_type = Option<String>)]
    code: Option<TypedText>,
}

/// The code that was mailed to a new address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MailedCode {
    #[schema(value_type = String)]
    code: TypedText,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::SignedIn;
    vec![
        Endpoint::with_answer(
            (Method::GET, "email"),
            SignedIn,
            "Returns the address that codes are mailed to.",
            |call, NoBody| Box::pin(read_addresses(call.request)),
        ),
        Endpoint::without_answer(
            (Method::PUT, "email"),
            SignedIn,
            "Mails a code to a new address, which that code confirms.",
            |call, RequiredBody(body)| Box::pin(set_address(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::POST, "email/confirm"),
            SignedIn,
            "Confirms a new address with the code that was mailed to it.",
            |call, RequiredBody(body)| Box::pin(confirm_address(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::DELETE, "email"),
            SignedIn,
            "Removes the address.",
            |call, OptionalBody(input)| Box::pin(remove_address(call.request, input)),
        ),
    ]
}

async fn read_addresses(request: &RequestContext<'_>) -> Result<EndpointReply<Email>, ActRefused> {
    let addresses = email::find_addresses(request, &request.require_session()?).await?;
    let text = |address: Option<EmailAddress>| address.map(|address| address.as_str().to_owned());
    Ok(EndpointReply::new(Email {
        confirmed: text(addresses.confirmed),
        pending: text(addresses.pending),
    }))
}

async fn set_address(
    request: &RequestContext<'_>,
    body: NewEmail,
) -> Result<EndpointReply<()>, ActRefused> {
    let to = body.address.trim().parse::<EmailAddress>();
    let to = to.map_err(|_| ActRefused::invalid_value(request.language.text("address-invalid")))?;
    let step_up = step_up::verify_step_up(
        request,
        &StepUpInput {
            password: body.password,
            code: body.code,
        },
    )
    .await?;
    email::set_email(request, &step_up, to).await?;
    Ok(EndpointReply {
        reply: step_up_reply(request, &step_up),
        answer: (),
    })
}

async fn confirm_address(
    request: &RequestContext<'_>,
    body: MailedCode,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let session = request.require_session()?;
    // read before the act, which revokes the session
    let step_up = step_up::recent_step_up(request);
    let (after, opened) =
        email::confirm_email(request, &session, Input::parse(body.code.as_bytes())).await?;
    Ok(sessions_ended_reply(
        request,
        step_up.as_ref(),
        opened.as_ref(),
        after,
    ))
}

async fn remove_address(
    request: &RequestContext<'_>,
    input: StepUpInput,
) -> Result<EndpointReply<EndedAccountSessions>, ActRefused> {
    let step_up = step_up::verify_step_up(request, &input).await?;
    let (_, after, opened) = email::remove_email(request, &step_up).await?;
    Ok(sessions_ended_reply(
        request,
        Some(&step_up),
        opened.as_ref(),
        after,
    ))
}
