//! Commands of users who are not root, for their own account.

pub(crate) mod host_password;
pub(crate) mod run;
