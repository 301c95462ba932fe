//! Sessions and trusted browsers: their lists, their revocation, and how every gate learns of it.

pub(super) mod changes;
pub(super) mod revocation;
pub(super) mod uses;
