//! An act that was refused: for a page the text and the status, for a program a code that stays the same.

use super::language::Language;
use super::request::RequestContext;
use crate::live::store_pool::PoolError;
use crate::observe::log;
use crate::observe::metrics::METRICS;
use hyper::StatusCode;
use shared::crypto::password::PasswordError;
use shared::engine::{AdministrationError, AppPasswordError, MailRefusal, NotMailed};
use shared::verify::decision::Refusal;

/// Why nothing was done.
#[derive(Debug)]
pub(crate) struct ActRefused {
    pub(crate) status: StatusCode,
    /// Stable, in snake case.
    pub(crate) code: &'static str,
    /// In the person's language.
    pub(crate) text: String,
    /// Seconds after which another try makes sense.
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

    /// The session has ended, or there was none.
    pub(crate) fn signed_out(t: &Language) -> ActRefused {
        ActRefused::new(
            StatusCode::UNAUTHORIZED,
            "signed_out",
            t.say("not-signed-in-line"),
        )
    }

    /// A session alone is not enough.
    pub(crate) fn step_up_required(t: &Language) -> ActRefused {
        ActRefused::new(
            StatusCode::FORBIDDEN,
            "step_up_required",
            t.say("step-up-required"),
        )
    }

    /// What was typed makes no sense.
    pub(crate) fn unreadable(text: String) -> ActRefused {
        ActRefused::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", text)
    }

    /// A code, or a password, that is not good.
    pub(crate) fn answer(t: &Language, refusal: Refusal) -> ActRefused {
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
            ..ActRefused::new(status, code, t.refusal(refusal))
        }
    }

    /// The person's own password.
    pub(crate) fn password(t: &Language, refusal: Refusal) -> ActRefused {
        match refusal {
            Refusal::Wrong | Refusal::Malformed => ActRefused::new(
                StatusCode::FORBIDDEN,
                "wrong_password",
                t.say("wrong-password"),
            ),
            other => ActRefused::answer(t, other),
        }
    }

    /// No door could judge.
    pub(crate) fn not_judged(t: &Language, error: &PoolError) -> ActRefused {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        match error {
            PoolError::Busy(busy) => ActRefused {
                retry_after: Some(2),
                ..ActRefused::new(status, "busy", t.busy(*busy))
            },
            PoolError::Failed { .. } => {
                ActRefused::new(status, "unavailable", t.say("unavailable-line"))
            }
        }
    }

    /// What a door says of an act.
    pub(crate) fn act(t: &Language, error: &AdministrationError) -> ActRefused {
        let conflict = |code, text| ActRefused::new(StatusCode::CONFLICT, code, text);
        let gone = |code, text| ActRefused::new(StatusCode::NOT_FOUND, code, text);
        match error {
            AdministrationError::UnknownAccount(_) => gone("no_account", t.say("no-account")),
            AdministrationError::AlreadyEnrolled(_) => {
                conflict("already_enrolled", t.say("already-enrolled"))
            }
            AdministrationError::NotEnrolled(_) => {
                conflict("not_enrolled", t.say("no-second-factor"))
            }
            AdministrationError::LabelTaken(..)
            | AdministrationError::AppPassword(AppPasswordError::NameTaken(..)) => {
                conflict("name_taken", t.say("name-taken"))
            }
            AdministrationError::OtherSpelling(_) => {
                conflict("name_taken", t.say("other-spelling"))
            }
            AdministrationError::UnknownAuthenticator(..)
            | AdministrationError::NothingToRevoke(..)
            | AdministrationError::AppPassword(
                AppPasswordError::Unknown(..) | AppPasswordError::None(_),
            ) => gone("no_such_item", t.say("not-found")),
            AdministrationError::LastAuthenticator(_) => {
                conflict("last_authenticator", t.say("last-authenticator"))
            }
            AdministrationError::TooMany(_, most) => {
                conflict("too_many", t.say_of("too-many", "most", *most as u64))
            }
            AdministrationError::AppPassword(AppPasswordError::TooMany(..)) => {
                conflict("too_many", t.say("too-many-app-passwords"))
            }
            AdministrationError::AppPassword(AppPasswordError::Undeclared(name)) => {
                ActRefused::unreadable(t.say_of("scope-unknown", "name", name.to_string()))
            }
            AdministrationError::AppPassword(AppPasswordError::Gate) => {
                ActRefused::unreadable(t.say("scope-of-gate"))
            }
            AdministrationError::AppPassword(AppPasswordError::Past) => {
                ActRefused::unreadable(t.say("expiry-past"))
            }
            AdministrationError::CodeUsed => conflict("code_used", t.say("secret-code-used")),
            AdministrationError::Stale => conflict("stale", t.say("stale")),
            AdministrationError::Parameters(_) | AdministrationError::Seed(_) => {
                ActRefused::unreadable(t.say_of("token-invalid", "why", error.to_string()))
            }
            AdministrationError::Declared(_) => conflict("declared", t.say("account-declared")),
            AdministrationError::NoMail => conflict("no_mail", t.say("mail-off")),
            AdministrationError::MailCooldown(wait) => ActRefused {
                retry_after: Some(*wait),
                ..ActRefused::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "mail_cooldown",
                    t.mail_refusal(MailRefusal::Cooldown { wait: *wait }),
                )
            },
            AdministrationError::NotMailed(NotMailed::Queued) => ActRefused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "mail_waits",
                t.mail_waits(),
            ),
            AdministrationError::NotMailed(_) => ActRefused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "not_mailed",
                t.say("address-not-mailed"),
            ),
            AdministrationError::NoAddress(_)
            | AdministrationError::NothingToConfirm(_)
            | AdministrationError::NoCodeToConfirm(_) => {
                conflict("nothing_to_confirm", t.say("nothing-to-confirm"))
            }
            AdministrationError::NotConfirmed(refusal) | AdministrationError::Code(refusal) => {
                ActRefused::answer(t, *refusal)
            }
            AdministrationError::Password(PasswordError::TooShort) => {
                ActRefused::unreadable(t.say_of(
                    "password-too-short",
                    "least",
                    shared::crypto::password::SHORTEST as u64,
                ))
            }
            AdministrationError::Password(PasswordError::TooLong) => {
                ActRefused::unreadable(t.say("password-too-long"))
            }
            _ => conflict("not_done", t.say("act-failed")),
        }
    }
}

/// What no door could judge: the log says why.
pub(crate) fn refuse_unprocessed(request: &RequestContext<'_>, error: &PoolError) -> ActRefused {
    if let PoolError::Failed { cause, why } = error {
        log::event("refused")
            .with("cause", cause)
            .with("address", request.address)
            .write_with_message(why);
    }
    ActRefused::not_judged(request.t, error)
}

pub(crate) fn check_act<T>(
    request: &RequestContext<'_>,
    done: Result<T, AdministrationError>,
) -> Result<T, ActRefused> {
    done.map_err(|error| {
        let refused = ActRefused::act(request.t, &error);
        let line = log::event("refused")
            .with("cause", refused.code)
            .with("address", request.address);
        line.write_with_message(&error);
        refused
    })
}

/// What no door could judge on the way in, for a program.
pub(crate) fn refuse_sign_in(request: &RequestContext<'_>, error: &PoolError) -> ActRefused {
    if let PoolError::Failed { cause, .. } = error {
        METRICS.count_sign_in("failed", cause);
    }
    refuse_unprocessed(request, error)
}
