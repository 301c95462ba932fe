//! Why an act on passkeys is refused.

use crate::account::name::{Label, UserName};
use crate::engine::AdministrationError;
use crate::verify::passkey::PasskeyRefusal;
use std::fmt;

#[derive(Debug)]
pub enum PasskeyError {
    /// The gate has no URL, or one at an address or on a path of an application.
    NotAvailable,
    NameTaken(UserName, Label),
    Unknown(UserName, Label),
    TooMany(UserName, usize),
    /// The authenticator has a passkey of this or another account with this identifier.
    Registered,
    /// The configuration names another relying party than the passkeys that are there.
    OtherRelyingParty(String),
    Refused(PasskeyRefusal),
    /// A passkey is demanded of the account, and the session was opened by less.
    WeakSession(UserName),
}

impl From<PasskeyError> for AdministrationError {
    fn from(error: PasskeyError) -> AdministrationError {
        AdministrationError::Passkey(error)
    }
}

impl fmt::Display for PasskeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasskeyError::NotAvailable => f.write_str(
                "passkeys need a gate with a host name of its own in gate.url, not an address or a path",
            ),
            PasskeyError::NameTaken(account, name) => write!(
                f,
                "{account} has a passkey {:?} already; give this one another name",
                name.as_str()
            ),
            PasskeyError::Unknown(account, name) => {
                write!(f, "{account} has no passkey {:?}", name.as_str())
            }
            PasskeyError::TooMany(account, most) => write!(
                f,
                "{account} has {most} passkeys, which is the maximum; remove one first"
            ),
            PasskeyError::Registered => f.write_str("this passkey is registered already"),
            PasskeyError::OtherRelyingParty(earlier) => write!(
                f,
                "the passkeys that are there were made for {earlier}; set gate.passkeys.rp_id to it"
            ),
            PasskeyError::WeakSession(account) => write!(
                f,
                "a passkey is demanded of {account}, which has one: its passkeys and recovery codes are changed in a session by a \
                 passkey, a recovery code or an administrator's one-time code, or by a command with a recovery code"
            ),
            PasskeyError::Refused(refusal) => {
                write!(f, "the passkey was refused: {refusal}; start again")
            }
        }
    }
}
