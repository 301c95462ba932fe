//! A setup: the secret, a code, the recovery codes, and only then the second factor is on. Its ticket is a cookie.

use super::body::{NoBody, RequiredBody};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use super::login::{Next, at_sign_in, signed_in};
use crate::http::reply;
use crate::web::enroll;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
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
            |call, RequiredBody(given)| Box::pin(invite(call.request, given)),
        ),
        Endpoint::tells(
            (Method::POST, "enroll"),
            Anyone,
            "Makes the secret of an enrollment that has begun.",
            |call, NoBody| Box::pin(begin(call.request)),
        ),
        Endpoint::tells(
            (Method::POST, "enroll/confirm"),
            Anyone,
            "Confirms it with its first code, and returns the recovery codes.",
            |call, RequiredBody(given)| Box::pin(confirm(call.request, given)),
        ),
        Endpoint::tells(
            (Method::POST, "enroll/finish"),
            Anyone,
            "Confirms that the recovery codes are saved, and turns the second factor on.",
            |call, RequiredBody(given)| Box::pin(finish(call.request, given)),
        ),
    ]
}

async fn invite(
    request: &RequestContext<'_>,
    given: InvitationCode,
) -> Result<EndpointReply<()>, ActRefused> {
    let ticket = ticket(request)?;
    let invited =
        enroll::verify_one_time_code(request, &ticket, Input::parse(given.code.as_bytes())).await;
    match invited.map_err(|error| refusal::refuse_sign_in(request, &error))? {
        Ok(ticket) => {
            let reply =
                enroll::with_enrollment_cookie(request, reply::bare(StatusCode::OK), &ticket);
            Ok(EndpointReply {
                reply: reply.map_err(|error| refusal::refuse_sign_in(request, &error))?,
                answer: (),
            })
        }
        Err(Refusal::Expired) => Err(over(request)),
        Err(refusal) => {
            let refused = at_sign_in(ActRefused::answer(request.t, refusal));
            Err(match refusal {
                Refusal::Malformed => ActRefused {
                    text: request.t.say("one-time-code-invalid"),
                    ..refused
                },
                _ => refused,
            })
        }
    }
}

async fn begin(
    request: &RequestContext<'_>,
) -> Result<EndpointReply<NewAuthenticator>, ActRefused> {
    let ticket = ticket(request)?;
    if ticket.payload().may == EnrollmentPermission::WithOneTimeCode {
        let text = request.t.say("enrollment-required-line");
        return Err(ActRefused::new(
            StatusCode::FORBIDDEN,
            "one_time_code_required",
            text,
        ));
    }
    match enroll::begin_enrollment(request, &ticket)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?
    {
        None => Err(over(request)),
        Some(shown) => Ok(EndpointReply::saying(new_authenticator(request, shown)?)),
    }
}

async fn confirm(
    request: &RequestContext<'_>,
    given: FirstCode,
) -> Result<EndpointReply<NewRecoveryCodes>, ActRefused> {
    let ticket = ticket(request)?;
    let entered = enroll::confirm_enrollment(
        request,
        &ticket,
        given.pending,
        Input::parse(given.code.as_bytes()),
    )
    .await;
    match entered.map_err(|error| refusal::refuse_sign_in(request, &error))? {
        AfterEnrollmentCode::Over => Err(over(request)),
        AfterEnrollmentCode::Refused(refusal, _) => {
            Err(at_sign_in(ActRefused::answer(request.t, refusal)))
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
    request: &RequestContext<'_>,
    given: Saved,
) -> Result<EndpointReply<Next>, ActRefused> {
    let ticket = ticket(request)?;
    match enroll::activate_enrollment(request, &ticket, given.pending)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?
    {
        AfterEnrollment::Over => Err(over(request)),
        AfterEnrollment::Opened(opened) => {
            let done = signed_in(request, &opened, &ticket.payload().back_to);
            Ok(EndpointReply {
                reply: enroll::without_enrollment_cookie(request, done.reply),
                ..done
            })
        }
    }
}

/// What is said of a new one.
pub(super) fn new_authenticator(
    request: &RequestContext<'_>,
    shown: ShownEnrollment,
) -> Result<NewAuthenticator, ActRefused> {
    let qr = qr::draw_svg(&shown.url).ok_or_else(|| {
        let why = "the otpauth URI is too long for a QR code; shorten totp.issuer".to_owned();
        refusal::refuse_sign_in(
            request,
            &crate::live::store_pool::PoolError::Failed {
                cause: "unavailable",
                why,
            },
        )
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

fn ticket(request: &RequestContext<'_>) -> Result<EnrollmentToken, ActRefused> {
    request.enrollment_token().ok_or_else(|| over(request))
}

fn over(request: &RequestContext<'_>) -> ActRefused {
    ActRefused::new(
        StatusCode::UNAUTHORIZED,
        "enrollment_expired",
        request.t.say("enrollment-expired"),
    )
}
