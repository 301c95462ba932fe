//! Network addresses, hosts and paths of web requests, and connections to local sockets.
//! Every parser here refuses input that two programs could read in different ways.

pub mod address;
pub mod local_stream;
pub mod web_address;
