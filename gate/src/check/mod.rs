//! Forward-auth checks: what a proxy asks before each request.
//!
//! `forward_auth` evaluates a check, `rules` applies the configured rules, `client` reads what the
//! client can show, and `proxy_reply` renders the result as the proxy's contract requires. None of
//! them reads the disk or takes a shared lock.

pub(crate) mod client;
pub(crate) mod forward_auth;
pub(crate) mod proxy_reply;
pub(crate) mod rules;
