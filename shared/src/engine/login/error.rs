//! Errors of the web login.

use crate::account::name::OtherSpelling;
use crate::crypto::password::PasswordError;
use crate::engine::EngineError;
use crate::policy::groups::GroupsError;
use crate::system::clock::ClockError;
use std::error::Error;
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

impl LoginError {
    fn cause(&self) -> &(dyn Error + 'static) {
        match self {
            LoginError::Engine(error) => error,
            LoginError::Password(error) => error,
            LoginError::Clock(error) => error,
            LoginError::Groups(error) => error,
            LoginError::OtherSpelling(error) => error,
        }
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.cause(), f)
    }
}

impl Error for LoginError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause())
    }
}
