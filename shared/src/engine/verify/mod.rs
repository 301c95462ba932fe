//! Verification at the store: load, decide, write, commit, and only then grant access.

pub(super) mod app_password;
pub(super) mod attempt;
pub(crate) mod auth_token;
pub(super) mod evaluation;
pub(super) mod exemption;
pub(super) mod grace_period;
pub(super) mod groups;
pub(super) mod host_password;
pub(super) mod pam;
pub(super) mod pam_account;
pub(super) mod pam_context;
pub(super) mod rule_test;
