//! One judgement by PAM: is this the password, and may the account be entered?
//!
//! MUST say no to root, whose password is not to be guessed by way of the gate.
//! MUST say no to a name that the host knows by another spelling: the gate would take it for another account.

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

/// Why not, for the log alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    /// It is root's.
    Root,
    /// PAM does not take the password.
    Authentication(ErrorCode),
    /// It does, and does not let the account in.
    Account(ErrorCode),
    /// It let in without looking at the password.
    NotLookedAt,
    /// The host has no account of exactly this name.
    OtherName,
}

/// Answers the one question for the password, and nothing else.
struct Answering {
    password: Candidate,
    given: Rc<Cell<bool>>,
}

impl Conversation for Answering {
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

/// Asks PAM.
pub(crate) fn judge(question: HostPasswordRequest, service: &PamServiceFile) -> Result<(), No> {
    let HostPasswordRequest {
        name,
        address,
        password,
        ..
    } = question;
    let known = User::from_name(name.as_str()).ok().flatten();
    if known.as_ref().is_some_and(|user| user.uid.is_root()) {
        return Err(No::Root);
    }
    let given = Rc::new(Cell::new(false));
    let answering = Answering {
        password,
        given: Rc::clone(&given),
    };
    let mut transaction = TransactionBuilder::new_with_service(service.as_str())
        .username(name.as_str())
        .build(answering)
        .map_err(No::Authentication)?;
    if let Some(address) = address {
        let address = OsString::from(address.to_string());
        transaction
            .items_mut()
            .set_remote_host(Some(&address))
            .map_err(No::Authentication)?;
    }
    // an account without a password has none that could be right
    let flags = AuthnFlags::SILENT | AuthnFlags::DISALLOW_NULL_AUTHTOK;
    transaction
        .authenticate(flags)
        .map_err(No::Authentication)?;
    transaction.account_management(flags).map_err(No::Account)?;
    if !given.get() {
        return Err(No::NotLookedAt);
    }
    let entered = transaction.items().user().map_err(No::Account)?;
    let is_own = entered.as_deref() == Some(OsStr::new(name.as_str()));
    match known {
        Some(user) if is_own && user.name == name.as_str() => Ok(()),
        _ => Err(No::OtherName),
    }
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            No::Root => f.write_str("root"),
            No::Authentication(ErrorCode::AuthenticationError | ErrorCode::UserUnknown) => {
                f.write_str("wrong")
            }
            No::Authentication(error) => write!(f, "auth-{}", name_of(*error)),
            No::Account(ErrorCode::AccountExpired) => f.write_str("account-expired"),
            No::Account(ErrorCode::NewAuthTokRequired) => f.write_str("password-expired"),
            No::Account(ErrorCode::AuthenticationError | ErrorCode::PermissionDenied) => {
                f.write_str("account-refused")
            }
            No::Account(error) => write!(f, "account-{}", name_of(*error)),
            No::NotLookedAt => f.write_str("password-not-checked"),
            No::OtherName => f.write_str("name-mismatch"),
        }
    }
}

fn name_of(error: ErrorCode) -> String {
    format!("{error:?}").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonstick::conv::{ErrorMsg, InfoMsg, MaskedQAndA, QAndA};

    fn answering() -> Answering {
        let password = Candidate::from_input(b"secret \xff").unwrap();
        Answering {
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
            (No::Authentication(ErrorCode::AuthenticationError), "wrong"),
            (No::Authentication(ErrorCode::UserUnknown), "wrong"),
            (
                No::Authentication(ErrorCode::SystemError),
                "auth-systemerror",
            ),
            (No::Account(ErrorCode::AccountExpired), "account-expired"),
            (
                No::Account(ErrorCode::NewAuthTokRequired),
                "password-expired",
            ),
            (No::Account(ErrorCode::PermissionDenied), "account-refused"),
            (No::NotLookedAt, "password-not-checked"),
        ] {
            assert_eq!(no.to_string(), word);
        }
    }
}
