//! One verification by PAM: whether the password is right, and whether the account may be used.
//!
//! MUST refuse root, whose password must not be guessed through the gate.
//!
//! MUST refuse a name that the host knows in another spelling: the gate would take it for another
//! account.

use nix::unistd::User;
use nonstick::conv::Exchange;
use nonstick::items::{Items, ItemsMut};
use nonstick::{AuthnFlags, Conversation, ErrorCode, PamShared, Transaction, TransactionBuilder};
use shared::config::gate::PamServiceFile;
use shared::protocol::host_password::{Candidate, HostPasswordRequest};
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

/// Why the password is refused. The reason is for the log alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordRefusal {
    Root,
    /// PAM refused the password.
    Authentication(ErrorCode),
    /// PAM accepted the password and refused the account.
    Account(ErrorCode),
    /// PAM granted access without asking for the password.
    NotChecked,
    /// The host has no account of exactly this name.
    OtherName,
}

/// A PAM conversation that answers one password prompt and refuses every other one.
struct PasswordConversation {
    password: Candidate,
    given: Rc<Cell<bool>>,
}

impl Conversation for PasswordConversation {
    fn communicate(&self, messages: &[Exchange<'_>]) {
        for message in messages {
            match message {
                Exchange::Info(told) => told.set_answer(Ok(())),
                Exchange::Error(told) => told.set_answer(Ok(())),
                Exchange::MaskedPrompt(prompt) if !self.given.replace(true) => {
                    prompt.set_answer(Ok(OsStr::from_bytes(self.password.bytes()).to_owned()));
                }
                other => other.set_error(ErrorCode::ConversationError),
            }
        }
    }
}

pub(crate) fn verify_password(
    question: HostPasswordRequest,
    service: &PamServiceFile,
) -> Result<(), PasswordRefusal> {
    let HostPasswordRequest {
        name,
        address,
        password,
        ..
    } = question;
    let known = User::from_name(name.as_str()).ok().flatten();
    if known.as_ref().is_some_and(|user| user.uid.is_root()) {
        return Err(PasswordRefusal::Root);
    }
    let given = Rc::new(Cell::new(false));
    let answering = PasswordConversation {
        password,
        given: Rc::clone(&given),
    };
    let mut transaction = TransactionBuilder::new_with_service(service.as_str())
        .username(name.as_str())
        .build(answering)
        .map_err(PasswordRefusal::Authentication)?;
    if let Some(address) = address {
        let address = OsString::from(address.to_string());
        transaction
            .items_mut()
            .set_remote_host(Some(&address))
            .map_err(PasswordRefusal::Authentication)?;
    }
    // An account with an empty password has no password that could be right.
    let flags = AuthnFlags::SILENT | AuthnFlags::DISALLOW_NULL_AUTHTOK;
    transaction
        .authenticate(flags)
        .map_err(PasswordRefusal::Authentication)?;
    transaction
        .account_management(flags)
        .map_err(PasswordRefusal::Account)?;
    if !given.get() {
        return Err(PasswordRefusal::NotChecked);
    }
    let entered = transaction
        .items()
        .user()
        .map_err(PasswordRefusal::Account)?;
    let is_own = entered.as_deref() == Some(OsStr::new(name.as_str()));
    match known {
        Some(user) if is_own && user.name == name.as_str() => Ok(()),
        _ => Err(PasswordRefusal::OtherName),
    }
}

impl fmt::Display for PasswordRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordRefusal::Root => f.write_str("root"),
            PasswordRefusal::Authentication(
                ErrorCode::AuthenticationError | ErrorCode::UserUnknown,
            ) => f.write_str("wrong"),
            PasswordRefusal::Authentication(error) => write!(f, "auth-{}", error_name(*error)),
            PasswordRefusal::Account(ErrorCode::AccountExpired) => f.write_str("account-expired"),
            PasswordRefusal::Account(ErrorCode::NewAuthTokRequired) => {
                f.write_str("password-expired")
            }
            PasswordRefusal::Account(
                ErrorCode::AuthenticationError | ErrorCode::PermissionDenied,
            ) => f.write_str("account-refused"),
            PasswordRefusal::Account(error) => write!(f, "account-{}", error_name(*error)),
            PasswordRefusal::NotChecked => f.write_str("password-not-checked"),
            PasswordRefusal::OtherName => f.write_str("name-mismatch"),
        }
    }
}

fn error_name(error: ErrorCode) -> String {
    format!("{error:?}").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonstick::conv::{ErrorMsg, InfoMsg, MaskedQAndA, QAndA};

    fn answering() -> PasswordConversation {
        let password = Candidate::from_input(b"secret \xff").unwrap();
        PasswordConversation {
            password,
            given: Rc::default(),
        }
    }

    #[test]
    fn the_password_is_given_once_and_only_where_it_does_not_show() {
        let answering = answering();
        let (told, warned) = (
            InfoMsg::new(OsStr::new("welcome")),
            ErrorMsg::new(OsStr::new("beware")),
        );
        let shown = QAndA::new(OsStr::new("Password: "));
        answering.communicate(&[told.exchange(), warned.exchange(), shown.exchange()]);
        assert_eq!((told.answer(), warned.answer()), (Ok(()), Ok(())));
        assert_eq!(shown.answer(), Err(ErrorCode::ConversationError));
        assert!(!answering.given.get());

        let (first, second) = (
            MaskedQAndA::new(OsStr::new("Password: ")),
            MaskedQAndA::new(OsStr::new("Password: ")),
        );
        answering.communicate(&[first.exchange(), second.exchange()]);
        assert_eq!(first.answer().unwrap().as_bytes(), b"secret \xff");
        assert_eq!(second.answer(), Err(ErrorCode::ConversationError));
        let third = MaskedQAndA::new(OsStr::new("Verification code: "));
        answering.communicate(&[third.exchange()]);
        assert_eq!(third.answer(), Err(ErrorCode::ConversationError));
        assert!(answering.given.get());
    }

    #[test]
    fn what_pam_says_has_a_word_in_the_log() {
        for (no, word) in [
            (
                PasswordRefusal::Authentication(ErrorCode::AuthenticationError),
                "wrong",
            ),
            (
                PasswordRefusal::Authentication(ErrorCode::UserUnknown),
                "wrong",
            ),
            (
                PasswordRefusal::Authentication(ErrorCode::SystemError),
                "auth-systemerror",
            ),
            (
                PasswordRefusal::Account(ErrorCode::AccountExpired),
                "account-expired",
            ),
            (
                PasswordRefusal::Account(ErrorCode::NewAuthTokRequired),
                "password-expired",
            ),
            (
                PasswordRefusal::Account(ErrorCode::PermissionDenied),
                "account-refused",
            ),
            (PasswordRefusal::NotChecked, "password-not-checked"),
        ] {
            assert_eq!(no.to_string(), word);
        }
    }
}
