//! Errors of the web login.

use crate::account::name::OtherSpelling;
use crate::crypto::password::PasswordError;
use crate::engine::EngineError;
use crate::policy::groups::GroupsError;
use crate::system::clock::ClockError;
use std::fmt;

/// Why a login could not be decided. Access is denied.
#[derive(Debug)]
pub enum LoginError {
    Engine(EngineError),
    Password(PasswordError),
    Clock(ClockError),
    Groups(GroupsError),
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
