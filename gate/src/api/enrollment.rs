//! Enrollment: the secret, its first code, the recovery codes, and then the second factor is on.
//! The enrollment token is a cookie.

use super::body::{Json, NoBody};
use super::endpoint::{Call, Done, Endpoint, EndpointReply, EndpointResult, endpoint};
use super::login::{Next, finish_sign_in};
use crate::http::route_table::Route;
use crate::live::store_pool::PoolError;
use crate::web::enroll;
use crate::web::refusal::{ActRefused, ActResult};
use crate::web::request::RequestContext;
use hyper::Method;
use postern_shared::credential::input::Input;
use postern_shared::credential::otp::qr;
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
struct EnrollmentCode {
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

pub(super) fn endpoints() -> Vec<Route<Endpoint>> {
    vec![
        endpoint(Method::POST, "enroll/one-time-code", submit_one_time_code)
            .summary("Sends the one-time code that an enrollment requires."),
        endpoint(Method::POST, "enroll", begin_enrollment)
            .summary("Makes the secret of an enrollment that has begun."),
        endpoint(Method::POST, "enroll/confirm", confirm_enrollment)
            .summary("Confirms it with its first code, and returns the recovery codes."),
        endpoint(Method::POST, "enroll/finish", finish_enrollment)
            .summary("Confirms that the recovery codes are saved, and turns the second factor on."),
    ]
}

async fn submit_one_time_code(call: &Call<'_>, body: Json<EnrollmentCode>) -> EndpointResult<Done> {
    let (request, token) = (call.request, require_token(call.request)?);
    let input = Input::parse(body.0.code.as_bytes());
    let refusal = match enroll::verify_one_time_code(request, token, input).await? {
        Ok(token) => {
            let (answer, tokens) = (Done {}, enroll::issue_token(request, &token)?);
            return Ok(EndpointReply { answer, tokens });
        }
        Err(Refusal::Expired) => return Err(expired(request).into()),
        Err(refusal) => refusal,
    };
    let mut refused = ActRefused::code(request.language, refusal).into_unauthorized();
    if refusal == Refusal::Malformed {
        refused.text = request.text("one-time-code-invalid");
    }
    Err(refused.into())
}

async fn begin_enrollment(call: &Call<'_>, _: NoBody) -> EndpointResult<NewAuthenticator> {
    let (request, token) = (call.request, require_token(call.request)?);
    if token.payload().may == EnrollmentPermission::WithOneTimeCode {
        let text = request.text("enrollment-required-line");
        return Err(ActRefused::forbidden("one_time_code_required", text).into());
    }
    match enroll::begin_enrollment(request, &token).await? {
        None => Err(expired(request).into()),
        Some(shown) => Ok(describe_new_authenticator(request, shown)?.into()),
    }
}

async fn confirm_enrollment(
    call: &Call<'_>,
    Json(body): Json<FirstCode>,
) -> EndpointResult<NewRecoveryCodes> {
    let (request, token) = (call.request, require_token(call.request)?);
    let input = Input::parse(body.code.as_bytes());
    match enroll::confirm_enrollment(request, &token, body.pending, input).await? {
        AfterEnrollmentCode::Over => Err(expired(request).into()),
        AfterEnrollmentCode::Refused(refusal, _) => {
            Err(ActRefused::code(request.language, refusal)
                .into_unauthorized()
                .into())
        }
        AfterEnrollmentCode::Confirmed { codes, confirmed } => {
            let (recovery_codes, pending) = (codes, confirmed);
            Ok(NewRecoveryCodes {
                recovery_codes,
                pending,
            }
            .into())
        }
    }
}

async fn finish_enrollment(call: &Call<'_>, body: Json<Saved>) -> EndpointResult<Next> {
    let (request, token) = (call.request, require_token(call.request)?);
    match enroll::activate_enrollment(request, &token, body.0.pending).await? {
        AfterEnrollment::Over => Err(expired(request).into()),
        AfterEnrollment::Opened(opened) => {
            let tokens = enroll::finish_tokens(request, &opened);
            Ok(finish_sign_in(
                request,
                &opened,
                &token.payload().back_to,
                tokens,
            ))
        }
    }
}

/// Describes a pending enrollment.
pub(super) fn describe_new_authenticator(
    request: &RequestContext<'_>,
    shown: ShownEnrollment,
) -> ActResult<NewAuthenticator> {
    let qr = qr::draw_svg(&shown.url).ok_or_else(|| {
        request.refuse_sign_in(&PoolError::Failed {
            cause: "unavailable",
            why: enroll::NO_QR_CODE.to_owned(),
        })
    })?;
    Ok(NewAuthenticator {
        secret: shown.secret,
        otpauth_url: shown.url,
        qr: qr.to_string(),
        digits: shown.digits,
        pending: shown.draft,
    })
}

fn require_token(request: &RequestContext<'_>) -> ActResult<EnrollmentToken> {
    request.enrollment_token().ok_or_else(|| expired(request))
}

fn expired(request: &RequestContext<'_>) -> ActRefused {
    ActRefused::unauthorized("enrollment_expired", request.text("enrollment-expired"))
}
