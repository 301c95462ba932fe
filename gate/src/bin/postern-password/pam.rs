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
use postern_shared::config::gate::PamServiceFile;
use postern_shared::protocol::host_password::{Candidate, HostPasswordRequest};
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
                Exchange::Info(message) => message.set_answer(Ok(())),
                Exchange::Error(message) => message.set_answer(Ok(())),
                Exchange::MaskedPrompt(prompt) if !self.given.replace(true) => {
                    prompt.set_answer(Ok(OsStr::from_bytes(self.password.bytes()).to_owned()));
                }
                other => other.set_error(ErrorCode::ConversationError),
            }
        }
    }
}

pub(crate) fn verify_password(
    request: HostPasswordRequest,
    service: &PamServiceFile,
) -> Result<(), PasswordRefusal> {
    let HostPasswordRequest {
        name,
        address,
        password,
        ..
    } = request;
    let host_user = User::from_name(name.as_str()).ok().flatten();
    if host_user.as_ref().is_some_and(|user| user.uid.is_root()) {
        return Err(PasswordRefusal::Root);
    }
    let given = Rc::new(Cell::new(false));
    let conversation = PasswordConversation {
        password,
        given: Rc::clone(&given),
    };
    let mut transaction = TransactionBuilder::new_with_service(service.as_str())
        .username(name.as_str())
        .build(conversation)
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
    let pam_user = transaction
        .items()
        .user()
        .map_err(PasswordRefusal::Account)?;
    let is_own = pam_user.as_deref() == Some(OsStr::new(name.as_str()));
    match host_user {
        Some(user) if is_own && user.name == name.as_str() => Ok(()),
        _ => Err(PasswordRefusal::OtherName),
    }
}

impl fmt::Display for PasswordRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ErrorCode as Code;
        use PasswordRefusal::{Account, Authentication, NotChecked, OtherName, Root};
        f.write_str(match self {
            Root => "root",
            Authentication(Code::AuthenticationError | Code::UserUnknown) => "wrong",
            Authentication(error) => return write!(f, "auth-{}", error_name(*error)),
            Account(Code::AccountExpired) => "account-expired",
            Account(Code::NewAuthTokRequired) => "password-expired",
            Account(Code::AuthenticationError | Code::PermissionDenied) => "account-refused",
            Account(error) => return write!(f, "account-{}", error_name(*error)),
            NotChecked => "password-not-checked",
            OtherName => "name-mismatch",
        })
    }
}

fn error_name(error: ErrorCode) -> String {
    format!("{error:?}").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::PasswordRefusal::{Account, Authentication, NotChecked};
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
    fn the_password_is_given_once_and_only_to_a_prompt_without_echo() {
        let conversation = answering();
        let (message, warned) = (
            InfoMsg::new(OsStr::new("welcome")),
            ErrorMsg::new(OsStr::new("beware")),
        );
        let shown = QAndA::new(OsStr::new("Password: "));
        conversation.communicate(&[message.exchange(), warned.exchange(), shown.exchange()]);
        assert_eq!((message.answer(), warned.answer()), (Ok(()), Ok(())));
        assert_eq!(shown.answer(), Err(ErrorCode::ConversationError));
        assert!(!conversation.given.get());

        let (first, second) = (
            MaskedQAndA::new(OsStr::new("Password: ")),
            MaskedQAndA::new(OsStr::new("Password: ")),
        );
        conversation.communicate(&[first.exchange(), second.exchange()]);
        assert_eq!(first.answer().unwrap().as_bytes(), b"secret \xff");
        assert_eq!(second.answer(), Err(ErrorCode::ConversationError));
        let third = MaskedQAndA::new(OsStr::new("Verification code: "));
        conversation.communicate(&[third.exchange()]);
        assert_eq!(third.answer(), Err(ErrorCode::ConversationError));
        assert!(conversation.given.get());
    }

    #[test]
    fn every_pam_result_has_a_cause_in_the_log() {
        for (refusal, word) in [
            (Authentication(ErrorCode::AuthenticationError), "wrong"),
            (Authentication(ErrorCode::UserUnknown), "wrong"),
            (Authentication(ErrorCode::SystemError), "auth-systemerror"),
            (Account(ErrorCode::AccountExpired), "account-expired"),
            (Account(ErrorCode::NewAuthTokRequired), "password-expired"),
            (Account(ErrorCode::PermissionDenied), "account-refused"),
            (NotChecked, "password-not-checked"),
        ] {
            assert_eq!(refusal.to_string(), word);
        }
    }
}
