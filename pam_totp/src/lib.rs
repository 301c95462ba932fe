//! pam_totp.so: the PAM module. Asks for a code at sshd, sudo and the console.
//!
//! `ffi` is the edge to libpam; `relay` has posternd run the conversation, over `connection`.
#![deny(unsafe_code)]

mod connection;
mod ffi;
#[cfg_attr(not(test), expect(dead_code, reason = "the relay starts it"))]
mod helper;
mod relay;
