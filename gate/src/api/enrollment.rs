//! A setup: the secret, a code, the recovery codes, and only then the second factor is on. Its ticket is a cookie.

use super::body::{Needed, Nothing};
use super::endpoint::{Access, Done, Endpoint};
use super::login::{Next, at_sign_in, signed_in};
use crate::http::reply;
use crate::web::login::Guest;
use crate::web::refusal::Refused;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use shared::credential::input::Answer;
use shared::credential::qr;
use shared::engine::{AfterSetup, AfterSetupCode, EnrollmentToken, MayEnroll, Shown};
use shared::protocol::command_request::Typed;
use shared::verify::decision::Refusal;
use utoipa::ToSchema;

/// A new authenticator, which nothing keeps yet.
#[derive(Serialize, ToSchema)]
pub(super) struct NewAuthenticator {
    /// In Base32.
    #[schema(value_type = String)]
    secret: Typed,
    #[schema(value_type = String)]
    otpauth_url: Typed,
    /// The same as a picture, SVG.
    qr: String,
    /// How long its codes are.
    digits: u32,
    /// Brings it back, with its first code.
    #[schema(value_type = String)]
    pending: Typed,
}

/// The first code of a new authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstCode {
    #[schema(value_type = String)]
    pub(super) pending: Typed,
    #[schema(value_type = String)]
    pub(super) code: Typed,
}

/// What is said to be saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    #[schema(value_type = String)]
    pub(super) pending: Typed,
}

/// An administrator's one-time code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OneTimeCode {
    #[schema(value_type = String)]
    code: Typed,
}

/// New recovery codes, said this once.
#[derive(Serialize, ToSchema)]
pub(super) struct NewRecoveryCodes {
    #[schema(value_type = Vec<String>)]
    pub(super) recovery_codes: Vec<Typed>,
    /// Makes them good, once they are saved.
    #[schema(value_type = String)]
    pub(super) pending: Typed,
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    use Access::Anyone;
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

async fn invite(guest: &Guest<'_>, given: OneTimeCode) -> Result<Done<()>, Refused> {
    let ticket = ticket(guest)?;
    let invited = guest
        .invite(&ticket, Answer::read(given.code.as_bytes()))
        .await;
    match invited.map_err(|error| guest.not_signed_in(&error))? {
        Ok(ticket) => {
            let reply = guest.with_ticket(reply::bare(StatusCode::OK), &ticket);
            Ok(Done {
                reply: reply.map_err(|error| guest.not_signed_in(&error))?,
                answer: (),
            })
        }
        Err(Refusal::Expired) => Err(over(guest)),
        Err(refusal) => {
            let refused = at_sign_in(Refused::answer(guest.t, refusal));
            Err(match refusal {
                Refusal::Unfit => Refused {
                    text: guest.t.say("one-time-code-invalid"),
                    ..refused
                },
                _ => refused,
            })
        }
    }
}

async fn begin(guest: &Guest<'_>) -> Result<Done<NewAuthenticator>, Refused> {
    let ticket = ticket(guest)?;
    if ticket.payload().may == MayEnroll::WithOneTimeCode {
        let text = guest.t.say("enrollment-required-line");
        return Err(Refused::new(
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
        Some(shown) => Ok(Done::saying(new_authenticator(guest, shown)?)),
    }
}

async fn confirm(guest: &Guest<'_>, given: FirstCode) -> Result<Done<NewRecoveryCodes>, Refused> {
    let ticket = ticket(guest)?;
    let entered = guest
        .enter_setup_code(&ticket, given.pending, Answer::read(given.code.as_bytes()))
        .await;
    match entered.map_err(|error| guest.not_signed_in(&error))? {
        AfterSetupCode::Over => Err(over(guest)),
        AfterSetupCode::Refused(refusal, _) => Err(at_sign_in(Refused::answer(guest.t, refusal))),
        AfterSetupCode::Confirmed { codes, confirmed } => Ok(Done::saying(NewRecoveryCodes {
            recovery_codes: codes,
            pending: confirmed,
        })),
    }
}

async fn finish(guest: &Guest<'_>, given: Saved) -> Result<Done<Next>, Refused> {
    let ticket = ticket(guest)?;
    match guest
        .activate_setup(&ticket, given.pending)
        .await
        .map_err(|error| guest.not_signed_in(&error))?
    {
        AfterSetup::Over => Err(over(guest)),
        AfterSetup::Opened(opened) => {
            let done = signed_in(guest, &opened, &ticket.payload().back_to);
            Ok(Done {
                reply: guest.without_ticket(done.reply),
                ..done
            })
        }
    }
}

/// What is said of a new one.
pub(super) fn new_authenticator(
    guest: &Guest<'_>,
    shown: Shown,
) -> Result<NewAuthenticator, Refused> {
    let qr = qr::svg(&shown.url).ok_or_else(|| {
        let why = "the otpauth URI is too long for a QR code; shorten totp.issuer".to_owned();
        guest.not_signed_in(&crate::live::store_pool::NotJudged::Failed {
            cause: "unavailable",
            why,
        })
    })?;
    let Shown {
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

fn ticket(guest: &Guest<'_>) -> Result<EnrollmentToken, Refused> {
    guest.setup_ticket().ok_or_else(|| over(guest))
}

fn over(guest: &Guest<'_>) -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "enrollment_expired",
        guest.t.say("enrollment-expired"),
    )
}
