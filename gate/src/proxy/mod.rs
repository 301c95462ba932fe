//! Proxies: the contract of each, which peers are trusted, and the users that they name.
//!
//! Headers of a proxy are read only after `trusted_proxy` has authenticated it.

mod apache;
pub(crate) mod authelia;
pub(crate) mod contract;
pub(crate) mod envoy;
pub(crate) mod fastcgi;
mod forwarded;
pub(crate) mod identity;
mod nginx;
pub(crate) mod original_request;
pub(crate) mod trusted_proxy;
