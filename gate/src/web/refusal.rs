//! An act that was refused: for a page the text and the status, for a program a code that stays the same.

use super::language::Language;
use crate::live::store_pool::NotJudged;
use hyper::StatusCode;
use shared::crypto::password::PasswordError;
use shared::engine::{AdministrationError, AppPasswordError, MailRefusal, NotMailed};
use shared::verify::decision::Refusal;

/// Why nothing was done.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// Stable, in snake case.
    pub(crate) code: &'static str,
    /// In the person's language.
    pub(crate) text: String,
    /// Seconds after which another try makes sense.
    pub(crate) retry_after: Option<u64>,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, code: &'static str, text: String) -> Refused {
        Refused {
            status,
            code,
            text,
            retry_after: None,
        }
    }

    /// The session has ended, or there was none.
    pub(crate) fn signed_out(t: &Language) -> Refused {
        Refused::new(
            StatusCode::UNAUTHORIZED,
            "signed_out",
            t.say("not-signed-in-line"),
        )
    }

    /// A session alone is not enough.
    pub(crate) fn step_up_required(t: &Language) -> Refused {
        Refused::new(
            StatusCode::FORBIDDEN,
            "step_up_required",
            t.say("step-up-required"),
        )
    }

    /// What was typed makes no sense.
    pub(crate) fn unreadable(text: String) -> Refused {
        Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", text)
    }

    /// A code, or a password, that is not good.
    pub(crate) fn answer(t: &Language, refusal: Refusal) -> Refused {
        let (status, code) = match refusal {
            Refusal::Wrong | Refusal::Ahead { .. } => (StatusCode::FORBIDDEN, "wrong_code"),
            Refusal::Used { .. } => (StatusCode::FORBIDDEN, "code_used"),
            Refusal::Behind { .. } => (StatusCode::FORBIDDEN, "clock_behind"),
            Refusal::ClockSetBack { .. } => (StatusCode::FORBIDDEN, "clock_set_back"),
            Refusal::Delayed { .. } | Refusal::AddressDelayed { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts")
            }
            Refusal::Locked => (StatusCode::FORBIDDEN, "locked"),
            Refusal::Unfit => (StatusCode::FORBIDDEN, "no_code"),
            Refusal::NotEnrolled => (StatusCode::FORBIDDEN, "not_enrolled"),
            Refusal::CodeExpired => (StatusCode::FORBIDDEN, "code_expired"),
            Refusal::Expired => (StatusCode::UNAUTHORIZED, "sign_in_expired"),
        };
        let retry_after = match refusal {
            Refusal::Delayed { wait } | Refusal::AddressDelayed { wait } => Some(wait),
            _ => None,
        };
        Refused {
            retry_after,
            ..Refused::new(status, code, t.refusal(refusal))
        }
    }

    /// The person's own password.
    pub(crate) fn password(t: &Language, refusal: Refusal) -> Refused {
        match refusal {
            Refusal::Wrong | Refusal::Unfit => Refused::new(
                StatusCode::FORBIDDEN,
                "wrong_password",
                t.say("wrong-password"),
            ),
            other => Refused::answer(t, other),
        }
    }

    /// No door could judge.
    pub(crate) fn not_judged(t: &Language, error: &NotJudged) -> Refused {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        match error {
            NotJudged::Busy(busy) => Refused {
                retry_after: Some(2),
                ..Refused::new(status, "busy", t.busy(*busy))
            },
            NotJudged::Failed { .. } => {
                Refused::new(status, "unavailable", t.say("unavailable-line"))
            }
        }
    }

    /// What a door says of an act.
    pub(crate) fn act(t: &Language, error: &AdministrationError) -> Refused {
        let conflict = |code, text| Refused::new(StatusCode::CONFLICT, code, text);
        let gone = |code, text| Refused::new(StatusCode::NOT_FOUND, code, text);
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
                Refused::unreadable(t.say_of("scope-unknown", "name", name.to_string()))
            }
            AdministrationError::AppPassword(AppPasswordError::Gate) => {
                Refused::unreadable(t.say("scope-of-gate"))
            }
            AdministrationError::AppPassword(AppPasswordError::Past) => {
                Refused::unreadable(t.say("expiry-past"))
            }
            AdministrationError::CodeUsed => conflict("code_used", t.say("secret-code-used")),
            AdministrationError::Stale => conflict("stale", t.say("stale")),
            AdministrationError::Parameters(_) | AdministrationError::Seed(_) => {
                Refused::unreadable(t.say_of("token-invalid", "why", error.to_string()))
            }
            AdministrationError::Declared(_) => conflict("declared", t.say("account-declared")),
            AdministrationError::NoMail => conflict("no_mail", t.say("mail-off")),
            AdministrationError::MailCooldown(wait) => Refused {
                retry_after: Some(*wait),
                ..Refused::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "mail_cooldown",
                    t.mail_refusal(MailRefusal::Cooldown { wait: *wait }),
                )
            },
            AdministrationError::NotMailed(NotMailed::Waits) => Refused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "mail_waits",
                t.mail_waits(),
            ),
            AdministrationError::NotMailed(_) => Refused::new(
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
                Refused::answer(t, *refusal)
            }
            AdministrationError::Password(PasswordError::TooShort) => {
                Refused::unreadable(t.say_of(
                    "password-too-short",
                    "least",
                    shared::crypto::password::SHORTEST as u64,
                ))
            }
            AdministrationError::Password(PasswordError::TooLong) => {
                Refused::unreadable(t.say("password-too-long"))
            }
            _ => conflict("not_done", t.say("act-failed")),
        }
    }
}
