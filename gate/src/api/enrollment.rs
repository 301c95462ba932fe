//! Enrollment: the secret, its first code, the recovery codes, and then the second factor is on.
//! The enrollment token is a cookie.

use super::body::{NoBody, RequiredBody};
use super::endpoint::{Endpoint, EndpointAccess, EndpointReply};
use super::login::{Next, as_unauthorized, finish_sign_in};
use crate::http::reply;
use crate::web::enroll;
use crate::web::refusal;
use crate::web::refusal::ActRefused;
use crate::web::request::RequestContext;
use hyper::{Method, StatusCode};
use postern_shared::credential::input::Input;
use postern_shared::credential::qr;
use postern_shared::engine::{
    AfterEnrollment, AfterEnrollmentCode, EnrollmentPermission, EnrollmentToken, ShownEnrollment,
};
use postern_shared::protocol::command_request::TypedText;
use postern_shared::verify::decision::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A pending enrollment, which is not stored.
#[derive(Serialize, ToSchema)]
pub(super) struct NewAuthenticator {
    /// Base32.
    #[schema(value_type = String)]
    secret: TypedText,
    #[schema(value_type = String)]
    otpauth_url: TypedText,
    /// QR code of the otpauth URI, as SVG.
    qr: String,
    /// Number of digits of its codes.
    digits: u32,
    /// To be sent back with the first code.
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

/// Confirmation that recovery codes are saved.
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

/// New recovery codes, which are shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct NewRecoveryCodes {
    #[schema(value_type = Vec<String>)]
    pub(super) recovery_codes: Vec<TypedText>,
    /// Activates the recovery codes, once they are saved.
    #[schema(value_type = String)]
    pub(super) pending: TypedText,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use EndpointAccess::Anyone;
    vec![
        Endpoint::without_answer(
            (Method::POST, "enroll/one-time-code"),
            Anyone,
            "Sends the one-time code that an enrollment requires.",
            |call, RequiredBody(body)| Box::pin(submit_one_time_code(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::POST, "enroll"),
            Anyone,
            "Makes the secret of an enrollment that has begun.",
            |call, NoBody| Box::pin(begin_enrollment(call.request)),
        ),
        Endpoint::with_answer(
            (Method::POST, "enroll/confirm"),
            Anyone,
            "Confirms it with its first code, and returns the recovery codes.",
            |call, RequiredBody(body)| Box::pin(confirm_enrollment(call.request, body)),
        ),
        Endpoint::with_answer(
            (Method::POST, "enroll/finish"),
            Anyone,
            "Confirms that the recovery codes are saved, and turns the second factor on.",
            |call, RequiredBody(body)| Box::pin(finish_enrollment(call.request, body)),
        ),
    ]
}

async fn submit_one_time_code(
    request: &RequestContext<'_>,
    body: InvitationCode,
) -> Result<EndpointReply<()>, ActRefused> {
    let token = require_token(request)?;
    let result =
        enroll::verify_one_time_code(request, &token, Input::parse(body.code.as_bytes())).await;
    match result.map_err(|error| refusal::refuse_sign_in(request, &error))? {
        Ok(token) => {
            let reply =
                enroll::with_enrollment_cookie(request, reply::bare(StatusCode::OK), &token);
            Ok(EndpointReply {
                reply: reply.map_err(|error| refusal::refuse_sign_in(request, &error))?,
                answer: (),
            })
        }
        Err(Refusal::Expired) => Err(expired(request)),
        Err(refusal) => {
            let refused = as_unauthorized(ActRefused::code(request.language, refusal));
            Err(match refusal {
                Refusal::Malformed => ActRefused {
                    text: request.language.text("one-time-code-invalid"),
                    ..refused
                },
                _ => refused,
            })
        }
    }
}

async fn begin_enrollment(
    request: &RequestContext<'_>,
) -> Result<EndpointReply<NewAuthenticator>, ActRefused> {
    let token = require_token(request)?;
    if token.payload().may == EnrollmentPermission::WithOneTimeCode {
        let text = request.language.text("enrollment-required-line");
        return Err(ActRefused::new(
            StatusCode::FORBIDDEN,
            "one_time_code_required",
            text,
        ));
    }
    match enroll::begin_enrollment(request, &token)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?
    {
        None => Err(expired(request)),
        Some(shown) => Ok(EndpointReply::new(describe_new_authenticator(
            request, shown,
        )?)),
    }
}

async fn confirm_enrollment(
    request: &RequestContext<'_>,
    body: FirstCode,
) -> Result<EndpointReply<NewRecoveryCodes>, ActRefused> {
    let token = require_token(request)?;
    let result = enroll::confirm_enrollment(
        request,
        &token,
        body.pending,
        Input::parse(body.code.as_bytes()),
    )
    .await;
    match result.map_err(|error| refusal::refuse_sign_in(request, &error))? {
        AfterEnrollmentCode::Over => Err(expired(request)),
        AfterEnrollmentCode::Refused(refusal, _) => {
            Err(as_unauthorized(ActRefused::code(request.language, refusal)))
        }
        AfterEnrollmentCode::Confirmed { codes, confirmed } => {
            Ok(EndpointReply::new(NewRecoveryCodes {
                recovery_codes: codes,
                pending: confirmed,
            }))
        }
    }
}

async fn finish_enrollment(
    request: &RequestContext<'_>,
    body: Saved,
) -> Result<EndpointReply<Next>, ActRefused> {
    let token = require_token(request)?;
    match enroll::activate_enrollment(request, &token, body.pending)
        .await
        .map_err(|error| refusal::refuse_sign_in(request, &error))?
    {
        AfterEnrollment::Over => Err(expired(request)),
        AfterEnrollment::Opened(opened) => {
            let done = finish_sign_in(request, &opened, &token.payload().back_to);
            Ok(EndpointReply {
                reply: enroll::without_enrollment_cookie(request, done.reply),
                ..done
            })
        }
    }
}

/// Describes a pending enrollment.
pub(super) fn describe_new_authenticator(
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

fn require_token(request: &RequestContext<'_>) -> Result<EnrollmentToken, ActRefused> {
    request.enrollment_token().ok_or_else(|| expired(request))
}

fn expired(request: &RequestContext<'_>) -> ActRefused {
    ActRefused::new(
        StatusCode::UNAUTHORIZED,
        "enrollment_expired",
        request.language.text("enrollment-expired"),
    )
}
