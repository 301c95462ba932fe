//! Addresses, hosts and paths of web requests, and connections to local sockets.

pub mod address;
pub mod local_stream;
pub mod web_address;
