//! PAM conversations: the prompts, the decision and the log lines of each hook.
//!
//! MUST NOT hold an engine while a prompt waits.

mod account;
mod approval;
mod auth;
mod conversation;
mod engine_access;
mod enrollment;
pub mod hooks;
mod host;
mod input;
mod log;
pub(crate) mod options;
mod password;
pub mod remote_host;
#[cfg(test)]
pub(crate) mod tests;
mod user;
