//! Sockets, connections and signals: what posternd serves, and to whom.

pub mod connection_limit;
pub mod host_socket;
pub mod peer;
pub mod service;
pub mod sockets;
pub mod stdio;
mod user_limits;
pub mod user_socket;
