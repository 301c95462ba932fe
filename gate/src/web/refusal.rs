//! A refused act: the status and the text for a page, and a code for programs, which is the same in
//! every language.

use super::language::Language;
use super::request::RequestContext;
use crate::live::store_pool::PoolError;
use crate::observe::log;
use crate::observe::metrics::METRICS;
use hyper::StatusCode;
use postern_shared::crypto::password::PasswordError;
use postern_shared::engine::{AdministrationError, AppPasswordError, MailRefusal, NotMailed};
use postern_shared::verify::decision::Refusal;

#[derive(Debug)]
pub(crate) struct ActRefused {
    pub(crate) status: StatusCode,
    /// Stable, in snake case; listed in `api::problem`.
    pub(crate) code: &'static str,
    /// In the user's language.
    pub(crate) text: String,
    /// Seconds to wait before another attempt.
    pub(crate) retry_after: Option<u64>,
}

impl ActRefused {
    pub(crate) fn new(status: StatusCode, code: &'static str, text: String) -> ActRefused {
        ActRefused {
            status,
            code,
            text,
            retry_after: None,
        }
    }

    /// The session has expired or was revoked, or there was none.
    pub(crate) fn signed_out(language: &Language) -> ActRefused {
        ActRefused::new(
            StatusCode::UNAUTHORIZED,
            "signed_out",
            language.text("not-signed-in-line"),
        )
    }

    /// The act requires a step-up.
    pub(crate) fn step_up_required(language: &Language) -> ActRefused {
        ActRefused::new(
            StatusCode::FORBIDDEN,
            "step_up_required",
            language.text("step-up-required"),
        )
    }

    /// An input that is not valid.
    pub(crate) fn invalid_value(text: String) -> ActRefused {
        ActRefused::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", text)
    }

    /// A code or a password was refused.
    pub(crate) fn code(language: &Language, refusal: Refusal) -> ActRefused {
        let (status, code) = match refusal {
            Refusal::Wrong | Refusal::Ahead { .. } => (StatusCode::FORBIDDEN, "wrong_code"),
            Refusal::Used { .. } => (StatusCode::FORBIDDEN, "code_used"),
            Refusal::Behind { .. } => (StatusCode::FORBIDDEN, "clock_behind"),
            Refusal::ClockSetBack { .. } => (StatusCode::FORBIDDEN, "clock_set_back"),
            Refusal::Delayed { .. } | Refusal::AddressDelayed { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts")
            }
            Refusal::Locked => (StatusCode::FORBIDDEN, "locked"),
            Refusal::Malformed => (StatusCode::FORBIDDEN, "no_code"),
            Refusal::NotEnrolled => (StatusCode::FORBIDDEN, "not_enrolled"),
            Refusal::CodeExpired => (StatusCode::FORBIDDEN, "code_expired"),
            Refusal::Expired => (StatusCode::UNAUTHORIZED, "sign_in_expired"),
        };
        let retry_after = match refusal {
            Refusal::Delayed { wait } | Refusal::AddressDelayed { wait } => Some(wait),
            _ => None,
        };
        ActRefused {
            retry_after,
            ..ActRefused::new(status, code, language.refusal(refusal))
        }
    }

    /// The account's own password was refused.
    pub(crate) fn password(language: &Language, refusal: Refusal) -> ActRefused {
        match refusal {
            Refusal::Wrong | Refusal::Malformed => ActRefused::new(
                StatusCode::FORBIDDEN,
                "wrong_password",
                language.text("wrong-password"),
            ),
            other => ActRefused::code(language, other),
        }
    }

    /// No worker did what the request needs.
    pub(crate) fn unprocessed(language: &Language, error: &PoolError) -> ActRefused {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        match error {
            PoolError::Busy(busy) => ActRefused {
                retry_after: Some(2),
                ..ActRefused::new(status, "busy", language.busy(*busy))
            },
            PoolError::Failed { .. } => {
                ActRefused::new(status, "unavailable", language.text("unavailable-line"))
            }
        }
    }

    /// Translates an error of an act.
    pub(crate) fn act(language: &Language, error: &AdministrationError) -> ActRefused {
        let conflict = |code, text| ActRefused::new(StatusCode::CONFLICT, code, text);
        let gone = |code, text| ActRefused::new(StatusCode::NOT_FOUND, code, text);
        match error {
            AdministrationError::UnknownAccount(_) => {
                gone("no_account", language.text("no-account"))
            }
            AdministrationError::AlreadyEnrolled(_) => {
                conflict("already_enrolled", language.text("already-enrolled"))
            }
            AdministrationError::NotEnrolled(_) => {
                conflict("not_enrolled", language.text("no-second-factor"))
            }
            AdministrationError::LabelTaken(..)
            | AdministrationError::AppPassword(AppPasswordError::NameTaken(..)) => {
                conflict("name_taken", language.text("name-taken"))
            }
            AdministrationError::OtherSpelling(_) => {
                conflict("name_taken", language.text("other-spelling"))
            }
            AdministrationError::UnknownAuthenticator(..)
            | AdministrationError::NothingToRevoke(..)
            | AdministrationError::AppPassword(
                AppPasswordError::Unknown(..) | AppPasswordError::None(_),
            ) => gone("no_such_item", language.text("not-found")),
            AdministrationError::LastAuthenticator(_) => {
                conflict("last_authenticator", language.text("last-authenticator"))
            }
            AdministrationError::TooMany(_, most) => conflict(
                "too_many",
                language.text_with("too-many", "most", *most as u64),
            ),
            AdministrationError::AppPassword(AppPasswordError::TooMany(..)) => {
                conflict("too_many", language.text("too-many-app-passwords"))
            }
            AdministrationError::AppPassword(AppPasswordError::Undeclared(name)) => {
                ActRefused::invalid_value(language.text_with(
                    "scope-unknown",
                    "name",
                    name.to_string(),
                ))
            }
            AdministrationError::AppPassword(AppPasswordError::Gate) => {
                ActRefused::invalid_value(language.text("scope-of-gate"))
            }
            AdministrationError::AppPassword(AppPasswordError::Past) => {
                ActRefused::invalid_value(language.text("expiry-past"))
            }
            AdministrationError::CodeUsed => {
                conflict("code_used", language.text("secret-code-used"))
            }
            AdministrationError::Stale => conflict("stale", language.text("stale")),
            AdministrationError::Parameters(_) | AdministrationError::Seed(_) => {
                ActRefused::invalid_value(language.text_with(
                    "token-invalid",
                    "why",
                    error.to_string(),
                ))
            }
            AdministrationError::Declared(_) => {
                conflict("declared", language.text("account-declared"))
            }
            AdministrationError::NoMail => conflict("no_mail", language.text("mail-off")),
            AdministrationError::MailCooldown(wait) => ActRefused {
                retry_after: Some(*wait),
                ..ActRefused::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "mail_cooldown",
                    language.mail_refusal(MailRefusal::Cooldown { wait: *wait }),
                )
            },
            AdministrationError::NotMailed(NotMailed::Queued) => ActRefused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "mail_waits",
                language.mail_waits(),
            ),
            AdministrationError::NotMailed(_) => ActRefused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "not_mailed",
                language.text("address-not-mailed"),
            ),
            AdministrationError::NoAddress(_)
            | AdministrationError::NothingToConfirm(_)
            | AdministrationError::NoCodeToConfirm(_) => {
                conflict("nothing_to_confirm", language.text("nothing-to-confirm"))
            }
            AdministrationError::NotConfirmed(refusal) | AdministrationError::Code(refusal) => {
                ActRefused::code(language, *refusal)
            }
            AdministrationError::Password(PasswordError::TooShort) => {
                ActRefused::invalid_value(language.text_with(
                    "password-too-short",
                    "least",
                    postern_shared::crypto::password::SHORTEST as u64,
                ))
            }
            AdministrationError::Password(PasswordError::TooLong) => {
                ActRefused::invalid_value(language.text("password-too-long"))
            }
            _ => conflict("not_done", language.text("act-failed")),
        }
    }
}

/// Logs why no worker did what the request needs, and makes a refusal of it.
pub(crate) fn refuse_unprocessed(request: &RequestContext<'_>, error: &PoolError) -> ActRefused {
    if let PoolError::Failed { cause, why } = error {
        log::event("refused")
            .with("cause", cause)
            .with("address", request.address)
            .write_with_message(why);
    }
    ActRefused::unprocessed(request.language, error)
}

/// Returns the result of an act, or logs why there is none and makes a refusal of it.
pub(crate) fn check_act<T>(
    request: &RequestContext<'_>,
    result: Result<Result<T, AdministrationError>, PoolError>,
) -> Result<T, ActRefused> {
    let result = result.map_err(|error| refuse_unprocessed(request, &error))?;
    result.map_err(|error| {
        let refused = ActRefused::act(request.language, &error);
        let line = log::event("refused")
            .with("cause", refused.code)
            .with("address", request.address);
        line.write_with_message(&error);
        refused
    })
}

/// The same at sign-in, where failures are counted.
pub(crate) fn refuse_sign_in(request: &RequestContext<'_>, error: &PoolError) -> ActRefused {
    if let PoolError::Failed { cause, .. } = error {
        METRICS.count_sign_in("failed", cause);
    }
    refuse_unprocessed(request, error)
}
