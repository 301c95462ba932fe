//! A refused act: the status and the text for a page, and a code for programs, which is the same in
//! every language.

use super::language::Language;
use crate::http::form::Form;
use crate::http::reply::HttpReply;
use crate::live::store_pool::PoolError;
use hyper::StatusCode;
use postern_shared::crypto::password::{self, PasswordError};
use postern_shared::engine::messages;
use postern_shared::engine::{
    AdministrationError, AppPasswordError, MailRefusal, NotMailed, PasskeyError,
};
use postern_shared::system::clock::Timestamp;
use postern_shared::token::PageMessage;
use postern_shared::verify::decision::Refusal;
use std::ops::Deref;

/// Fields of a page's query or form, and how the form was answered.
pub(crate) struct PageForm {
    fields: Form,
    pub(crate) refused: Option<ActRefused>,
    /// What was done, for the page of the form.
    pub(crate) status: Option<String>,
}

impl PageForm {
    pub(crate) fn new(fields: Form) -> PageForm {
        PageForm {
            fields,
            refused: None,
            status: None,
        }
    }

    /// Makes the fields of the sign-in page.
    pub(crate) fn of_sign_in(return_url: &str, user: &str) -> PageForm {
        let fields = [("rd", return_url), ("user", user)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        PageForm::new(Form::of_query("").with_first(fields.into()))
    }

    pub(crate) fn with_refusal(self, refused: ActRefused) -> PageForm {
        PageForm {
            refused: Some(refused),
            ..self
        }
    }

    /// Adds the message that a redirect brought, with the fields that it keeps.
    pub(crate) fn with_message(self, message: PageMessage, now: Timestamp) -> PageForm {
        let waited = now.since(message.issued);
        let status = StatusCode::from_u16(message.status).unwrap_or(StatusCode::FORBIDDEN);
        let fields = self.fields.with_first(message.fields);
        if status == StatusCode::OK {
            return PageForm {
                fields,
                status: Some(message.text),
                ..self
            };
        }
        let left = message.retry_after.map(|wait| wait.saturating_sub(waited));
        let refused = ActRefused {
            retry_after: left,
            ..ActRefused::new(status, REDIRECTED, message.text)
        };
        PageForm {
            fields,
            refused: Some(refused),
            ..self
        }
    }

    /// Returns the message above the form.
    pub(crate) fn message(&self) -> Option<&str> {
        self.refused.as_ref().map(|refused| refused.text.as_str())
    }

    /// Returns the seconds to wait before another attempt.
    pub(crate) fn wait(&self) -> Option<u64> {
        self.refused.as_ref()?.retry_after.filter(|wait| *wait > 0)
    }
}

/// Code of a refusal that a redirect brought to its page: programs receive none.
const REDIRECTED: &str = "redirected";

impl Deref for PageForm {
    type Target = Form;

    fn deref(&self) -> &Form {
        &self.fields
    }
}

/// Result of a page's handler.
pub(crate) type PageResult = Result<HttpReply, HandlerError>;

/// Result of an act.
pub(crate) type ActResult<T> = Result<T, ActRefused>;

/// Why a handler of a page or an endpoint has no result.
#[derive(Debug)]
pub(crate) enum HandlerError {
    Refused(ActRefused),
    /// The act is done, and the page of its form says so.
    Done(String),
    /// No worker did what a sign-in needs, which is counted as a sign-in that failed.
    SignIn(PoolError),
    /// To this client nothing exists here.
    NotFound,
}

impl From<ActRefused> for HandlerError {
    fn from(refused: ActRefused) -> HandlerError {
        HandlerError::Refused(refused)
    }
}

impl From<PoolError> for HandlerError {
    fn from(error: PoolError) -> HandlerError {
        HandlerError::SignIn(error)
    }
}

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

    pub(crate) fn unauthorized(code: &'static str, text: String) -> ActRefused {
        ActRefused::new(StatusCode::UNAUTHORIZED, code, text)
    }

    pub(crate) fn forbidden(code: &'static str, text: String) -> ActRefused {
        ActRefused::new(StatusCode::FORBIDDEN, code, text)
    }

    pub(crate) fn not_found(code: &'static str, text: String) -> ActRefused {
        ActRefused::new(StatusCode::NOT_FOUND, code, text)
    }

    pub(crate) fn conflict(code: &'static str, text: String) -> ActRefused {
        ActRefused::new(StatusCode::CONFLICT, code, text)
    }

    pub(crate) fn unavailable(code: &'static str, text: String) -> ActRefused {
        ActRefused::new(StatusCode::SERVICE_UNAVAILABLE, code, text)
    }

    pub(crate) fn too_many_requests(code: &'static str, text: String, wait: u64) -> ActRefused {
        let refused = ActRefused::new(StatusCode::TOO_MANY_REQUESTS, code, text);
        ActRefused {
            retry_after: Some(wait),
            ..refused
        }
    }

    /// The session has expired or was revoked, or there was none.
    pub(crate) fn signed_out(language: &Language) -> ActRefused {
        ActRefused::unauthorized("signed_out", language.text("not-signed-in-line"))
    }

    /// The client is not authenticated yet, so that 403 is 401.
    pub(crate) fn into_unauthorized(self) -> ActRefused {
        match self.status {
            StatusCode::FORBIDDEN => ActRefused {
                status: StatusCode::UNAUTHORIZED,
                ..self
            },
            _ => self,
        }
    }

    /// An input that is not valid.
    pub(crate) fn invalid_value(text: String) -> ActRefused {
        ActRefused::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", text)
    }

    /// A new password can be guessed.
    fn common_password(text: String) -> ActRefused {
        ActRefused::new(StatusCode::UNPROCESSABLE_ENTITY, "password_common", text)
    }

    /// A code or a password was refused.
    pub(crate) fn code(language: &Language, refusal: Refusal) -> ActRefused {
        let text = language.message(refusal);
        match refusal {
            Refusal::Wrong | Refusal::Ahead { .. } => ActRefused::forbidden("wrong_code", text),
            Refusal::Used { wait } => ActRefused {
                retry_after: Some(wait).filter(|wait| *wait > 0),
                ..ActRefused::forbidden("code_used", text)
            },
            Refusal::Behind { .. } => ActRefused::forbidden("clock_behind", text),
            Refusal::ClockSetBack { .. } => ActRefused::forbidden("clock_set_back", text),
            Refusal::Delayed { wait } | Refusal::AddressDelayed { wait } => {
                ActRefused::too_many_requests("too_many_attempts", text, wait)
            }
            Refusal::Locked => ActRefused::forbidden("locked", text),
            Refusal::Malformed => ActRefused::forbidden("no_code", text),
            Refusal::NotEnrolled => ActRefused::forbidden("not_enrolled", text),
            Refusal::CodeExpired => ActRefused::forbidden("code_expired", text),
            Refusal::Expired => ActRefused::unauthorized("sign_in_expired", text),
        }
    }

    /// A passkey was refused.
    pub(crate) fn passkey(language: &Language) -> ActRefused {
        ActRefused::forbidden("passkey_refused", language.text("passkey-refused"))
    }

    /// The account's own password was refused.
    pub(crate) fn password(language: &Language, refusal: Refusal) -> ActRefused {
        match refusal {
            Refusal::Wrong | Refusal::Malformed => {
                ActRefused::forbidden("wrong_password", language.text("wrong-password"))
            }
            other => ActRefused::code(language, other),
        }
    }

    /// No worker did what the request needs.
    pub(crate) fn unprocessed(language: &Language, error: &PoolError) -> ActRefused {
        match error {
            PoolError::Busy(busy) => ActRefused {
                retry_after: Some(2),
                ..ActRefused::unavailable("busy", language.busy(*busy))
            },
            PoolError::Failed { .. } => {
                ActRefused::unavailable("unavailable", language.text("unavailable-line"))
            }
        }
    }

    /// Translates an error of an act.
    pub(crate) fn act(language: &Language, error: &AdministrationError) -> ActRefused {
        use AdministrationError as Error;
        use AppPasswordError as Password;
        let conflict = ActRefused::conflict;
        let not_found = ActRefused::not_found;
        let invalid_value = ActRefused::invalid_value;
        match error {
            Error::UnknownAccount(_) => not_found("no_account", language.text("no-account")),
            Error::AlreadyEnrolled(_) => {
                conflict("already_enrolled", language.text("already-enrolled"))
            }
            Error::OneTimeCodeNeeded(_) => conflict(
                "one_time_code_required",
                language.text("address-needs-second-factor"),
            ),
            Error::NotEnrolled(_) => conflict("not_enrolled", language.text("no-second-factor")),
            Error::LabelTaken(..) | Error::AppPassword(Password::NameTaken(..)) => {
                conflict("name_taken", language.text("name-taken"))
            }
            Error::OtherSpelling(_) => conflict("name_taken", language.text("other-spelling")),
            Error::UnknownAuthenticator(..)
            | Error::NothingToRevoke(..)
            | Error::AppPassword(Password::Unknown(..) | Password::None(_)) => {
                not_found("no_such_item", language.text("not-found"))
            }
            Error::LastAuthenticator(_) => {
                conflict("last_authenticator", language.text("last-authenticator"))
            }
            Error::TooMany(_, most) => conflict(
                "too_many",
                language.text_with("too-many", "most", *most as u64),
            ),
            Error::AppPassword(Password::TooMany(..)) => {
                conflict("too_many", language.text("too-many-app-passwords"))
            }
            Error::AppPassword(Password::Undeclared(name)) => {
                invalid_value(language.text_with("scope-unknown", "name", name.to_string()))
            }
            Error::AppPassword(Password::Gate) => invalid_value(language.text("scope-of-gate")),
            Error::AppPassword(Password::Past) => invalid_value(language.text("expiry-past")),
            Error::Passkey(error) => match error {
                PasskeyError::NotAvailable | PasskeyError::OtherRelyingParty(_) => {
                    conflict("no_passkeys", language.text("passkeys-not-available"))
                }
                PasskeyError::NameTaken(..) => conflict("name_taken", language.text("name-taken")),
                PasskeyError::Unknown(..) => not_found("no_such_item", language.text("not-found")),
                PasskeyError::TooMany(_, most) => conflict(
                    "too_many",
                    language.text_with("too-many-passkeys", "most", *most as u64),
                ),
                PasskeyError::Registered => {
                    conflict("already_registered", language.text("passkey-registered"))
                }
                PasskeyError::WeakSession(_) => {
                    let text = language.text("passkeys-need-passkey");
                    ActRefused::forbidden("passkey_sign_in_required", text)
                }
                PasskeyError::Refused(_) => ActRefused::passkey(language),
            },
            Error::CodeUsed => conflict("code_used", language.text("secret-code-used")),
            Error::Stale => conflict("stale", language.text("stale")),
            Error::Authenticator(_) => {
                invalid_value(language.text_with("token-invalid", "why", error.to_string()))
            }
            Error::Declared(_) => conflict("declared", language.text("account-declared")),
            Error::NoMail => conflict("no_mail", language.text("mail-off")),
            Error::MailCooldown(wait) => {
                let text = language.message(MailRefusal::Cooldown { wait: *wait });
                ActRefused::too_many_requests("mail_cooldown", text, *wait)
            }
            Error::NotMailed(NotMailed::Queued) => {
                ActRefused::unavailable("mail_waits", language.message(messages::mail_waits()))
            }
            Error::NotMailed(_) => {
                ActRefused::unavailable("not_mailed", language.text("address-not-mailed"))
            }
            Error::NoAddress(_) | Error::NothingToConfirm(_) | Error::NoCodeToConfirm(_) => {
                conflict("nothing_to_confirm", language.text("nothing-to-confirm"))
            }
            Error::NotConfirmed(refusal) | Error::Code(refusal) => {
                ActRefused::code(language, *refusal)
            }
            Error::Password(PasswordError::TooShort) => {
                let least = password::SHORTEST as u64;
                invalid_value(language.text_with("password-too-short", "least", least))
            }
            Error::Password(PasswordError::TooLong) => {
                invalid_value(language.text("password-too-long"))
            }
            Error::Password(PasswordError::Common) => {
                ActRefused::common_password(language.text("password-common"))
            }
            Error::Password(PasswordError::OfNames) => {
                ActRefused::common_password(language.text("password-of-names"))
            }
            _ => conflict("not_done", language.text("act-failed")),
        }
    }
}
