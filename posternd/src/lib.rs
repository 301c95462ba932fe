//! posternd: runs PAM conversations for the module, which only relays, and sends mail.
#![forbid(unsafe_code)]

pub mod conversation;
pub mod conversations;
pub mod daemon;
pub mod drain;
pub mod engines;
pub mod mail;
pub mod privileges;
pub mod remote_host;
pub mod service;
pub mod sockets;
pub mod stdio;
pub mod watchdog;
