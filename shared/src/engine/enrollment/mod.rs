//! Enrollment: an authenticator is made, confirmed by a code, and activated; at the web, at a PAM prompt
//! and by a command.

pub(super) mod at_prompt;
pub(super) mod authenticators;
pub(super) mod by_host_password;
pub mod pending;
pub(crate) mod token;
pub(super) mod web;
