//! Verification against the store, for PAM services, the command and the web.
//! Every act loads the account, asks the decision in `crate::verify`, writes what it consumes, and
//! commits. Access is granted only after the commit.

pub(super) mod attempt;
pub(crate) mod auth_token;
pub(super) mod bucket;
pub(super) mod charge;
pub(super) mod consumption;
pub(super) mod evaluation;
pub(super) mod grace_period;
pub(super) mod host_password;
pub(super) mod pam;
pub(super) mod pam_account;
pub(super) mod pam_context;
