//! Proxies: the contract of each, and which peers are trusted.

pub(crate) mod contract;
pub(crate) mod identity;
pub(crate) mod nginx;
pub(crate) mod traefik;
pub(crate) mod trusted_proxy;
