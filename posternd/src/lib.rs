//! posternd: runs PAM conversations for the module, which only relays, and sends mail.
#![forbid(unsafe_code)]

pub mod conversation;
pub mod conversations;
pub mod daemon;
pub mod engines;
pub mod mail;
pub mod remote_host;
