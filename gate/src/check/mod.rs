//! Forward-auth checks: what a proxy asks before each request. No disk, no lock.

pub(crate) mod forward_auth;
pub(crate) mod proxy_reply;
pub(crate) mod rules;
