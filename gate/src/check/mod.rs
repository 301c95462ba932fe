//! Forward-auth checks: what a proxy asks before each request.
//!
//! `forward_auth` evaluates a check, `request_cookies` and `verified_session` read cookies and keep
//! what they read before in a `keyed_cache`, `rules` applies the configured rules, `client` reads
//! what the client can show, and `proxy_reply` renders the result as the proxy's contract requires,
//! with the user in `identity_headers`. None of them reads the disk or takes a shared lock.

pub(crate) mod client;
pub(crate) mod forward_auth;
pub(crate) mod identity_headers;
mod keyed_cache;
pub(crate) mod proxy_reply;
mod request_cookies;
pub(crate) mod rules;
mod verified_session;
