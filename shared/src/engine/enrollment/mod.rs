//! Enrollment: an authenticator is made, confirmed by a code, and activated; at the web, on
//! the account page, at a PAM prompt and by a command. `steps` has the steps that all of them share.

pub(super) mod at_prompt;
pub(super) mod authenticators;
pub(super) mod by_command;
mod in_session;
pub mod pending;
mod sealed_fields;
pub(super) mod steps;
pub(crate) mod token;
pub(super) mod web;
