//! Why nobody can sign in.

use crate::account::name::OtherSpelling;
use crate::crypto::password::PasswordError;
use crate::engine::EngineError;
use crate::policy::groups::GroupsError;
use crate::system::clock::ClockError;
use std::fmt;

/// Why nobody can sign in.
#[derive(Debug)]
pub enum LoginError {
    /// Key, store, or what lies in it.
    Engine(EngineError),
    /// A password's hash.
    Password(PasswordError),
    /// The clock.
    Clock(ClockError),
    /// The host's name service.
    Groups(GroupsError),
    /// The name is another spelling of an account's.
    OtherSpelling(OtherSpelling),
}

impl<E: Into<EngineError>> From<E> for LoginError {
    fn from(error: E) -> LoginError {
        LoginError::Engine(error.into())
    }
}

impl From<PasswordError> for LoginError {
    fn from(error: PasswordError) -> LoginError {
        LoginError::Password(error)
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoginError::Engine(error) => error.fmt(f),
            LoginError::Password(error) => error.fmt(f),
            LoginError::Clock(error) => error.fmt(f),
            LoginError::Groups(error) => error.fmt(f),
            LoginError::OtherSpelling(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoginError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoginError::Engine(error) => Some(error),
            LoginError::Password(error) => Some(error),
            LoginError::Clock(error) => Some(error),
            LoginError::Groups(error) => Some(error),
            LoginError::OtherSpelling(error) => Some(error),
        }
    }
}
