//! Proxies: the contract of each, which peers are trusted, and the users that they name.
//!
//! Headers of a proxy are read only after `trusted_proxy` has authenticated it.

pub(crate) mod contract;
pub(crate) mod identity;
pub(crate) mod nginx;
pub(crate) mod traefik;
pub(crate) mod trusted_proxy;
