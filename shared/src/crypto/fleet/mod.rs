//! Keys of a fleet: the authority that certifies its hosts and servers, and the key of a host.

pub mod authority;
pub mod host_key;
