//! Network addresses, hosts and paths of web requests, names of browsers, and connections to local
//! sockets. Every parser here refuses input that two programs could read in
//! different ways.

pub mod address;
pub mod local_stream;
pub mod user_agent;
pub mod web_address;
