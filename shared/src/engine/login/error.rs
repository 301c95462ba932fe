//! Why nobody can sign in.

use crate::account::name::OtherSpelling;
use crate::crypto::password::PasswordError;
use crate::engine::DoorError;
use crate::policy::groups::GroupsError;
use crate::system::clock::ClockError;
use std::fmt;

/// Why nobody can sign in.
#[derive(Debug)]
pub enum SignInError {
    /// Key, store, or what lies in it.
    Door(DoorError),
    /// A password's hash.
    Password(PasswordError),
    /// The clock.
    Clock(ClockError),
    /// The host's name service.
    Groups(GroupsError),
    /// The name is another spelling of an account's.
    OtherSpelling(OtherSpelling),
}

impl<E: Into<DoorError>> From<E> for SignInError {
    fn from(error: E) -> SignInError {
        SignInError::Door(error.into())
    }
}

impl From<PasswordError> for SignInError {
    fn from(error: PasswordError) -> SignInError {
        SignInError::Password(error)
    }
}

impl fmt::Display for SignInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignInError::Door(error) => error.fmt(f),
            SignInError::Password(error) => error.fmt(f),
            SignInError::Clock(error) => error.fmt(f),
            SignInError::Groups(error) => error.fmt(f),
            SignInError::OtherSpelling(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SignInError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SignInError::Door(error) => Some(error),
            SignInError::Password(error) => Some(error),
            SignInError::Clock(error) => Some(error),
            SignInError::Groups(error) => Some(error),
            SignInError::OtherSpelling(error) => Some(error),
        }
    }
}
