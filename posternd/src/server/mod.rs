//! The sockets of posternd, their connection limits, and the signals of the service manager.

pub mod connection_limit;
mod fleet_connections;
mod fleet_conversation;
pub mod fleet_socket;
mod host_activity;
pub mod host_socket;
mod own_tls;
pub mod peer;
mod relayed_hook;
mod report_limit;
pub mod service;
pub mod sockets;
pub mod stdio;
mod user_limits;
pub mod user_socket;
