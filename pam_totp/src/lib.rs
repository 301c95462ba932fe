//! pam_totp.so: the door to the shell. Asks for a code at sshd, sudo and the console.
//!
//! `ffi` is the edge to libpam; `login`, `guard` and `password` are the kinds of lines in a service file; what they
//! need of the host they ask through the trait in `host`, and what they ask of the store, or of the gate, at `desk`.
#![deny(unsafe_code)]

mod answers;
mod caller;
mod desk;
mod entry;
mod ffi;
mod guard;
#[cfg_attr(not(test), expect(dead_code, reason = "the relay starts it"))]
mod helper;
mod host;
mod line;
#[cfg(test)]
mod lines;
mod log;
mod login;
mod mark;
mod options;
mod password;
mod setup;
