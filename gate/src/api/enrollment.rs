//! A setup: the secret, a code, the recovery codes, and only then the second factor is on. Its ticket is a cookie.

use super::body::{Needed, Nothing};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use super::login::{Next, at_sign_in, signed_in};
use crate::http::reply;
use crate::web::login::RequestContext;
use crate::web::refusal::ActRefused;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use shared::credential::input::Input;
use shared::credential::qr;
use shared::engine::{
    AfterEnrollment, AfterEnrollmentCode, EnrollmentPermission, EnrollmentToken, ShownEnrollment,
};
use shared::protocol::command_request::TypedText;
use shared::verify::decision::Refusal;
use utoipa::ToSchema;

/// A new authenticator, which nothing keeps yet.
#[derive(Serialize, ToSchema)]
pub(super) struct NewAuthenticator {
    /// In Base32.
    #[schema(value_type = String)]
    secret: TypedText,
    #[schema(value_type = String)]
    otpauth_url: TypedText,
    /// The same as a picture, SVG.
    qr: String,
    /// How long its codes are.
    digits: u32,
    /// Brings it back, with its first code.
    #[schema(value_type = String)]
    pending: TypedText,
}

/// The first code of a new authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstCode {
    #[schema(value_type = String)]
    pub(super) pending: TypedText,
    #[schema(value_type = String)]
    pub(super) code: TypedText,
}

/// What is said to be saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    #[schema(value_type = String)]
    pub(super) pending: TypedText,
}

/// An administrator's one-time code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InvitationCode {
    #[schema(value_type = String)]
    code: TypedText,
}

/// New recovery codes, said this once.
#[derive(Serialize, ToSchema)]
pub(super) struct NewRecoveryCodes {
    #[schema(value_type = Vec<String>)]
    pub(super) recovery_codes: Vec<TypedText>,
    /// Makes them good, once they are saved.
    #[schema(value_type = String)]
    pub(super) pending: TypedText,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::Anyone;
    vec![
        Endpoint::does(
            (Method::POST, "enroll/one-time-code"),
            Anyone,
            "Sends the one-time code that an enrollment requires.",
            |call, Needed(given)| Box::pin(invite(call.guest, given)),
        ),
        Endpoint::tells(
            (Method::POST, "enroll"),
            Anyone,
            "Makes the secret of an enrollment that has begun.",
            |call, Nothing| Box::pin(begin(call.guest)),
        ),
        Endpoint::tells(
            (Method::POST, "enroll/confirm"),
            Anyone,
            "Confirms it with its first code, and returns the recovery codes.",
            |call, Needed(given)| Box::pin(confirm(call.guest, given)),
        ),
        Endpoint::tells(
            (Method::POST, "enroll/finish"),
            Anyone,
            "Confirms that the recovery codes are saved, and turns the second factor on.",
            |call, Needed(given)| Box::pin(finish(call.guest, given)),
        ),
    ]
}

async fn invite(
    guest: &RequestContext<'_>,
    given: InvitationCode,
) -> Result<EndpointReply<()>, ActRefused> {
    let ticket = ticket(guest)?;
    let invited = guest
        .invite(&ticket, Input::parse(given.code.as_bytes()))
        .await;
    match invited.map_err(|error| guest.not_signed_in(&error))? {
        Ok(ticket) => {
            let reply = guest.with_ticket(reply::bare(StatusCode::OK), &ticket);
            Ok(EndpointReply {
                reply: reply.map_err(|error| guest.not_signed_in(&error))?,
                answer: (),
            })
        }
        Err(Refusal::Expired) => Err(over(guest)),
        Err(refusal) => {
            let refused = at_sign_in(ActRefused::answer(guest.t, refusal));
            Err(match refusal {
                Refusal::Malformed => ActRefused {
                    text: guest.t.say("one-time-code-invalid"),
                    ..refused
                },
                _ => refused,
            })
        }
    }
}

async fn begin(guest: &RequestContext<'_>) -> Result<EndpointReply<NewAuthenticator>, ActRefused> {
    let ticket = ticket(guest)?;
    if ticket.payload().may == EnrollmentPermission::WithOneTimeCode {
        let text = guest.t.say("enrollment-required-line");
        return Err(ActRefused::new(
            StatusCode::FORBIDDEN,
            "one_time_code_required",
            text,
        ));
    }
    match guest
        .begin_setup(&ticket)
        .await
        .map_err(|error| guest.not_signed_in(&error))?
    {
        None => Err(over(guest)),
        Some(shown) => Ok(EndpointReply::saying(new_authenticator(guest, shown)?)),
    }
}

async fn confirm(
    guest: &RequestContext<'_>,
    given: FirstCode,
) -> Result<EndpointReply<NewRecoveryCodes>, ActRefused> {
    let ticket = ticket(guest)?;
    let entered = guest
        .enter_setup_code(&ticket, given.pending, Input::parse(given.code.as_bytes()))
        .await;
    match entered.map_err(|error| guest.not_signed_in(&error))? {
        AfterEnrollmentCode::Over => Err(over(guest)),
        AfterEnrollmentCode::Refused(refusal, _) => {
            Err(at_sign_in(ActRefused::answer(guest.t, refusal)))
        }
        AfterEnrollmentCode::Confirmed { codes, confirmed } => {
            Ok(EndpointReply::saying(NewRecoveryCodes {
                recovery_codes: codes,
                pending: confirmed,
            }))
        }
    }
}

async fn finish(
    guest: &RequestContext<'_>,
    given: Saved,
) -> Result<EndpointReply<Next>, ActRefused> {
    let ticket = ticket(guest)?;
    match guest
        .activate_setup(&ticket, given.pending)
        .await
        .map_err(|error| guest.not_signed_in(&error))?
    {
        AfterEnrollment::Over => Err(over(guest)),
        AfterEnrollment::Opened(opened) => {
            let done = signed_in(guest, &opened, &ticket.payload().back_to);
            Ok(EndpointReply {
                reply: guest.without_ticket(done.reply),
                ..done
            })
        }
    }
}

/// What is said of a new one.
pub(super) fn new_authenticator(
    guest: &RequestContext<'_>,
    shown: ShownEnrollment,
) -> Result<NewAuthenticator, ActRefused> {
    let qr = qr::draw_svg(&shown.url).ok_or_else(|| {
        let why = "the otpauth URI is too long for a QR code; shorten totp.issuer".to_owned();
        guest.not_signed_in(&crate::live::store_pool::PoolError::Failed {
            cause: "unavailable",
            why,
        })
    })?;
    let ShownEnrollment {
        secret,
        url,
        draft,
        digits,
    } = shown;
    Ok(NewAuthenticator {
        secret,
        otpauth_url: url,
        qr: qr.to_string(),
        digits,
        pending: draft,
    })
}

fn ticket(guest: &RequestContext<'_>) -> Result<EnrollmentToken, ActRefused> {
    guest.setup_ticket().ok_or_else(|| over(guest))
}

fn over(guest: &RequestContext<'_>) -> ActRefused {
    ActRefused::new(
        StatusCode::UNAUTHORIZED,
        "enrollment_expired",
        guest.t.say("enrollment-expired"),
    )
}
