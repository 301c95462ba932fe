//! Why an act of administration is refused. The texts say what to do next; they never contain a
//! secret or an input.

use crate::account::host::HostName;
use crate::account::name::{Label, OtherSpelling, UserName};
use crate::credential::otp::OtpError;
use crate::credential::scope::ScopeName;
use crate::crypto::password::PasswordError;
use crate::engine::{EngineError, NotMailed, PasskeyError, messages};
use crate::policy::groups::GroupsError;
use crate::store::StoreError;
use crate::verify::decision::Refusal;
use std::fmt;

#[derive(Debug)]
pub enum AdministrationError {
    UnknownAccount(UserName),
    AccountExists(UserName),
    /// An account has another spelling of the name.
    OtherSpelling(OtherSpelling),
    AlreadyEnrolled(UserName),
    NotEnrolled(UserName),
    LabelTaken(UserName, Label),
    UnknownAuthenticator(UserName, Label),
    LastAuthenticator(UserName),
    /// The account has the maximum number of authenticators.
    TooMany(UserName, usize),
    /// The names of the account's groups exceed this many bytes.
    TooManyGroups(UserName, usize),
    /// The confirming code was consumed before, when the same secret was stored.
    CodeUsed,
    /// Only root may act on another account than the user's own.
    NotOwn(UserName),
    /// A PAM host that is neither root nor in `pam.socket_users` asks about another account.
    NotTrusted(UserName),
    /// A process of this user may not report that a password was changed.
    MayNotReportPassword(UserName),
    OnlyRoot,
    /// A host of a fleet asks for what only a server may do.
    NotOnHost(HostName),
    /// The code that the change requires was refused.
    Code(Refusal),
    /// A first enrollment by a user other than root requires a one-time code or the password.
    ProofNeeded(UserName),
    /// The policy requires a one-time code for a first enrollment, so the password does not
    /// suffice.
    OneTimeCodeNeeded(UserName),
    /// The password of this host, which a first enrollment requires, was refused.
    HostPassword(Refusal),
    /// The host could not verify the password.
    HostPasswordUnavailable(UserName),
    /// The host did not verify the password in time.
    HostPasswordTimedOut(UserName),
    /// The token has expired, or the account has changed since it was issued.
    Stale,
    /// The seed or the parameters of a new authenticator.
    Authenticator(OtpError),
    /// The account is declared in the configuration.
    Declared(UserName),
    NothingToRevoke(&'static str, UserName),
    /// Mail is not configured in `[email]`.
    NoMail,
    /// A code was mailed recently; seconds until the next may be.
    MailCooldown(u64),
    NotMailed(NotMailed),
    NoAddress(UserName),
    NothingToConfirm(UserName),
    /// The mailed code is no longer valid.
    NoCodeToConfirm(UserName),
    /// The input does not confirm the address.
    NotConfirmed(Refusal),
    Password(PasswordError),
    AppPassword(AppPasswordError),
    Passkey(PasskeyError),
    /// The second factor is off, but its secret may still be in the store's journal.
    WalNotTruncated(StoreError),
    Groups(GroupsError),
    Engine(EngineError),
}

impl<E: Into<EngineError>> From<E> for AdministrationError {
    fn from(error: E) -> AdministrationError {
        AdministrationError::Engine(error.into())
    }
}

impl fmt::Display for AdministrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdministrationError::UnknownAccount(name) => {
                write!(f, "there is no account {name}; postern status lists them")
            }
            AdministrationError::AccountExists(name) => write!(f, "there is an account {name} already"),
            AdministrationError::OtherSpelling(error) => error.fmt(f),
            AdministrationError::AlreadyEnrolled(name) => write!(
                f,
                "{name} has a second factor already; postern authenticator add {name} adds to it, postern disable {name} turns it off"
            ),
            AdministrationError::NotEnrolled(name) => write!(f, "{name} has no second factor"),
            AdministrationError::LabelTaken(name, label) => {
                write!(f, "{name} has an authenticator {:?} already; give this one another --name", label.as_str())
            }
            AdministrationError::UnknownAuthenticator(name, label) => write!(
                f,
                "{name} has no authenticator {:?}; postern authenticator list {name} shows them",
                label.as_str()
            ),
            AdministrationError::LastAuthenticator(name) => write!(
                f,
                "that is {name}'s only authenticator; add another first, or turn the second factor off with postern disable {name}"
            ),
            AdministrationError::TooMany(name, most) => {
                write!(f, "{name} has {most} authenticators, which is the maximum; remove one first")
            }
            AdministrationError::TooManyGroups(name, most) => write!(
                f,
                "the names of {name}'s groups may have {most} bytes together; remove some, or give them shorter names"
            ),
            AdministrationError::CodeUsed => f.write_str(
                "this secret was in use here before, and this code was already accepted then; start again with the next code",
            ),
            AdministrationError::NotOnHost(host) => write!(
                f,
                "the host {host} may only ask for codes; do this on a server"
            ),
            AdministrationError::NotOwn(own) => {
                write!(f, "only root may do this for another account than your own, {own}")
            }
            AdministrationError::NotTrusted(own) => write!(
                f,
                "a process of user {own} may ask only about the account {own}; for a service that asks about others, see pam.socket_users in postern.toml(5)"
            ),
            AdministrationError::MayNotReportPassword(own) => write!(
                f,
                "a process of user {own} may not report a changed password; for a service that changes passwords, see pam.socket_users in postern.toml(5)"
            ),
            AdministrationError::OnlyRoot => f.write_str("only root may do this; try sudo"),
            AdministrationError::Code(refusal) => {
                write!(f, "{}; nothing was changed", messages::refusal(*refusal))
            }
            AdministrationError::ProofNeeded(name) => write!(
                f,
                "to set up a first second factor, enter your password on this host or a one-time code; the administrator gets one with postern one-time-code {name}"
            ),
            AdministrationError::OneTimeCodeNeeded(name) => write!(
                f,
                "the policy requires a one-time code to set up a first second factor; the administrator gets one with postern one-time-code {name}"
            ),
            AdministrationError::HostPassword(refusal) => {
                write!(f, "{}; nothing was changed", messages::password_refusal(*refusal))
            }
            AdministrationError::HostPasswordUnavailable(name) => write!(
                f,
                "passwords of this host cannot be verified now; ask the administrator to start postern-password.socket, or for a one-time code (postern one-time-code {name})"
            ),
            AdministrationError::HostPasswordTimedOut(name) => write!(
                f,
                "your password could not be verified in time, and nothing was changed; try again later, or ask the administrator for a one-time code (postern one-time-code {name})"
            ),
            AdministrationError::Stale => f.write_str(
                "this took too long, or the account was changed in the meantime; nothing was changed, start again",
            ),
            AdministrationError::Authenticator(error) => error.fmt(f),
            AdministrationError::Declared(name) => write!(
                f,
                "{name} is declared in postern.toml or accounts.d; change its [[account]] table or its secret_file instead"
            ),
            AdministrationError::NothingToRevoke(what, name) => write!(f, "{name} has no such {what}"),
            AdministrationError::NoMail => f.write_str(
                "mail is not configured; set smtp_url, webhook_url or command in [email] of postern.toml, then reload the gate",
            ),
            AdministrationError::MailCooldown(wait) => {
                write!(f, "a code was mailed just now; wait {} for the next", messages::duration(*wait))
            }
            AdministrationError::NotMailed(error) => error.fmt(f),
            AdministrationError::NoAddress(name) => write!(f, "{name} has no e-mail address"),
            AdministrationError::NothingToConfirm(name) => write!(
                f,
                "{name} has no address to confirm; postern email set {name} ADDRESS mails a code to one"
            ),
            AdministrationError::NoCodeToConfirm(name) => write!(
                f,
                "the mailed code is no longer valid, after too many wrong codes or a newer mail; postern email set {name} ADDRESS mails another"
            ),
            AdministrationError::NotConfirmed(refusal) => f.write_str(&messages::refusal(*refusal)),
            AdministrationError::Password(error) => error.fmt(f),
            AdministrationError::AppPassword(error) => error.fmt(f),
            AdministrationError::Passkey(error) => error.fmt(f),
            AdministrationError::WalNotTruncated(error) => write!(
                f,
                "the second factor is off, but bytes of the old secret may be left in the store's journal ({error}); run postern disable again later"
            ),
            AdministrationError::Groups(error) => error.fmt(f),
            AdministrationError::Engine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AdministrationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AdministrationError::OtherSpelling(error) => Some(error),
            AdministrationError::WalNotTruncated(error) => Some(error),
            AdministrationError::NotMailed(error) => Some(error),
            AdministrationError::Groups(error) => Some(error),
            AdministrationError::Engine(error) => Some(error),
            _ => None,
        }
    }
}

/// Why an act on app passwords is refused.
#[derive(Debug)]
pub enum AppPasswordError {
    NameTaken(UserName, Label),
    Unknown(UserName, Label),
    /// The account has no app password.
    None(UserName),
    TooMany(UserName, usize),
    Undeclared(ScopeName),
    /// The scope contains the gate's own pages.
    Gate,
    /// The expiry time has passed.
    Past,
}

impl From<AppPasswordError> for AdministrationError {
    fn from(error: AppPasswordError) -> AdministrationError {
        AdministrationError::AppPassword(error)
    }
}

impl fmt::Display for AppPasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppPasswordError::NameTaken(account, name) => {
                write!(
                    f,
                    "{account} has an app password {:?} already; give this one another name",
                    name.as_str()
                )
            }
            AppPasswordError::Unknown(account, name) => write!(
                f,
                "{account} has no app password {:?}; postern app-password list {account} shows them",
                name.as_str()
            ),
            AppPasswordError::None(account) => write!(f, "{account} has no app password"),
            AppPasswordError::TooMany(account, most) => {
                write!(
                    f,
                    "{account} has {most} app passwords, which is the maximum; revoke one first"
                )
            }
            AppPasswordError::Undeclared(name) => write!(
                f,
                "there is no scope {name}; declare it as [gate.scope.{name}] in postern.toml, or write pam:SERVICE or web:HOST/PATH"
            ),
            AppPasswordError::Gate => f.write_str(
                "an app password is not valid for the gate's own pages; give the application's host",
            ),
            AppPasswordError::Past => {
                f.write_str("the expiry time has already passed; give a later --expires")
            }
        }
    }
}
