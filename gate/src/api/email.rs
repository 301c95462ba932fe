//! The address that codes are mailed to.

use super::account::{EndedAccountSessions, sessions_ended_reply, step_up_reply};
use super::body::{Json, NoBody, OptionalJson};
use super::endpoint::{Call, Done, Endpoint, EndpointAccess, EndpointResult, endpoint, restrict};
use crate::http::route_table::Route;
use crate::web::account::email;
use crate::web::step_up::{self, StepUpInput};
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

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    let endpoints = [
        endpoint(Method::GET, "email", read_addresses)
            .summary("Returns the address that codes are mailed to."),
        endpoint(Method::PUT, "email", set_address)
            .summary("Mails a code to a new address, which that code confirms."),
        endpoint(Method::POST, "email/confirm", confirm_address)
            .summary("Confirms a new address with the code that was mailed to it."),
        endpoint(Method::DELETE, "email", remove_address).summary("Removes the address."),
    ];
    restrict(EndpointAccess::SignedIn, endpoints)
}

async fn read_addresses(call: &Call<'_>, _: NoBody) -> EndpointResult<Email> {
    let addresses = email::find_addresses(call.request).await?;
    let text = |address: Option<EmailAddress>| address.map(|address| address.as_str().to_owned());
    let email = Email {
        confirmed: text(addresses.confirmed),
        pending: text(addresses.pending),
    };
    Ok(email.into())
}

async fn set_address(call: &Call<'_>, body: Json<NewEmail>) -> EndpointResult<Done> {
    let Json(body) = body;
    let to = email::parse_address(call.request, &body.address)?;
    let input = StepUpInput::new(body.password, body.code);
    let step_up = step_up::verify_step_up(call.request, &input).await?;
    email::set_email(call.request, &step_up, to).await?;
    Ok(step_up_reply(call, &step_up, Done {}))
}

async fn confirm_address(
    call: &Call<'_>,
    Json(body): Json<MailedCode>,
) -> EndpointResult<EndedAccountSessions> {
    let code = Input::parse(body.code.as_bytes());
    Ok(sessions_ended_reply(
        call,
        &email::confirm_email(call.request, code).await?,
    ))
}

async fn remove_address(
    call: &Call<'_>,
    OptionalJson(input): OptionalJson<StepUpInput>,
) -> EndpointResult<EndedAccountSessions> {
    let step_up = step_up::verify_step_up(call.request, &input).await?;
    let (_, ended) = email::remove_email(call.request, step_up).await?;
    Ok(sessions_ended_reply(call, &ended))
}
